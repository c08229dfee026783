"""S9: wrong bounds of every source, injected one at a time. None is accepted, wherever a run lies:
it is compared on both sides."""

import json
from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import InfeasibleError, Interval, SoundnessError
from agtopt.attacks import attained_quantities, states_at_kinks
from agtopt.compiler.branches import Branches
from agtopt.drivers import found, horizon, knowledge, parts, run, samplewise, stage
from agtopt.drivers.attained import check_steps
from agtopt.drivers.tighten import candidates
from agtopt.formulation import selector
from agtopt.intervals.adversary import interval_adversary
from agtopt.intervals.scale import fragments
from agtopt.kinds import LP
from agtopt.solvers import PROVED, TOLERANCE
from agtopt.symbolic import choices
from agtopt.training.concrete import state_trajectory
from tests.conftest import MODELS
from tests.drivers.test_lying_solvers import lie
from tests.instances import random_problem

DRIVERS = {
    "IBP": lambda problem: agtopt.bound(problem, "IBP"),
    "CROWN": lambda problem: agtopt.bound(problem, "CROWN"),
    "LP": lambda problem: agtopt.bound(problem, "LP", conditional=False),
    "MILP in windows": lambda problem: agtopt.bound(problem, "MILP", window=1, conditional=False),
    "samples": lambda problem: agtopt.bound_samplewise(problem, "LP"),
    "parts": lambda problem: agtopt.bound_parts(problem, "IBP"),
}


@pytest.fixture(scope="module")
def problem():
    return random_problem(4, 1, "hinge", "flips", samples=5, steps=3, n=1, vulnerable=range(5))


@pytest.fixture(scope="module")
def rectified():
    return random_problem(2, 2, "squared", "both", samples=3, steps=2, n=1, vulnerable=range(3))


def lying_intervals(monkeypatch, change):
    """Every propagation of intervals says `change(step, box)` of a box."""
    honest = horizon.interval_steps

    def lying(problem, start=0, *args, **options):
        for t, box in enumerate(honest(problem, start, *args, **options), start + 1):
            yield change(t, box)

    for module in (horizon, knowledge, found, parts):
        monkeypatch.setattr(module, "interval_steps", lying)
    monkeypatch.setattr("agtopt.intervals.checkpoint.interval_steps", lying)


@pytest.mark.parametrize("relative", [1e-9, 1e-3, 10.0])
@pytest.mark.parametrize("sense", [-1, 1])
@pytest.mark.parametrize("driver", DRIVERS)
def test_intervals_that_exclude_the_nominal_run_by_little_at_one_step(
    monkeypatch, problem, driver, sense, relative
):
    states = state_trajectory(problem)

    def change(t, box):
        lower, upper, k = box.lower.copy(), box.upper.copy(), 1
        if t == 2:
            beyond = states[t, k] - sense * relative * (1.0 + abs(states[t, k]))
            (upper if sense > 0 else lower)[k] = beyond
            lower[k], upper[k] = min(lower[k], beyond), max(upper[k], beyond)
        return Interval(lower, upper)

    lying_intervals(monkeypatch, change)
    with pytest.raises(SoundnessError, match=r"S9|S6"):
        DRIVERS[driver](problem)


@pytest.mark.parametrize("driver", DRIVERS)
def test_intervals_that_forget_the_adversary(monkeypatch, driver):
    """They hold the nominal run, and no other: a removal that was taken for no change at all."""
    removal = agtopt.load(MODELS / "removal-hinge")
    states = state_trajectory(removal)
    lying_intervals(monkeypatch, lambda t, box: Interval.point(states[t]))
    if driver == "parts":
        monkeypatch.setattr(parts, "learn_branches", lambda *_: None)
    with pytest.raises(SoundnessError, match=r"S9|S6"):
        DRIVERS[driver](removal)


def test_a_perturbation_with_the_meaning_of_another(monkeypatch):
    """The intervals of an adversary that touches nothing stand for a removal."""
    removal, nothing = agtopt.load(MODELS / "removal-hinge"), agtopt.Bounded(0)

    def lying(model, problem, *rest):
        return interval_adversary(nothing, replace(problem, perturbation=nothing), *rest)

    monkeypatch.setattr(fragments, "interval_adversary", lying)
    with pytest.raises(SoundnessError, match="S9: the box after step 1"):
        agtopt.bound(removal, "IBP")


def test_a_checkpoint_that_was_changed(problem, tmp_path):
    agtopt.bound(problem, "IBP", checkpoint=tmp_path)
    path = tmp_path / "step_000003.npz"
    with np.load(path) as file:
        arrays = dict(file)
    arrays["upper"] = arrays["lower"]
    np.savez(path, **arrays)
    with pytest.raises(SoundnessError, match="S9: the box after step 3"):
        agtopt.bound(problem, "IBP", checkpoint=tmp_path)


