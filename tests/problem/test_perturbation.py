"""admits, sample, count and enumerate describe one and the same set of datasets."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agtopt import Bounded, Dataset, InvalidInputError, Network, Problem, Substitution, Training
from agtopt.problem import Moving
from agtopt.problem.perturbation.base import within_ball
from tests.instances import COMBINATIONS, corrupted, random_problem, with_reach
from tests.matrix import CELLS, Cell, cell_problem


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS[:6])
def test_samples_are_admitted_and_spend_the_budget(depth, loss, reach):
    for seed in range(10):
        problem = random_problem(seed, depth, loss, reach)
        model, nominal = problem.perturbation, problem.dataset
        touchable = model.touchable(problem)
        for dataset in corrupted(problem, 20, seed):
            assert model.admits(problem, dataset)
            moved = np.any(dataset.features != nominal.features, axis=1)
            moved |= np.any((dataset.labels != nominal.labels).reshape(len(nominal), -1), axis=1)
            assert set(np.flatnonzero(moved)) <= set(touchable)
            assert moved.sum() == min(model.n, len(touchable))


@pytest.mark.parametrize("n", range(4))
def test_count_is_the_number_enumerated_and_all_differ(n):
    problem = random_problem(1, 1, "hinge", "flips", samples=6, n=n)
    found = list(problem.perturbation.enumerate(problem))
    assert (
        len({tuple(dataset.labels) for dataset in found})
        == len(found)
        == problem.perturbation.count(problem)
    )
    assert not found[0].changed(problem.dataset).any()
    assert all(problem.perturbation.admits(problem, dataset) for dataset in found)


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS[:6])
def test_what_goes_too_far_is_not_admitted(depth, loss, reach):
    problem = with_reach(random_problem(2, depth, loss, reach, samples=6), n=1, vulnerable=[1, 2])
    model, nominal = problem.perturbation, problem.dataset

    def other(sample, dx=0.0, dy=0.0):
        features, labels = nominal.features.copy(), nominal.labels.copy()
        features[sample, 0] += dx
        labels[sample] = -labels[sample] if loss == "hinge" and dy else labels[sample] + dy
        return Dataset(features, labels)

    assert model.admits(problem, nominal)
    assert model.admits(problem, other(1, model.eps, model.nu))
    assert not model.admits(problem, other(0, model.eps or 1.0, model.nu)), "not vulnerable"
    assert not model.admits(problem, other([1, 2], model.eps, model.nu)), "two samples"
    assert not model.admits(problem, other(1, model.eps * 1.01 + 1e-3)), "too far"
    if loss == "squared":
        assert not model.admits(problem, other(1, dy=model.nu * 1.01 + 1e-3)), "label too far"
    assert not model.admits(problem, Dataset(nominal.features[:-1], nominal.labels[:-1])), (
        "a sample less"
    )
    if not model.nu:
        assert not model.admits(problem, other(1, dy=1.0)), "labels stay"


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (Bounded(0, nu=1, q=0), 1),
        (Bounded(2), 1),
        (Bounded(1, eps=0.1), np.inf),
        (Bounded(1, nu=0.5), np.inf),
    ],
)
def test_count_of_trivial_and_continuous_models(model, count):
    problem = random_problem(
        0, 1, "hinge" if model.q == 0 else "squared", "flips" if model.q == 0 else "labels"
    )
    assert model.count(replace(problem, perturbation=model)) == count


def test_only_narrows_the_model_to_the_named_samples():
    model = Bounded(3, eps=0.1).only(4)
    assert (model.n, tuple(model.vulnerable), model.eps) == (1, (4,), 0.1)


MODELS = list({cell.adversary + cell.loss: cell for cell in CELLS}.values())
"""One cell for every perturbation model with every loss."""


@pytest.mark.parametrize("cell", MODELS, ids=str)
def test_samples_of_every_model_are_admitted_and_spend_the_budget(cell):
    problem = cell_problem(cell)
    model, nominal = problem.perturbation, problem.dataset
    touchable = model.touchable(problem)
    drawn = model.sample(problem, 60, np.random.default_rng(0))
    assert len(drawn) == 60
    for dataset in drawn:
        assert model.admits(problem, dataset)
        changed = np.flatnonzero(dataset.changed(nominal))
        assert set(changed) <= set(touchable)
        features = np.any((dataset.features != nominal.features).reshape(5, -1), axis=1).sum()
        labels = np.any((dataset.labels != nominal.labels).reshape(5, -1), axis=1).sum()
        if cell.adversary == "separate":
            assert (features, labels) == (model.n_features, model.n_labels)
        elif cell.adversary in ("targeted", "substitution"):
            assert len(changed) <= min(
                model.n, len(touchable)
            )  # a target may be the class or point that is there already
        else:
            assert len(changed) == min(model.n, len(touchable))
            assert not labels or cell.adversary in ("labels", "both")
            assert not features or cell.adversary in ("box", "l1", "l2", "both")
    if cell.adversary in ("box", "l1", "l2"):
        moves = np.stack(
            [(dataset.features - nominal.features).reshape(5, -1) for dataset in drawn]
        )
        reach = np.linalg.norm(moves, ord=model.p, axis=-1).max(axis=-1)
        assert reach.max() <= model.eps * (1 + 1e-12)
        assert np.isclose(reach, model.eps).sum() >= 30, "half of them at the boundary"


@pytest.mark.parametrize("cell", MODELS, ids=str)
def test_every_finite_model_counts_what_it_enumerates(cell):
    problem = cell_problem(cell)
    model = problem.perturbation
    if cell.adversary in ("removal", "labels", "targeted") and (
        cell.adversary == "removal" or problem.classes
    ):
        found = list(model.enumerate(problem))
        rows = {(tuple(dataset.labels.ravel()), tuple(dataset.presence())) for dataset in found}
        assert len(rows) == len(found) == model.count(problem) > 1
        assert not found[0].changed(problem.dataset).any()
        assert all(model.admits(problem, dataset) for dataset in found)
        # Whatever is drawn is among them.
        for dataset in model.sample(problem, 20, np.random.default_rng(1)):
            assert (tuple(dataset.labels.ravel()), tuple(dataset.presence())) in rows
    else:
        assert model.count(problem) == np.inf


@pytest.mark.parametrize("cell", MODELS, ids=str)
def test_one_sample_alone_is_part_of_every_model(cell):
    problem = cell_problem(cell)
    for sample in problem.perturbation.touchable(problem):
        alone = replace(problem, perturbation=problem.perturbation.only(int(sample)))
        assert alone.perturbation.touchable(alone).tolist() == [sample]
        for dataset in alone.perturbation.sample(alone, 3, np.random.default_rng(0)):
            assert problem.perturbation.admits(problem, dataset)


def variant(problem, sample, features=None, label=None, present=None):
    x, y = problem.dataset.features.copy(), problem.dataset.labels.copy()
    if features is not None:
        x[sample] += features
    if label is not None:
        y[sample] = label
    return Dataset(x, y, present)


@pytest.mark.parametrize(
    ("p", "inside", "outside"),
    [
        (np.inf, [0.1, 0.1], [0.11, 0.0]),
        (2, [0.06, 0.08], [0.08, 0.08]),
        (1, [0.04, 0.06], [0.06, 0.06]),
    ],
)
def test_balls_end_where_their_norm_says(p, inside, outside):
    base = cell_problem(Cell("box", "hinge", "plain", "linear", 1, False))
    problem = replace(base, perturbation=Bounded(1, eps=0.1, p=p))
    model = problem.perturbation
    assert model.admits(problem, variant(problem, 0, np.array(inside)))
    assert not model.admits(problem, variant(problem, 0, np.array(outside)))
    assert not model.admits(problem, variant(problem, [0, 1], np.array(inside)))


def test_only_the_named_flips_are_admitted():
    base = cell_problem(Cell("labels", "cross-entropy", "plain", "linear", 1, True))
    problem = replace(base, perturbation=Bounded(2, nu=1, q=0, flips=[(0, 2), (1, 0)]))
    model, labels = problem.perturbation, problem.dataset.labels
    for sample, target in product(range(5), range(3)):
        if target != labels[sample]:
            admitted = model.admits(problem, variant(problem, sample, label=target))
            assert admitted == ((labels[sample], target) in {(0, 2), (1, 0)})
    assert set(model.touchable(problem)) == set(np.flatnonzero(labels != 2))
    assert (
        model.count(problem)
        == 1 + len(model.touchable(problem)) * (1 + len(model.touchable(problem))) // 2
    )


def test_separate_budgets_are_not_exchanged():
    base = cell_problem(Cell("separate", "hinge", "plain", "linear", 1, False))
    problem = replace(base, perturbation=Bounded(n_features=1, n_labels=2, eps=0.1, nu=1, q=0))
    model, labels = problem.perturbation, problem.dataset.labels
    move = np.full(2, 0.1)
    both = variant(problem, [0, 1], label=-labels[:2])
    assert model.admits(problem, both)
    assert model.admits(
        problem, Dataset(both.features + move * (np.arange(5) == 4)[:, None], both.labels)
    ), "three samples"
    assert model.admits(
        problem, Dataset(both.features + move * (np.arange(5) == 0)[:, None], both.labels)
    ), "one of them both"
    assert not model.admits(problem, variant(problem, [0, 1], move))
    assert not model.admits(problem, variant(problem, [0, 1, 2], label=-labels[:3]))


def test_removal_changes_nothing_else():
    problem = cell_problem(Cell("removal", "squared", "plain", "linear", 1, False))
    model, gone = problem.perturbation, np.arange(5) != 2
    assert model.admits(problem, variant(problem, 0, present=gone))
    assert not model.admits(problem, variant(problem, 2, features=0.1, present=gone)), (
        "it would not be seen, but it is no removal"
    )
    assert not model.admits(problem, variant(problem, 0, features=0.1))
    assert not model.admits(problem, variant(problem, 0, present=np.arange(5) > 1)), "two samples"


def test_a_budget_of_nothing_is_allowed_beside_flips():
    """A sweep over budgets starts at 0."""
    problem = cell_problem(Cell("labels", "hinge", "plain", "linear", 1, False))
    for model in (
        Bounded(0, nu=1, q=0, flips=[(-1, 1)]),
        Bounded(n_features=1, n_labels=0, eps=0.1, nu=1, q=0, flips=[(-1, 1)]),
    ):
        idle = replace(problem, perturbation=model)
        assert not any(
            (dataset.labels != problem.dataset.labels).any()
            for dataset in model.sample(idle, 5, np.random.default_rng(0))
        )


@dataclass(frozen=True)
class Shifted(Moving):
    """Samples move within a box, or a ball, of their own."""

    says: bool = True
    reach: float = 0.5
    ball: tuple[float, float] | None = None

    @property
    def moves_features(self):
        return self.says

    def feature_box(self, problem, features):
        return features - self.reach, features + self.reach

    def label_box(self, problem, labels, certain=False):
        return labels, labels + self.reach * (self.vulnerable == (0,))

    def admits(self, problem, other, tolerance=1e-9):
        return self.same_places(problem, other)

    def sample(self, problem, size, generator):
        raise NotImplementedError

    def describe(self):
        return "a sample moves"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Shifted(1, says=False), "move features although Shifted.moves_features is false"),
        (Shifted(1, vulnerable=[0]), "move labels although Shifted.moves_labels is false"),
        (Shifted(1, ball=(0.5, 3.0)), "norm 3.0 of Shifted.ball"),
        (Shifted(1, ball=(-0.5, 2)), "radius of Shifted.ball"),
        (Shifted(1, ball=(np.nan, 1)), "radius of Shifted.ball"),
    ],
)
def test_what_a_model_says_of_itself_has_to_agree(model, words):
    """A box that no flag announces would be taken for a point; a ball of another norm for one of 1
    or 2."""
    problem = random_problem(0, 1, "squared", "features", samples=4)
    with pytest.raises(InvalidInputError, match=words):
        replace(problem, perturbation=model)
    replace(problem, perturbation=replace(model, n=0, ball=None))


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("radius", [0.0, 1e-300, 1e-160, 0.3, 1e200])
def test_what_is_shortened_to_a_ball_lies_within_it(p, radius):
    shifts = np.array([[0.0, 0.0], [1e-200, -1e-200], [0.1, 0.1], [3.0, -4.0], [1e150, 1.0]])
    short = within_ball(shifts, (radius, p))
    size = np.linalg.norm(short, ord=p, axis=1)
    assert np.all(size <= radius * (1 + 1e-12))
    within = np.linalg.norm(shifts, ord=p, axis=1) <= radius
    np.testing.assert_array_equal(short[within], shifts[within])


SIZES = st.sampled_from([1e-200, 1e-10, 1e-3, 1.0, 1e6, 1e150])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    size=SIZES,
    share=st.sampled_from([1e-9, 1e-3, 1.0, 1e3]),
    p=st.sampled_from([np.inf, 2, 1]),
    over=st.sampled_from([1.0, 1.001, 90.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_what_is_forgiven_is_rounding_at_any_size(size, share, p, over, seed):
    """A tolerance of 1e-9 admitted a move of 90 radii where these were 1e-11, and with it a false
    refutation of a certificate."""
    generator = np.random.default_rng(seed)
    features = size * generator.normal(size=(2, 3))
    model = Bounded(1, eps=size * share, p=p)
    problem = hinge(features, model)
    shift = generator.normal(size=3)
    shift *= model.eps / np.linalg.norm(shift / np.abs(shift).max(), ord=p) / np.abs(shift).max()
    moved = features.copy()
    moved[0] += over * shift
    assert model.admits(problem, Dataset(moved, problem.dataset.labels)) == (over == 1.0)
    for dataset in model.sample(problem, 6, generator):
        assert model.admits(problem, dataset)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(size=SIZES, over=st.sampled_from([1.0, 1.001, 90.0]), seed=st.integers(0, 2**32 - 1))
def test_boxes_of_substitutes_forgive_rounding_only(size, over, seed):
    generator = np.random.default_rng(seed)
    features = size * generator.uniform(-1.0, 1.0, size=(2, 3))
    model = Substitution(1, features=(-size, size))
    problem = hinge(features, model)
    moved = features.copy()
    moved[0, 0] = over * size
    assert model.admits(problem, Dataset(moved, problem.dataset.labels)) == (over == 1.0)
    for dataset in model.sample(problem, 6, generator):
        assert model.admits(problem, dataset)


def test_what_cannot_move_does_not_move_by_rounding():
    problem = hinge(np.ones((2, 3)), Bounded(1, nu=1.0, q=0))
    moved = np.ones((2, 3))
    moved[0, 0] = np.nextafter(1.0, 2.0)
    assert not problem.perturbation.admits(problem, Dataset(moved, problem.dataset.labels))


def hinge(features, model):
    return Problem(Network.dense([3, 1]), Dataset(features, [1.0, -1.0]), model, Training("hinge"))
