"""The sample-wise decomposition: S1, S7, S9, the aggregation by brute force, and what it does when solvers or workers fail."""

import pickle
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations, pairwise, product

import numpy as np
import pytest

import agtopt
from agtopt import (
    CROWN,
    LP,
    MILP,
    MINLP,
    MIQCP,
    QCP,
    Bounded,
    Dataset,
    InfeasibleError,
    InvalidInputError,
    Network,
    Problem,
    Removal,
    SolverUnavailableError,
    SoundnessError,
    Substitution,
    Training,
    UnsupportedError,
    bound_samplewise,
)
from agtopt.attacks import sampled_attack
from agtopt.compiler import compile
from agtopt.drivers import samplewise, stage
from agtopt.drivers.samples import Samples
from agtopt.semantics.adversary import TouchedSamples, interval_adversary
from agtopt.solvers import PROVED, TOLERANCE
from tests.drivers.test_lying_solvers import lie, result
from tests.instances import COMBINATIONS, corrupted, random_problem
from tests.matrix import CELLS, VALUES, cell_problem, zeroed
from tests.reference import torch_losses, torch_model, torch_states

TOLERATED = 1e-6
"""What kinds may differ by that nest: the outward margin of bounds."""

# Every perturbation model, loss and layer, small enough for SCIP.
CHOSEN = [
    cell
    for cell in CELLS
    if str(cell)
    in {
        "box-hinge-shuffled-unbiased-n2-plain",
        "l2-multi-hinge-shrinking-unbiased-n1-cuts",
        "l1-binary-cross-entropy-shuffled-linear-n1-cuts",
        "labels-multi-hinge-floor-leaky-n1-plain",
        "targeted-multi-hinge-shuffled-pool-n1-cuts",
        "targeted-cross-entropy-frozen-residual-n1-plain",
        "both-multi-hinge-frozen-rectified-n2-cuts",
        "both-hinge-batches-residual-n1-cuts",
        "separate-multi-hinge-batches-linear-n1-cuts",
        "separate-hinge-heavy-unbiased-n1-cuts",
        "removal-squared-batches-residual-n1-cuts",
        "substitution-multi-hinge-plain-leaky-n1-cuts",
        "substitution-squared-clip-residual-n1-cuts",
        "substitution-cross-entropy-batches-convolution-n1-cuts",
    }
]
every_cell = pytest.mark.parametrize("cell", CHOSEN, ids=str)


@pytest.fixture(autouse=True)
def closed_sessions():
    yield
    stage.forget_models()


@pytest.fixture
def problem():
    """Intervals are loose here, and every kind is tighter than the next."""
    return random_problem(12, 2, "squared", "both", samples=4, steps=2, n=1, eps=0.2, vulnerable=range(4))


def assert_within(inner, outer, slack=TOLERATED):
    for one, other in zip(inner.states, outer.states, strict=True):
        size = 1.0 + np.maximum(np.abs(other.lower), np.abs(other.upper))
        assert np.all(one.lower >= other.lower - slack * size), float(np.max(other.lower - one.lower))
        assert np.all(one.upper <= other.upper + slack * size), float(np.max(one.upper - other.upper))


def assert_holds_runs(reach, datasets):
    for dataset in datasets:
        for t, (box, state) in enumerate(zip(reach.states, torch_states(reach.problem, dataset), strict=True)):
            assert box.contains(state, 1e-9), (reach.method, t)


def test_the_chosen_cells_have_every_value():
    for place in (0, 1, 3):
        assert {cell[place] for cell in CHOSEN} == set(VALUES[place])


