"""Domains of the sample-wise decomposition: S1, S6, S7, and where no solver is needed."""

from dataclasses import replace
from itertools import pairwise

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
    Removal,
    Substitution,
    Training,
    bound_samplewise,
)
from agtopt.attacks import sampled_attack
from agtopt.drivers import samplewise
from agtopt.solvers import PROVED, TOLERANCE, Status
from tests.drivers.samplewise.cases import (
    CHOSEN,
    assert_holds_runs,
    assert_within,
    every_cell,
    one_unit,
)
from tests.instances import COMBINATIONS, corrupted, random_problem
from tests.matrix import VALUES, cell_problem, zeroed
from tests.reference import torch_states


def test_the_chosen_cells_have_every_value():
    for place in (0, 1, 3):
        assert {cell[place] for cell in CHOSEN} == set(VALUES[place])


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_no_admissible_run_of_random_problems_leaves_a_box(depth, loss, reach):
    for seed, kind in enumerate((LP, MILP)):
        problem = random_problem(seed + 3, depth, loss, reach, samples=5, eps=0.1)
        assert_holds_runs(
            bound_samplewise(problem, kind), [problem.dataset, *corrupted(problem, 20)]
        )


def test_products_kept_and_exponentials_nest():
    """S7: MINLP ⊆ MIQCP ⊆ QCP ⊆ LP."""
    problem = cell_problem(
        next(cell for cell in CHOSEN if cell.loss == "binary-cross-entropy"), eps=0.2
    )
    found = {kind: bound_samplewise(problem, kind) for kind in (LP, QCP, MIQCP, MINLP)}
    for inner, outer in pairwise((MINLP, MIQCP, QCP, LP)):
        assert_within(found[inner], found[outer])
    assert found[MINLP].domain.width() < found[LP].domain.width() - 1e-4
    assert_holds_runs(found[MINLP], corrupted(problem, 20))


def test_every_kind_gains_on_the_last(problem):
    widths = [bound_samplewise(problem, kind).domain.width() for kind in (MIQCP, MILP, LP)]
    widths = [
        sampled_attack(problem).domain.width(),
        *widths,
        agtopt.bound(problem, CROWN).domain.width(),
    ]
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
    monkeypatch.setattr(
        samplewise, "run_part", lambda part: asked.append(part.place) or samplewise.lost_part(part)
    )
    bound_samplewise(replace(problem, training=Training("squared", epochs=1)), LP)
    assert asked
    assert all(variant > 0 for variant, _ in asked)


def test_one_layer_on_clean_data_needs_no_solver(flips):
    """Intervals of its gradients are exact: corners of the box attain them."""
    for problem in (
        flips,
        replace(flips, perturbation=Removal(1)),
        random_problem(0, 1, "squared", "labels", n=2),
    ):
        reach = bound_samplewise(problem, MIQCP)
        assert {row.status for row in reach.rows} == {"attained"}
        assert sum(row.seconds for row in reach.rows) == 0


def test_a_larger_budget_than_vulnerable_samples_changes_nothing():
    """A sample that no one may touch gains nothing by its second interval."""
    base = cell_problem(
        next(cell for cell in CHOSEN if cell.layers == "residual" and cell.adversary == "both")
    )
    boxes = [
        bound_samplewise(
            replace(
                base, perturbation=Bounded(n, eps=0.5, vulnerable=base.schedule[0][:1].tolist())
            ),
            LP,
        ).domain
        for n in (1, 2)
    ]
    np.testing.assert_allclose(boxes[0].lower, boxes[1].lower, rtol=0, atol=1e-9)
    np.testing.assert_allclose(boxes[0].upper, boxes[1].upper, rtol=0, atol=1e-9)


def test_an_unbounded_box_keeps_its_clipped_intervals():
    """No model exists of any point at all; samples as they stand have one."""
    problem = one_unit(Substitution(1, labels=(-0.5, 0.8)), "squared", 1.5)
    reach, crown = bound_samplewise(problem, MILP), agtopt.bound(problem, CROWN)
    assert_within(reach, crown, 0.0)
    assert_holds_runs(reach, corrupted(problem, 30))
    assert reach.domain.width() < crown.domain.width() - 1e-4


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
                assert (
                    rows.loc[(name, "min"), "bound"]
                    == box.lower[k]
                    <= rows.loc[(name, "min"), "attained"]
                )
                assert (
                    rows.loc[(name, "max"), "bound"]
                    == box.upper[k]
                    >= rows.loc[(name, "max"), "attained"]
                )
    # What rests on a bound of SCIP stays so.
    assert set(table[(table["start"] == 1) & (table["source"] == "MIQCP")]["rigour"]) == {TOLERANCE}


def test_the_smallest_parameters_rest_on_the_largest_gradients(problem, monkeypatch):
    def said(part):
        # The names say what is bounded.
        assert all(
            task.objective.name.startswith(task.objective.address[1].removeprefix("descent."))
            for task in part.tasks
        )
        return [
            replace(row, status=Status.FAILED if task.sense > 0 else Status.OPTIMAL)
            for task, row in zip(part.tasks, samplewise.lost_part(part), strict=True)
        ]

    monkeypatch.setattr(samplewise, "run_part", said)
    rows = bound_samplewise(problem, LP).rows
    assert {row.status for row in rows if row.sense == "min"} == {Status.FAILED, Status.ATTAINED}
    assert {row.status for row in rows if row.sense == "max"} == {Status.OPTIMAL, Status.ATTAINED}
