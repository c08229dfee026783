"""The traps of docs/soundness.md that whole training runs can show; each test names its number."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import agtopt
from agtopt import (
    Bounded,
    Conv2d,
    Dataset,
    Dense,
    Flatten,
    InvalidInputError,
    LeakyReLU,
    Network,
    Problem,
    Removal,
    Substitution,
    Training,
)
from agtopt.compiler import compile
from tests.instances import corrupted
from tests.matrix import ALL_KINDS, Cell, cell_problem
from tests.reference import torch_sgd, torch_states

PROPAGATIONS = ["IBP", "CROWN"]


def assert_inside(problem, kind, datasets):
    """Every state of every run, without any tolerance."""
    states = agtopt.bound(problem, kind).states
    for dataset in datasets:
        for t, (box, state) in enumerate(zip(states, torch_states(problem, dataset), strict=True)):
            assert box.contains(state), (kind, t)
    return states


def one_impulse(learning_rate, momentum, decay, steps):
    """A bias under hinge loss; the sample that may flip is in the first batch only, so all later
    gradients are the same in both runs."""
    network = Network.chain([Dense(1, 1)], (1,), [[[0.0]], [0.0]])
    training = Training(
        "hinge",
        batches=[[0, 1]] + [[1, 2]] * (steps - 1),
        learning_rate=learning_rate,
        momentum=momentum,
        weight_decay=decay,
    )
    return Problem(
        network,
        Dataset(np.zeros((3, 1)), [1, 1, -1]),
        Bounded(1, nu=1, q=0, vulnerable=[0]),
        training,
    )


# α λ below, at and beyond 1, and beyond 2, where plain decay would diverge.
@pytest.mark.parametrize(
    ("learning_rate", "decay"), [(0.1, 3.0), (0.1, 10.0), (0.1, 15.0), (0.1, 25.0)]
)
def test_trap_2_an_impulse_whose_response_changes_sign_stays_inside(learning_rate, decay):
    """Momentum with weight decay: the run with the smaller first gradient is not the smaller one
    later."""
    problem = one_impulse(learning_rate, 0.9, decay, steps=10)
    hull = agtopt.attack(problem)
    first, second = (torch_states(problem, dataset)[:, 1] for dataset in hull.datasets)
    signs = np.sign(first - second)[1:]
    assert {-1.0, 1.0} <= set(signs)
    for kind in PROPAGATIONS:
        assert_inside(problem, kind, hull.datasets)
    for kind in ("LP", "MILP"):
        domain = agtopt.bound(problem, kind).domain
        assert domain.contains(
            np.stack([torch_sgd(problem, dataset)[-1] for dataset in hull.datasets]), 1e-7
        )
        np.testing.assert_allclose(domain.lower, hull.domain.lower, atol=1e-4)
        np.testing.assert_allclose(domain.upper, hull.domain.upper, atol=1e-4)


@pytest.mark.parametrize("decay", [0.5, 5.0, 8.0])
@pytest.mark.parametrize(
    ("adversary", "loss"),
    [("both", "squared"), ("removal", "hinge"), ("substitution", "cross-entropy")],
)
def test_trap_2_momentum_with_strong_decay_holds_every_run(adversary, loss, decay):
    base = cell_problem(Cell(adversary, loss, "momentum", "rectified", 1, False), steps=6)
    problem = replace(base, training=replace(base.training, weight_decay=decay, learning_rate=0.15))
    assert (problem.training.learning_rate * decay > 1) == (decay == 8.0)
    for kind in PROPAGATIONS:
        assert_inside(problem, kind, [problem.dataset, *corrupted(problem, 20)])
    model = compile(problem, "MILP", stop=2)
    assert max(model.replay_error(dataset) for dataset in corrupted(problem, 5)) <= 1e-9


def reached_units(problem):
    """The hidden units that some sample of some admissible dataset activates after the first step;
    the others never move again."""
    reached = []
    for dataset in (problem.dataset, *corrupted(problem, 20)):
        first = problem.unflatten(torch_states(problem, dataset)[1])
        reached.append(dataset.features @ first["dense1_weight"].T + first["dense1_bias"] > 0)
    return np.any(reached, axis=(0, 1))


@pytest.mark.parametrize("loss", ["squared", "hinge", "cross-entropy"])
def test_trap_3_diverged_states_are_the_whole_line_and_no_run_leaves_it(loss):
    """Velocities too; a NaN inside would be neither below nor above anything."""
    base = cell_problem(Cell("both", loss, "momentum", "rectified", 1, False))
    problem = replace(base, training=replace(base.training, epochs=6, learning_rate=1e200))
    alive = {"dense1": reached_units(problem), "dense2": True}
    for kind in PROPAGATIONS:
        states = agtopt.bound(problem, kind).states
        assert not any(np.isnan(end).any() for box in states for end in (box.lower, box.upper))
        lower, upper = (problem.unflatten(end) for end in (states[-1].lower, states[-1].upper))
        for name in problem.state:
            whole, finite = (
                (lower[name] == -np.inf) & (upper[name] == np.inf),
                np.isfinite(upper[name] - lower[name]),
            )
            # The gradient of the last bias is at most 1 under these losses, or unbounded under
            # squared error.
            if loss != "squared" and name.endswith("dense2_bias"):
                assert finite.all(), name
            else:
                moved = np.broadcast_to(np.transpose(alive[name.split("_")[-2]]), whole.T.shape).T
                np.testing.assert_array_equal((whole, finite), (moved, ~moved), name)
        assert not states[-1].contains(np.full(problem.state_size, np.nan))
    with pytest.raises(agtopt.UnsupportedError, match="too wide"):
        compile(problem, "LP")


def test_trap_3_clipped_gradients_bound_what_is_unknown():
    """An unbounded box of replaced features: every gradient is unknown, and no more than κ once it
    is clipped."""
    base = cell_problem(Cell("substitution", "hinge", "clip", "rectified", 1, False))
    problem = replace(base, perturbation=Substitution(1))
    moved = agtopt.bound(problem, "IBP").domain
    assert np.isfinite(moved.upper - moved.lower).all()
    rng = np.random.default_rng(0)
    for size in (1.0, 1e3, 1e9, 1e100):
        features, labels = problem.dataset.features.copy(), problem.dataset.labels.copy()
        features[1] = size * rng.normal(size=features[1].shape)
        labels[1] *= -1
        dataset = Dataset(features, labels)
        assert problem.perturbation.admits(problem, dataset)
        assert_inside(problem, "IBP", [dataset])
    with pytest.raises(agtopt.UnsupportedError, match="unbounded box"):
        compile(problem, "LP")


ZERO = 0.1 * 3.0 - 0.3
"""A pre-activation that is 0 in exact arithmetic with these decimals, and 5.6e-17 in float64."""


@pytest.mark.parametrize("bias", [0.0, -0.3], ids=["exactly zero", "zero but for rounding"])
@pytest.mark.parametrize("kind", [*PROPAGATIONS, "LP", "QCP", "MILP", "MIQCP"])
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_trap_6_both_slopes_at_a_pre_activation_of_zero(slope, kind, bias):
    """S2 for (leaky) rectifiers: a framework may take either one-sided derivative, and rounding
    decides which side it is on."""
    assert 0.0 < abs(ZERO) < 1e-16
    weight = 3.0 if bias else 0.0
    network = Network.chain(
        [Dense(1, 1), LeakyReLU(slope), Dense(1, 1)], (1,), [[[weight]], [bias], [[2.0]], [0.0]]
    )
    problem = Problem(
        network, Dataset([[0.1]], [5.0]), Bounded(0), Training("squared", learning_rate=0.5)
    )
    box = agtopt.bound(problem, kind).domain
    for taken in (slope, 1.0):
        # Output 0 against 5: ∂L/∂z = −10; the second layer sees an activation of 0.
        inner = 10.0 * 2.0 * taken
        assert box.contains([weight + 0.5 * inner * 0.1, bias + 0.5 * inner, 2.0, 5.0], 1e-9)
    assert box.width() < 0.5 * 10.0 * 2.0 * (1 - slope) * 1.1 + 1e-4


@pytest.mark.parametrize("kind", [*PROPAGATIONS, "LP", "MILP", "MIQCP"])
def test_trap_6_both_sides_of_a_margin_of_zero_between_classes(kind):
    """S2 for the multi-class hinge: z₀ − z₁ = 1 exactly, so this pair may count or not."""
    network = Network.chain([Dense(1, 2)], (1,), [[[1.0], [0.0]], [0.0, 0.0]])
    problem = Problem(
        network, Dataset([[1.0]], [0]), Bounded(0), Training("multi-hinge", learning_rate=1.0)
    )
    box = agtopt.bound(problem, kind).domain
    for counts in (0.0, 1.0):
        step = counts / 2
        assert box.contains([1.0 + step, -step, step, -step], 1e-9)


def test_trap_7_one_sample_and_one_row_batches_in_every_kind():
    """No axis of length 1 is squeezed away, also with channels and classes of length 1 and batches
    of one sample."""
    rng = np.random.default_rng(0)
    network = Network.chain(
        [Conv2d(1, 1, 1), Flatten(), Dense(1, 2)],
        (1, 1, 1),
        [rng.normal(size=s) for s in ((1, 1, 1, 1), 1, (2, 1), 2)],
    )
    for labels, loss in (([1], "cross-entropy"), ([[0.3, 0.1]], "squared")):
        training = Training(loss, batches=[[0]], epochs=2, momentum=0.5)
        problem = Problem(
            network, Dataset(rng.normal(size=(1, 1, 1, 1)), labels), Bounded(1, eps=0.1), training
        )
        assert_inside(problem, "IBP", corrupted(problem, 10))
        assert_inside(problem, "CROWN", corrupted(problem, 10))
        for kind in ALL_KINDS:
            assert (
                max(
                    compile(problem, kind).replay_error(dataset)
                    for dataset in corrupted(problem, 3)
                )
                <= 1e-9
            )


def test_trap_8_incomplete_batches_are_kept_like_torch_keeps_them():
    data = torch.utils.data.TensorDataset(torch.arange(7))
    for size in (2, 3, 5, 7):
        expected = [
            batch.tolist() for (batch,) in torch.utils.data.DataLoader(data, batch_size=size)
        ]
        assert [
            batch.tolist() for batch in Training("hinge", batch_size=size).schedule(7)
        ] == expected
        assert sum(map(len, expected)) == 7
        shuffled = Training("hinge", batch_size=size, seed=3, epochs=2).schedule(7)
        assert sorted(np.concatenate(shuffled).tolist()) == sorted([*range(7)] * 2)


def removal_problem():
    rng = np.random.default_rng(4)
    return Problem(
        Network.dense([1, 1], seed=0),
        Dataset(rng.normal(size=(7, 1)) * 3, rng.normal(size=7) * 3),
        Removal(1),
        Training("squared", batch_size=3, drop_last=True, learning_rate=0.2),
    )


def test_trap_8_removal_means_fixed_slots():
    """The other samples keep their batches. A loader that refills them trains another model,
    outside even the exact hull."""
    problem = removal_problem()
    hull = agtopt.attack(problem)
    assert hull.exact
    outside = 0
    for gone in range(7):
        kept = np.arange(7) != gone
        slots = Dataset(problem.dataset.features, problem.dataset.labels, kept)
        assert problem.perturbation.admits(problem, slots)
        assert hull.domain.contains(torch_sgd(problem, slots)[-1], 1e-12)
        refilled = Dataset(problem.dataset.features[kept], problem.dataset.labels[kept])
        assert not problem.perturbation.admits(problem, refilled)
        outside += not hull.domain.contains(
            torch_sgd(replace(problem, dataset=refilled, perturbation=Removal(0)))[-1]
        )
    assert outside >= 1


def test_trap_8_a_removal_that_may_empty_a_batch_is_refused():
    """The mean over nothing has no value; the message says which batch and what helps."""
    problem = removal_problem()
    lone = replace(problem.training, drop_last=False)
    with pytest.raises(
        InvalidInputError,
        match=(
            r"1 removals may leave no sample in the batch of step 2, which has 1.*larger batches "
            r"or a smaller"
        ),
    ):
        replace(problem, training=lone)
    with pytest.raises(InvalidInputError, match=r"3 removals .* step 0, which has 3"):
        replace(problem, perturbation=Removal(3))
    # Not where the samples of that batch are not vulnerable.
    assert replace(problem, training=lone, perturbation=Removal(1, vulnerable=range(6))).steps == 3


def test_trap_9_substitution_keeps_the_number_of_samples_and_the_box():
    base = cell_problem(Cell("substitution", "hinge", "plain", "linear", 2, False))
    model = Substitution(2, vulnerable=[0, 2, 3], features=([-1.0, 0.0], [1.0, 2.0]), labels=(1,))
    problem = replace(base, perturbation=model)

    def replaced(*samples, features=(0.5, 1.5), label=1.0):
        x, y = problem.dataset.features.copy(), problem.dataset.labels.copy()
        for sample in samples:
            x[sample], y[sample] = features, label
        return Dataset(x, y)

    for inside in (
        replaced(),
        replaced(0, 3),
        replaced(2, features=(-1.0, 0.0)),
        replaced(3, features=(1.0, 2.0)),
    ):
        assert model.admits(problem, inside)
        assert_inside(problem, "IBP", [inside])
        assert compile(problem, "MILP").replay_error(inside) <= 1e-9
    assert not model.admits(problem, replaced(1)), "not vulnerable"
    assert not model.admits(problem, replaced(0, 2, 3)), "three samples"
    assert not model.admits(problem, replaced(0, features=(0.5, 2.1))), "outside the box"
    assert not model.admits(problem, replaced(0, features=(-1.1, 0.5))), "outside the box"
    assert not model.admits(problem, replaced(0, label=-1.0)), "no label of the box"
    more, less = (
        (
            np.concatenate([problem.dataset.features, [[0.0, 0.5]]]),
            np.append(problem.dataset.labels, 1),
        ),
        slice(0, 4),
    )
    assert not model.admits(problem, Dataset(*more)), "insertion"
    assert not model.admits(
        problem, Dataset(problem.dataset.features[less], problem.dataset.labels[less])
    ), "deletion"
    assert not model.admits(
        problem, Dataset(problem.dataset.features, problem.dataset.labels, np.arange(5) != 0)
    ), "removal"
    assert all(model.admits(problem, dataset) for dataset in corrupted(problem, 50))


@pytest.mark.parametrize("adversary", ["box", "labels", "both", "separate", "substitution"])
def test_trap_10_a_budget_as_large_as_the_dataset(adversary):
    """n beyond the batch means all of the batch: nothing is divided by what remains."""
    base = cell_problem(Cell(adversary, "binary-cross-entropy", "shuffled", "linear", 2, False))
    budgets = {"n_features": 5, "n_labels": 5} if adversary == "separate" else {"n": 5}
    problem = replace(base, perturbation=replace(base.perturbation, vulnerable=None, **budgets))
    assert max(map(len, problem.schedule)) < 5
    for kind in PROPAGATIONS:
        states = assert_inside(problem, kind, [problem.dataset, *corrupted(problem, 20)])
        assert np.isfinite(states[-1].upper).all()
    for kind in ("LP", "MILP", "MINLP"):
        assert (
            max(compile(problem, kind).replay_error(dataset) for dataset in corrupted(problem, 4))
            <= 1e-9
        )


def test_trap_10_removal_of_all_but_one():
    problem = replace(removal_problem(), perturbation=Removal(2))
    for kind in PROPAGATIONS:
        assert_inside(problem, kind, agtopt.attack(problem).datasets)


@pytest.mark.parametrize(
    ("loss", "outputs", "labels"),
    [
        ("cross-entropy", 3, [0, 1, 2]),
        ("cross-entropy", 2, [0, 1, 1]),
        ("binary-cross-entropy", 1, [0, 1, 1]),
    ],
)
def test_logits_of_a_thousand_are_trained_bounded_and_compiled(loss, outputs, labels):
    """exp(1000) is infinite: probabilities near 0 and 1 come without NaN in every meaning of
    training."""
    weight = np.linspace(-1000.0, 1000.0, 2 * outputs).reshape(outputs, 2)
    network = Network.chain([Dense(2, outputs)], (2,), [weight, np.zeros(outputs)])
    features = [[1.0, 1.0], [-1.0, 0.5], [0.0, 0.0]]
    problem = Problem(
        network,
        Dataset(features, labels),
        Bounded(1, eps=0.01, nu=1, q=0),
        Training(loss, epochs=2, learning_rate=0.5),
    )
    datasets = [problem.dataset, *corrupted(problem, 20)]
    assert all(np.isfinite(torch_sgd(problem, dataset)).all() for dataset in datasets)
    for kind in PROPAGATIONS:
        states = assert_inside(problem, kind, datasets)
        assert (states[-1].upper - states[-1].lower).max() < 10.0
    for kind in ALL_KINDS:
        for conditional in (True, False):
            try:
                model = compile(problem, kind, conditional=conditional)
            except agtopt.UnsupportedError:
                # e^1000 in an equation is infinite to a solver.
                assert kind == agtopt.MINLP
                continue
            assert max(model.replay_error(dataset) for dataset in datasets[:5]) <= 1e-9