@every_cell
def test_kinds_nest_hold_every_run_and_are_never_wider_than_crown(cell):
    """S1, S6, S7: at every step, in every entry of the state."""
    problem = cell_problem(cell, eps=0.1)
    found = {kind: bound_samplewise(problem, kind) for kind in (LP, MILP, MIQCP)}
    found[CROWN] = agtopt.bound(problem, CROWN)
    runs = [problem.dataset, *corrupted(problem, 10)]
    for kind, reach in found.items():
        assert {row.status for row in reach.rows} <= {"optimal", "attained"}, kind
        assert_holds_runs(reach, runs)
    for inner, outer in pairwise((MIQCP, MILP, LP, CROWN)):
        assert_within(found[inner], found[outer])
    for kind in (LP, MILP, MIQCP):
        assert_within(found[kind], found[CROWN], 0.0)


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_no_admissible_run_of_random_problems_leaves_a_box(depth, loss, reach):
    for seed, kind in enumerate((LP, MILP)):
        problem = random_problem(seed + 3, depth, loss, reach, samples=5, eps=0.1)
        assert_holds_runs(bound_samplewise(problem, kind), [problem.dataset, *corrupted(problem, 20)])


def test_products_kept_and_exponentials_nest():
    """S7: MINLP ⊆ MIQCP ⊆ QCP ⊆ LP."""
    problem = cell_problem(next(cell for cell in CHOSEN if cell.loss == "binary-cross-entropy"), eps=0.2)
    found = {kind: bound_samplewise(problem, kind) for kind in (LP, QCP, MIQCP, MINLP)}
    for inner, outer in pairwise((MINLP, MIQCP, QCP, LP)):
        assert_within(found[inner], found[outer])
    assert found[MINLP].domain.width() < found[LP].domain.width() - 1e-4
    assert_holds_runs(found[MINLP], corrupted(problem, 20))


def test_every_kind_gains_on_the_last(problem):
    widths = [bound_samplewise(problem, kind).domain.width() for kind in (MIQCP, MILP, LP)]
    widths = [sampled_attack(problem).domain.width(), *widths, agtopt.bound(problem, CROWN).domain.width()]
    assert all(tight < loose - 1e-3 for tight, loose in pairwise(widths)), widths


@every_cell
def test_an_adversary_who_may_do_nothing_leaves_plain_sgd(cell):
    problem = zeroed(cell_problem(cell))
    reach = bound_samplewise(problem, LP)
    for box, state in zip(reach.states, torch_states(problem), strict=True):
        assert box.contains(state)
        assert np.max(box.upper - box.lower) < 1e-9
    assert {row.source for row in reach.rows} == {"interval"}


def test_parameters_at_a_point_need_no_solver_for_samples_as_they_stand(problem, monkeypatch):
    asked = []
    monkeypatch.setattr(samplewise, "run_part", lambda part: asked.append(part.place) or samplewise.lost_part(part))
    bound_samplewise(replace(problem, training=Training("squared", epochs=1)), LP)
    assert asked
    assert all(variant > 0 for variant, _ in asked)


def test_one_layer_on_clean_data_needs_no_solver(flips):
    """Intervals of its gradients are exact: corners of the box attain them."""
    for problem in (flips, replace(flips, perturbation=Removal(1)), random_problem(0, 1, "squared", "labels", n=2)):
        reach = bound_samplewise(problem, MIQCP)
        assert {row.status for row in reach.rows} == {"attained"}
        assert sum(row.seconds for row in reach.rows) == 0


# The decomposition by brute force: gradients on a grid, every choice of samples.


def one_unit(model, loss="squared", clip=None):
    """v max(0, w x + b) + c with both signs of the pre-activation, 4 samples, one batch of 3 and one of 4."""
    rng = np.random.default_rng(5)
    network = Network.dense([1, 1, 1], seed=1)
    labels = rng.normal(size=4) if loss == "squared" else np.array([1.0, -1.0, -1.0, 1.0])
    training = Training(loss, batches=[[0, 1, 3], [0, 1, 2, 3]], learning_rate=0.3, clip=clip)
    return Problem(network, Dataset(rng.normal(size=(4, 1)), labels), model, training)


