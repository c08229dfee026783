"""S7: attained ⊆ MINLP ⊆ MIQCP ⊆ MILP ⊆ LP ⊆ IBP, MIQCP ⊆ QCP ⊆ LP and attained ⊆ CROWN ⊆ IBP, each
solved to optimality."""

from itertools import pairwise

import pytest

import agtopt
from agtopt import CROWN, IBP, LP, MILP, MINLP, MIQCP, QCP
from agtopt.attacks import sampled_attack
from tests.instances import corrupted
from tests.matrix import VALUES, Cell, cell_problem
from tests.properties.test_nesting import assert_within
from tests.reference import torch_states

# Small enough that SCIP proves every optimum within seconds: S7 speaks of those only.
NESTED = [
    (Cell(*names, n, conditional), classes)
    for names, n, conditional, classes in (
        (("box", "binary-cross-entropy", "momentum", "linear"), 1, False, 2),
        (("box", "cross-entropy", "plain", "linear"), 1, True, 2),
        (("l2", "binary-cross-entropy", "plain", "linear"), 1, False, 2),
        (("l2", "squared", "shrinking", "linear"), 1, True, 2),
        (("l1", "cross-entropy", "clip", "linear"), 1, True, 3),
        (("l1", "hinge", "plain", "rectified"), 1, False, 2),
        (("labels", "cross-entropy", "plain", "linear"), 1, False, 3),
        (("labels", "squared", "heavy", "leaky"), 1, True, 2),
        (("targeted", "multi-hinge", "plain", "linear"), 1, False, 3),
        (("targeted", "binary-cross-entropy", "frozen", "rectified"), 1, False, 2),
        (("both", "hinge", "plain", "linear"), 1, True, 2),
        (("both", "binary-cross-entropy", "clip", "linear"), 1, True, 2),
        (("separate", "hinge", "plain", "linear"), 1, False, 2),
        (("separate", "multi-hinge", "plain", "linear"), 1, True, 2),
        (("separate", "binary-cross-entropy", "plain", "linear"), 1, False, 2),
        (("removal", "squared", "momentum", "linear"), 2, False, 2),
        (("removal", "binary-cross-entropy", "plain", "leaky"), 1, True, 2),
        (("removal", "cross-entropy", "plain", "linear"), 1, False, 2),
        (("removal", "multi-hinge", "clip", "linear"), 1, False, 3),
        (("substitution", "hinge", "plain", "linear"), 1, True, 2),
        (("substitution", "squared", "plain", "linear"), 2, False, 2),
        (("substitution", "binary-cross-entropy", "shrinking", "linear"), 2, True, 2),
        (("substitution", "cross-entropy", "plain", "linear"), 1, True, 2),
    )
]


def test_every_perturbation_model_and_every_loss_is_nested():
    assert {cell.adversary for cell, _ in NESTED} == set(VALUES.adversary)
    assert {cell.loss for cell, _ in NESTED} == set(VALUES.loss)
    assert {cell.conditional for cell, _ in NESTED} == {True, False}


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "classes"), NESTED, ids=lambda value: str(value))
def test_kinds_nest_and_hold_every_run(cell, classes):
    problem = cell_problem(cell, samples=3, classes=classes)
    kinds = (IBP, CROWN, LP, QCP, MILP, MIQCP, MINLP)
    found = {
        kind: agtopt.bound(problem, kind, time_limit=20.0, conditional=cell.conditional)
        for kind in kinds
    }
    for kind, reach in found.items():
        assert {row.status for row in reach.rows} <= {"optimal", "attained"}, kind
        for dataset in (problem.dataset, *corrupted(problem, 20)):
            for box, state in zip(reach.states, torch_states(problem, dataset), strict=True):
                assert box.contains(state, 0.0 if kind in (IBP, CROWN) else 1e-7), kind
    for inner, outer in (
        *pairwise((MINLP, MIQCP, MILP, LP, IBP)),
        (MIQCP, QCP),
        (QCP, LP),
        (CROWN, IBP),
    ):
        assert_within(found[inner].domain, found[outer].domain, note=(inner, outer))
    attained = sampled_attack(problem).domain
    for kind in (MINLP, CROWN):
        assert_within(attained, found[kind].domain, 1e-7, note=kind)
    # Not trivially: the adversary moves something, and the tightest kind is close to what is
    # attained.
    assert 0.0 < attained.width() <= found[MINLP].domain.width() <= 1.5 * attained.width() + 1e-4