def test_a_saved_run_that_was_changed(problem, tmp_path):
    path = agtopt.Run.begin(problem, agtopt.Settings("LP")).save(tmp_path / "run.npz")
    with np.load(path) as file:
        arrays = dict(file)
    place = next(
        k for k, (step, _) in enumerate(json.loads(str(arrays["about"]))["known"]) if step == 3
    )
    name = f"known_{place}"
    arrays[name] = np.stack([arrays[name][1]] * 2)
    np.savez(path, **arrays)
    with pytest.raises(SoundnessError, match=r"S9: the box after step 3|S6"):
        agtopt.Run.resume(problem, path)


@pytest.mark.parametrize("place", [0, 2, -1])
@pytest.mark.parametrize("sense", [-1, 1])
def test_a_branch_that_excludes_a_run_in_it(monkeypatch, problem, place, sense):
    """Only what is known of one selector is wrong: the hull of all branches is not."""
    honest = run.learn_branches

    def lying(*arguments):
        learned = honest(*arguments)
        lower, upper = learned.bounds.lower.copy(), learned.bounds.upper.copy()
        # The whole branch is moved to the other side of its run.
        moved = -sense * (
            upper[-1, place, 0] - lower[-1, place, 0] + 1e-9 * (1.0 + abs(upper[-1, place, 0]))
        )
        lower[-1, place, 0], upper[-1, place, 0] = (
            lower[-1, place, 0] + moved,
            upper[-1, place, 0] + moved,
        )
        return Branches(replace(learned.bounds, lower=lower, upper=upper), ())

    monkeypatch.setattr(run, "learn_branches", lying)
    with pytest.raises(SoundnessError, match="S9: the branch in which"):
        agtopt.bound(problem, "MILP")


@pytest.mark.parametrize("method", ["LP", "MILP"])
def test_a_hull_of_branches_that_excludes_a_run(monkeypatch, problem, method):
    nominal, honest = state_trajectory(problem), run.learn_branches

    def lying(problem, known, *arguments):
        tensor = next(iter(problem.state))
        value = problem.unflatten(nominal[2])[tensor]
        known.shrink((2, tensor), value + 1e-9, value + np.inf)
        return honest(problem, known, *arguments)

    monkeypatch.setattr(run, "learn_branches", lying)
    with pytest.raises(SoundnessError, match=r"S9: the box after step 2|S6"):
        agtopt.bound(problem, method)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("kind", ["LP", "MILP"])
def test_conditional_cuts_that_exclude_a_run(monkeypatch, rectified, kind, side):
    """No objective shows them: the model itself is compared with the runs."""
    honest = selector.conditional_cuts

    def lying(site, suffix, value, clean, reach, where):
        ends = [clean[0] + 0.3, clean[1] + 0.3] if side == 0 else [clean[0] - 0.3, clean[1] - 0.3]
        honest(site, suffix, value, tuple(ends), reach, where)

    monkeypatch.setattr(choices, "conditional_cuts", lying)
    with pytest.raises(
        InfeasibleError, match=r"S9: .* does not hold an admissible training run.*saved in"
    ):
        agtopt.bound(rectified, kind)


@pytest.mark.parametrize("sense", [-1, 1])
def test_pre_activations_that_exclude_a_run(rectified, sense):
    """Those that OBBT starts from are compared with what training attains of them, decided or
    not."""
    model = agtopt.compile(rectified, LP, conditional=False)
    inside = attained_quantities(rectified, agtopt.attack(rectified).datasets)
    assert candidates(model, range(2), inside)
    for address in inside.keys() & model.quantities.keys():
        ends, reached = model.quantities[address].ends(), list(inside[address])
        side = int(sense > 0)
        reached[side] = ends[side] + sense * 1e-9 * (1.0 + np.abs(ends[side]))
        with pytest.raises(SoundnessError, match=f"S9: {address[1]} in step {address[0]}"):
            candidates(model, range(2), {address: tuple(reached)})


def test_obbt_by_a_solver_that_lies(monkeypatch, rectified):
    lie(monkeypatch, lambda r, k: replace(r, bound=100.0))
    with pytest.raises(SoundnessError, match=r"S9: the LP bound .* on forward"):
        agtopt.bound(rectified, "LP", conditional=False, obbt=agtopt.OBBT(20))