def sample_gradients(problem, theta, x, y):
    """By hand, (m, 4) for m rows of parameters, features and labels."""
    w, b, v, c = theta.T
    z = w * x + b
    a = np.maximum(z, 0.0)
    output = v * a + c
    delta = 2.0 * (output - y) if problem.training.loss.name == "squared" else -y * (1.0 - y * output > 0)
    hidden = delta * v * (z > 0)
    found = np.stack([hidden * x, hidden, delta * a, delta], axis=1)
    return found if problem.training.clip is None else found.clip(-problem.training.clip, problem.training.clip)


def hull(problem, box, features, labels, parts=9):
    """Of the gradients over a grid of a box of parameters, features and labels."""
    axes = [np.unique(np.linspace(low, high, parts)) for low, high in (*zip(box.lower, box.upper, strict=True), features)]
    grid = np.array(list(product(*axes, labels)))
    found = sample_gradients(problem, grid[:, :4], grid[:, 4], grid[:, 5])
    return np.stack([found.min(axis=0), found.max(axis=0)])


def aggregated(problem, t, box):
    """The box of the next parameters: the extreme mean over all choices of touched samples."""
    data, model, batch = problem.dataset, problem.perturbation, problem.schedule[t].tolist()
    still = {i: hull(problem, box, (data.features[i, 0],) * 2, [data.labels[i]]) for i in batch}
    if isinstance(model, Substitution):
        ends = hull(problem, box, (float(model.features[0]), float(model.features[1])), model.labels or (-1.0, 1.0))
        touched = dict.fromkeys(batch, ends)
    elif isinstance(model, Bounded):
        reach = np.array([-model.eps, model.eps])
        labels = {
            i: [-data.labels[i], data.labels[i]] if model.q == 0 else data.labels[i] + model.nu * np.linspace(-1, 1, 3) for i in batch
        }
        touched = {i: hull(problem, box, data.features[i, 0] + reach, labels[i] if model.nu else [data.labels[i]]) for i in batch}
    means = []
    for count in range(model.budget + 1):
        for chosen in combinations([i for i in batch if i in model.touchable(problem)], count):
            if isinstance(model, Removal):
                means.append(np.mean([still[i] for i in batch if i not in chosen], axis=0))
            else:
                means.append(np.mean([touched[i] if i in chosen else still[i] for i in batch], axis=0))
    rate = problem.training.learning_rate
    return box.lower - rate * np.max(means, axis=0)[1], box.upper - rate * np.min(means, axis=0)[0]


@pytest.mark.parametrize(
    ("model", "loss", "clip"),
    [
        (Bounded(1, eps=0.2), "squared", None),
        (Bounded(2, eps=0.1, nu=0.2), "squared", None),
        (Bounded(2, eps=0.3, vulnerable=[0]), "squared", None),
        (Bounded(1, eps=0.2, nu=1, q=0), "hinge", None),
        (Bounded(2, nu=1, q=0), "hinge", 0.3),
        (Removal(2), "squared", None),
        (Substitution(1, features=(-1.0, 0.5), labels=(-0.5, 0.8)), "squared", None),
        (Substitution(2, features=(-1.0, 0.5)), "hinge", 0.2),
    ],
    ids=str,
)
def test_the_exact_kind_is_the_brute_force_over_grids_and_choices(model, loss, clip):
    problem = one_unit(model, loss, clip)
    reach = bound_samplewise(problem, MIQCP)
    for t in range(2):
        lower, upper = aggregated(problem, t, reach.states[t])
        after, width = reach.states[t + 1], upper - lower
        # The grid is an inner bound; its error is second order in its mesh.
        assert np.all(after.lower <= lower + 1e-12)
        assert np.all(upper <= after.upper + 1e-12)
        assert np.all(lower - after.lower <= 0.01 * width + 1e-5)
        assert np.all(after.upper - upper <= 0.01 * width + 1e-5)
    assert loss == "hinge" or agtopt.bound(problem, CROWN).domain.width() > 1.02 * reach.domain.width()