@pytest.mark.parametrize("sense", [-1, 1])
def test_supports_of_a_polytope_that_exclude_a_run(monkeypatch, problem, sense):
    """What the box says of a direction, before any solve."""
    template = agtopt.Polytope.octagon(problem.network.size)
    honest = found.minima
    asked = []

    def lying(domain, rows):
        # Lower ends are asked first, then upper ones.
        asked.append(rows)
        return honest(domain, rows) + (
            100.0 if len(rows) and len(asked) % 2 == (sense < 0) else 0.0
        )

    monkeypatch.setattr(found, "minima", lying)
    with pytest.raises(SoundnessError, match=r"S9: .*direction"):
        agtopt.bound(problem, "LP", conditional=False, domain=template)


@pytest.mark.parametrize("rigour", [PROVED, TOLERANCE])
def test_a_proved_bound_has_no_room_but_rounding(monkeypatch, problem, rigour):
    """A bound from duals that is 1.5e-6 too tight, within what a solver's word is granted beside
    its margin."""
    least = float(agtopt.attack(problem).domain.lower[0])
    wrong = least + 1.5e-6 * (1.0 + abs(least))
    told = []
    lie(
        monkeypatch,
        lambda r, k: told.append(k) or replace(r, rigour=rigour, bound=wrong if k == 1 else None),
    )
    if rigour == PROVED:
        with pytest.raises(SoundnessError, match="S9: the LP bound"):
            agtopt.bound(problem, "LP", conditional=False, tighten=False)
    else:
        agtopt.bound(problem, "LP", conditional=False, tighten=False)
    assert told


@pytest.mark.parametrize("sense", [-1, 1])
def test_gradients_of_samples_that_exclude_a_run(monkeypatch, sense):
    honest = samplewise.SampleIntervals.aggregate
    rectified = random_problem(
        5, 2, "squared", "labels", samples=4, steps=2, n=1, vulnerable=range(4)
    )

    def lying(self, gradient, tensor):
        size = gradient.upper - gradient.lower + 1e-9 * (1.0 + gradient.upper.abs())
        moved = type(gradient)(gradient.lower + sense * size, gradient.upper + sense * size)
        found = honest(self, gradient, tensor)
        self.gradients[tensor] = moved
        return found

    monkeypatch.setattr(samplewise.SampleIntervals, "aggregate", lying)
    with pytest.raises(SoundnessError, match="S9: the gradient by"):
        agtopt.bound_samplewise(rectified, "LP")


def test_a_model_that_holds_no_run_is_blamed_and_a_solver_that_calls_it_empty_is_not(
    monkeypatch, problem
):
    """S4."""
    monkeypatch.setattr(stage, "check_run", lambda *_: None)
    lie(
        monkeypatch,
        lambda r, k: replace(r, status=agtopt.solvers.Status.INFEASIBLE, bound=None, rigour=PROVED),
    )
    with pytest.raises(InfeasibleError, match=r"S4: .* is proved to be empty"):
        agtopt.bound(problem, "LP", conditional=False)


def test_boxes_of_solves_hold_the_other_side_of_every_kink():
    """A sample at the hinge's kink, whom nobody touches: no run of an attack stands at its other
    side."""
    problem = agtopt.Problem(
        network=agtopt.Network.chain([agtopt.Dense(1, 1, False)], (1,), [np.array([[1.0]])]),
        dataset=agtopt.Dataset([[1.0], [2.0]], [1.0, 1.0]),
        perturbation=agtopt.Bounded(n=1, nu=1, q=0, vulnerable=[1]),
        training=agtopt.Training("hinge", batches=[[0]], learning_rate=0.5),
    )
    (there,) = states_at_kinks(problem)
    runs = agtopt.attack(problem).extremes
    assert not np.any((runs.lower[1] <= there[0]) & (there[0] <= runs.upper[1]))
    low, high = np.minimum(runs.lower[1], there[0]), np.maximum(runs.upper[1], there[0])
    boxes = [Interval.point(runs.lower[0]), Interval(low, high)]
    check_steps(runs, boxes, problem)
    boxes[1] = Interval(runs.lower[1], runs.upper[1])
    with pytest.raises(SoundnessError, match="S9"):
        check_steps(runs, boxes, problem)


@pytest.mark.parametrize("side", [0, 1])
def test_support_values_of_a_step_are_compared(problem, side):
    template = np.ones((1, problem.network.size))
    runs = agtopt.attack(problem)
    extremes = runs.extremes.joined(runs.along(template))
    boxes = agtopt.bound(problem, "IBP").states
    ends = [extremes.lower[2, -1:], extremes.upper[2, -1:]]
    check_steps(extremes, boxes, problem, {2: tuple(ends)})
    ends[side] = ends[side] + (1 - 2 * side) * 1e-3 * (1.0 + np.abs(ends[side]))
    with pytest.raises(SoundnessError, match="directions after step 2"):
        check_steps(extremes, boxes, problem, {2: tuple(ends)})