# The problems of one sample.


@every_cell
def test_a_sample_alone_takes_its_gradient_as_a_step_and_holds_whatever_it_may_become(cell):
    problem = cell_problem(cell, eps=0.1)
    adversary = interval_adversary(problem.perturbation, problem)
    inner = sampled_attack(problem, 20)
    samples = Samples(problem, adversary, inner)
    for t in range(problem.steps):
        size = problem.network.size
        box = agtopt.bound(problem, CROWN).states[t]
        theta = agtopt.Interval(box.lower[:size], box.upper[:size])
        cases = list(samples.cases(t))
        assert len(cases) == samples.count(t)
        assert len({case.place for case in cases}) == len(cases)
        for case in cases[:: 1 + len(cases) // 8]:
            if case.problem is None:
                continue
            attained = samples.attained(t, case, theta)
            states = torch_states(case.problem)
            nominal = gradient_by_torch(case.problem)
            np.testing.assert_allclose(states[0] - states[1], nominal, rtol=0, atol=1e-12)
            flat = problem.network.flatten({name: ends[1] for name, ends in attained.items()} | frozen(problem))
            trained = (
                problem.network.flatten({name: np.ones(problem.network.initial[name].shape) for name in attained} | frozen(problem)) > 0
            )
            if case.words != "a replaced sample":
                assert np.all(flat[trained] >= nominal[trained] - 1e-12)
            model = compile(case.problem, MILP, 0, 1, theta, conditional=False)
            for dataset in (case.problem.dataset, *corrupted(case.problem, 3)):
                assert case.problem.perturbation.admits(case.problem, dataset)
                assert model.replay_error(dataset) <= 1e-9


def frozen(problem):
    return {name: np.zeros_like(value) for name, value in problem.network.initial.items() if name not in problem.trained}


def gradient_by_torch(problem):
    model = torch_model(problem.network)
    tensors = model.tensors()
    import torch

    z = model(torch.tensor(problem.dataset.features))
    loss = torch_losses(problem.training.loss.name, z, torch.tensor(problem.dataset.labels))
    trained = [name for name in problem.network.initial if name in problem.trained]
    found = torch.autograd.grad(loss.sum(), [tensors[name] for name in trained], allow_unused=True)
    return problem.network.flatten(
        frozen(problem)
        | {name: np.zeros_like(problem.network.initial[name]) if g is None else g.numpy() for name, g in zip(trained, found, strict=True)}
    )


@every_cell
def test_what_an_adversary_makes_of_a_sample_is_admitted_by_its_own_problem(cell):
    problem = cell_problem(cell, eps=0.1)
    adversary = interval_adversary(problem.perturbation, problem)
    samples = Samples(problem, adversary, sampled_attack(problem, 5))
    nominal, seen = problem.dataset, 0
    for t in range(problem.steps):
        cases = {case.place: case for case in samples.cases(t)}
        for dataset in corrupted(problem, 10):
            changed = dataset.changed(nominal)
            for row, sample in enumerate(problem.schedule[t].tolist()):
                if not changed[sample] or isinstance(problem.perturbation, Removal):
                    continue
                ghost = isinstance(problem.perturbation, Substitution)
                case = cases[(len(problem.schedule[t]),) if ghost else (len(samples.variants), row)]
                alone = Dataset(dataset.features[sample : sample + 1], dataset.labels[sample : sample + 1])
                assert case.problem.perturbation.admits(case.problem, alone)
                seen += 1
    assert seen or cell.adversary == "removal"


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_a_sample_alone_may_become_no_more_than_before(p):
    """Balls stay balls, and flips the allowed ones; a corner of the box lies outside of the balls."""
    data = Dataset(np.zeros((3, 2)), np.arange(3.0))
    model = Bounded(2, eps=0.5, p=p, nu=1, q=0, flips=[(0, 1), (1, 2)], vulnerable=[0, 1])
    problem = Problem(Network.dense([2, 2, 3]), data, model, Training("cross-entropy"))
    samples = Samples(problem, interval_adversary(model, problem), sampled_attack(problem, 5))
    for case in samples.cases(0):
        own, alone = float(case.place[1]), case.problem
        if alone is None:
            assert own == 2.0
            continue
        allowed = {own, own + 1.0} if case.place[0] else {own}
        for label in (0.0, 1.0, 2.0):
            assert alone.perturbation.admits(alone, Dataset([[0.0, 0.0]], [label])) == (label in allowed), (case.words, label)
        for corner, within in (([0.5, 0.0], True), ([0.3, 0.3], p != 1), ([0.5, 0.5], p == np.inf)):
            found = alone.perturbation.admits(alone, Dataset([corner], [own]))
            assert found == (within and case.place[0] == 1), (case.words, corner)


def test_a_larger_budget_than_vulnerable_samples_changes_nothing():
    """A sample that no one may touch gains nothing by its second interval."""
    base = cell_problem(next(cell for cell in CHOSEN if cell.layers == "residual" and cell.adversary == "both"))
    boxes = [
        bound_samplewise(replace(base, perturbation=Bounded(n, eps=0.5, vulnerable=base.schedule[0][:1].tolist())), LP).domain
        for n in (1, 2)
    ]
    np.testing.assert_allclose(boxes[0].lower, boxes[1].lower, rtol=0, atol=1e-9)
    np.testing.assert_allclose(boxes[0].upper, boxes[1].upper, rtol=0, atol=1e-9)


def test_samples_that_no_one_may_touch_stand_as_they_are():
    """Limited flips, and samples that are not vulnerable."""
    base = random_problem(1, 2, "hinge", "flips", samples=4, steps=2, n=2)
    labels = np.array([1.0, -1.0, 1.0, -1.0])
    model = Bounded(2, nu=1, q=0, flips=[(1, -1)], vulnerable=[0, 1])
    problem = replace(base, dataset=Dataset(base.dataset.features, labels), perturbation=model, training=Training("hinge", epochs=2))
    samples = Samples(problem, interval_adversary(model, problem), sampled_attack(problem, 5))
    touched = {case.place[1]: case.problem for case in samples.cases(0) if case.place[0] == 1}
    assert [touched[row] is None for row in range(4)] == [False, True, True, True]
    assert_holds_runs(bound_samplewise(problem, MILP), problem.perturbation.enumerate(problem))


def test_an_unbounded_box_keeps_its_clipped_intervals():
    """No model exists of any point at all; samples as they stand have one."""
    problem = one_unit(Substitution(1, labels=(-0.5, 0.8)), "squared", 1.5)
    reach, crown = bound_samplewise(problem, MILP), agtopt.bound(problem, CROWN)
    assert_within(reach, crown, 0.0)
    assert_holds_runs(reach, corrupted(problem, 30))
    assert reach.domain.width() < crown.domain.width() - 1e-4


# Solvers that lie, workers that die, users who stop.


@pytest.mark.parametrize("kind", ["LP", "MILP"])
@pytest.mark.parametrize("shift", [1e-3, 0.5, np.inf])
def test_a_bound_that_excludes_an_attained_gradient_raises(monkeypatch, problem, kind, shift):
    """S9: where intervals are exact, as for one layer on clean data, the corners of the box attain every bound."""
    solves = lie(monkeypatch, lambda r, k: result(r.bound + shift * (1.0 + abs(r.bound)) if np.isfinite(shift) else 1e9))
    with pytest.raises(SoundnessError, match=r"S9.*sample.*saved in"):
        bound_samplewise(problem, kind)
    assert solves


@pytest.mark.parametrize("bound", [None, np.nan, -np.inf, -1e6])
@pytest.mark.parametrize("status", ["optimal", "time limit"])
def test_no_bound_falls_back_to_the_interval(monkeypatch, problem, bound, status):
    """S4: and says so in the row."""
    lie(monkeypatch, lambda r, k: result(bound, status, r.incumbent))
    reach, crown = bound_samplewise(problem, "MILP"), agtopt.bound(problem, CROWN)
    for one, other in zip(reach.states, crown.states, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
        np.testing.assert_array_equal(one.upper, other.upper)
    assert {row.source for row in reach.rows} == {"interval"}
    assert {row.rigour for row in reach.rows} == {PROVED}
    assert {row.status for row in reach.rows} <= {status, "attained"}


@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_infeasible_raises(monkeypatch, problem, kind):
    """S4."""
    lie(monkeypatch, lambda r, k: result(None, "infeasible"))
    with pytest.raises(InfeasibleError, match=r"S4.*sample"):
        bound_samplewise(problem, kind)


def test_a_kind_that_is_stopped_is_never_looser_than_lp(monkeypatch, problem):
    loose = bound_samplewise(problem, LP)
    lie(monkeypatch, lambda r, k: r if r.rigour == PROVED else result(-1e3, "time limit", r.incumbent))
    stopped = bound_samplewise(problem, MIQCP, time_limit=1.0)
    assert_within(stopped, loose)
    assert {row.status for row in stopped.rows} <= {"time limit", "attained"}
    assert "time limit" in {row.status for row in stopped.rows}


@pytest.mark.parametrize("part", [0.0, 0.2, 0.7, 0.99])
def test_interrupted_domains_hold_every_run(monkeypatch, problem, part):
    """S1: Ctrl-C returns what is certified so far."""
    solves = lie(monkeypatch, lambda r, k: r)
    full = bound_samplewise(problem, LP)
    after, before = int(part * len(solves)), len(solves)

    def answer(honest, k):
        if k > after:
            raise KeyboardInterrupt
        return honest

    solves = lie(monkeypatch, answer)
    reach = bound_samplewise(problem, LP)
    assert len(solves) == after + 1 <= before
    assert reach.interrupted
    assert not full.interrupted
    assert len(reach.states) == problem.steps + 1
    assert_holds_runs(reach, [problem.dataset, *corrupted(problem, 20)])
    assert_within(full, reach)
    assert_within(reach, agtopt.bound(problem, CROWN), 0.0)


class Pickling(Executor):
    """Sends everything through pickle, as processes do; `fails` says of which tasks no result comes back."""

    def __init__(self, fails=lambda part: False):
        self.fails = fails

    def submit(self, fn, /, *args, **kwargs):
        future = Future()
        try:
            if self.fails(args[0].task):
                raise OSError("worker died")
            fn, args, kwargs = pickle.loads(pickle.dumps((fn, args, kwargs)))
            future.set_result(pickle.loads(pickle.dumps(fn(*args, **kwargs))))
        except BaseException as error:
            future.set_exception(error)
        return future


@pytest.mark.parametrize("kind", [LP, MILP])
@pytest.mark.parametrize("executor", [Pickling, lambda: ThreadPoolExecutor(3)], ids=["pickling", "threads"])
def test_any_executor_finds_the_same_domain(problem, kind, executor):
    alone = bound_samplewise(problem, kind)
    with executor() as pool:
        together = bound_samplewise(problem, kind, executor=pool)
    for one, other in zip(alone.states, together.states, strict=True):
        np.testing.assert_array_equal(one.lower, other.lower)
        np.testing.assert_array_equal(one.upper, other.upper)
    columns = ["start", "stop", "objective", "sense", "status", "bound", "source", "rigour"]
    assert alone.table()[columns].equals(together.table()[columns])


def test_a_lost_task_costs_width_only(problem):
    """Touched samples of the second step keep their intervals."""
    honest, crown = bound_samplewise(problem, LP), agtopt.bound(problem, CROWN)
    with pytest.warns(UserWarning, match=r"\d of \d tasks gave no result"):
        reach = bound_samplewise(problem, LP, executor=Pickling(lambda part: "touched in step 1" in part.tasks[0].objective.name))
    assert "lost" in {row.status for row in reach.rows if row.start == 1}
    assert "lost" not in {row.status for row in reach.rows if row.start == 0}
    assert honest.domain.width() < reach.domain.width() < crown.domain.width()
    assert_holds_runs(reach, corrupted(problem, 20))


def test_a_box_that_excludes_an_attained_run_raises(monkeypatch, problem):
    """S9: the aggregation is compared with training too."""

    def forgetful(intervals, gradient, tensor):
        intervals.gradients[tensor] = gradient
        return type(gradient)(gradient.lower.mean(1)[0], gradient.upper.mean(1)[0])

    monkeypatch.setattr(samplewise.SampleIntervals, "aggregate", forgetful)
    with pytest.raises(SoundnessError, match="S9: the box after step 1"):
        bound_samplewise(problem, LP)


# The face.


def test_a_row_for_every_parameter_step_and_sense(problem):
    for kind, rigours in ((LP, {PROVED}), (MILP, {PROVED}), (MIQCP, {PROVED, TOLERANCE})):
        reach = bound_samplewise(problem, kind)
        table, names = reach.table(), problem.network.parameter_names
        assert len(table) == 2 * len(names) * problem.steps
        assert set(table["rigour"]) == rigours
        assert str(kind) in set(table["source"])
        assert (table["stop"] == table["start"] + 1).all()
        for t, box in enumerate(reach.steps[1:]):
            rows = table[table["start"] == t].set_index(["objective", "sense"])
            for k, name in enumerate(names):
                assert rows.loc[(name, "min"), "bound"] == box.lower[k] <= rows.loc[(name, "min"), "attained"]
                assert rows.loc[(name, "max"), "bound"] == box.upper[k] >= rows.loc[(name, "max"), "attained"]
    # What rests on a bound of SCIP stays so.
    assert set(table[(table["start"] == 1) & (table["source"] == "MIQCP")]["rigour"]) == {TOLERANCE}


def test_the_smallest_parameters_rest_on_the_largest_gradients(problem, monkeypatch):
    def said(part):
        # The names say what is bounded.
        assert all(task.objective.name.startswith(task.objective.address[1].removeprefix("descent.")) for task in part.tasks)
        return [
            replace(row, status="slow" if task.sense > 0 else "optimal")
            for task, row in zip(part.tasks, samplewise.lost_part(part), strict=True)
        ]

    monkeypatch.setattr(samplewise, "run_part", said)
    rows = bound_samplewise(problem, LP).rows
    assert {row.status for row in rows if row.sense == "min"} == {"slow", "attained"}
    assert {row.status for row in rows if row.sense == "max"} == {"optimal", "attained"}


def test_arguments_are_checked(problem):
    for method in ("IBP", "CROWN", "nothing"):
        with pytest.raises(InvalidInputError):
            bound_samplewise(problem, method)
    with pytest.raises(InvalidInputError, match="time_limit"):
        bound_samplewise(problem, LP, time_limit=0)
    with pytest.raises(SolverUnavailableError, match="unknown"):
        bound_samplewise(problem, LP, solver="none")
    with pytest.raises(SolverUnavailableError, match="highs"):
        bound_samplewise(problem, MIQCP, solver="highs")


def test_an_adversary_with_a_meaning_of_its_own_is_refused(problem):
    class Other:
        pass

    with pytest.raises(UnsupportedError, match="sample-wise"):
        Samples(problem, Other(), sampled_attack(problem, 2))
    assert isinstance(interval_adversary(problem.perturbation, problem), TouchedSamples)
