"""The truncation of gradients, balls around samples and ghosts, against their definitions."""

from itertools import product
from math import comb

import numpy as np
import pyomo.environ as pyo
import pytest

from agtopt.formulation import Site, ball, clip, ghosts, perturbed
from agtopt.solvers import SOLVERS, open_session
from tests.formulation.test_encodings import Bench, array

CLIPPED = [
    (-2.0, 3.0),
    (-0.2, 0.3),
    (-0.5, 0.5),
    (0.5, 2.0),
    (0.6, 2.0),
    (-3.0, -0.5),
    (-0.1, 4.0),
    (-4.0, 0.2),
    (1.0, 1.0),
]


@pytest.mark.parametrize("binaries", [True, False], ids=["binaries", "relaxed"])
@pytest.mark.parametrize(("low", "high"), CLIPPED)
def test_clip_is_the_least_of_the_largest(low, high, binaries):
    """min(max(g, −κ), κ) on a grid with both kinks; relaxed it holds that value, and is exact at
    the ends of g's range."""
    bench = Bench()
    g = bench.variable("g", low, high)
    clipped = clip(bench.site, g, array(low), array(high), 0.5, binaries)
    for value in {
        *np.linspace(low, high, 7),
        *(kink for kink in (-0.5, 0.5) if low <= kink <= high),
    }:
        found, exact = bench.output(clipped, value), min(max(value, -0.5), 0.5)
        assert found[0] - 1e-6 <= exact <= found[1] + 1e-6
        if binaries or value in (low, high):
            assert found == pytest.approx([exact, exact], abs=1e-6)


def test_clip_of_what_is_within_or_beyond_the_bound_needs_no_variable():
    for low, high, varies in ((-0.4, 0.4, True), (0.6, 2.0, False), (-3.0, -0.7, False)):
        bench = Bench()
        clipped = clip(
            bench.site, bench.variable("g", low, high), array(low), array(high), 0.5, True
        )
        assert len(list(bench.site.block.component_data_objects(pyo.Var))) == 1, "g itself"
        assert clipped.varies.any() == varies


class BallBench:
    """One perturbed sample with its selector."""

    nominal = np.array([[0.3, -2.0, 1.5, 0.0]])
    eps = 0.25

    def __init__(self, p, many, kept):
        self.nominal = self.nominal[:, :many]
        self.model = pyo.ConcreteModel()
        self.model.block = pyo.Block()
        site = Site(self.model.block, "x")
        self.selector = Site(self.model.block, "s").variables(
            "", 0.0, 1.0, np.ones(1, dtype=bool), True
        )
        box = self.nominal - self.eps, self.nominal + self.eps
        self.x = perturbed(site, self.nominal, self.selector, box, np.ones((1, many), dtype=bool))
        ball(site, self.x, self.nominal, self.selector, self.eps, p, kept, np.ones(1, dtype=bool))
        self.model.objective = pyo.Objective(expr=self.selector.expressions()[0])

    def admits(self, step, selected=1):
        """Whether the sample may move by `step` times the radius."""
        self.selector.variables[0, 0].fix(selected)
        for variable, value in zip(
            self.x.variables[0, :, 0], self.nominal[0] + self.eps * np.asarray(step), strict=True
        ):
            variable.fix(value)
        return open_session(SOLVERS["scip"], self.model).solve().status == "optimal"


BALLS = [(1, False), (1, True), (2, False), (2, True)]


@pytest.mark.parametrize(("p", "kept"), BALLS)
@pytest.mark.parametrize("many", [1, 2, 4])
def test_every_point_of_the_ball_is_admitted(many, p, kept):
    """Also its boundary: the vertices and the points that the attacks use."""
    rng, bench = np.random.default_rng(many), BallBench(p, many, kept)
    points = rng.normal(size=(12, many))
    points /= np.linalg.norm(points, ord=p, axis=1, keepdims=True)
    points[6:] *= rng.random((6, 1))
    for point in (
        *points,
        *np.eye(many),
        *-np.eye(many),
        np.full(many, many ** (-1 / p)),
        np.zeros(many),
    ):
        assert bench.admits(point), point
    assert bench.admits(np.zeros(many), selected=0)
    assert not bench.admits(0.1 * np.eye(many)[0], selected=0), (
        "a sample that is not selected does not move"
    )


@pytest.mark.parametrize(("p", "kept"), BALLS)
@pytest.mark.parametrize("many", [2, 4])
def test_corners_of_the_box_are_not_in_the_ball(many, p, kept):
    bench = BallBench(p, many, kept)
    for corner in product((-1.0, 1.0), repeat=many):
        assert not bench.admits(corner)
    assert not bench.admits(1.01 * np.eye(many)[0])


@pytest.mark.parametrize("many", [2, 3, 4])
def test_only_the_cone_is_the_euclidean_ball_itself(many):
    """The polyhedron around it has room beyond (it is a relaxation); the kept cone has none."""
    polyhedron, cone = BallBench(2, many, False), BallBench(2, many, True)
    between = np.zeros(many)
    between[:2] = 1.0, 0.4
    assert np.linalg.norm(between) > 1.05
    assert polyhedron.admits(between)
    assert not cone.admits(between)
    if many > 2:  # pairs: r_j + r_k ≤ √2 ε cuts what the total alone would admit
        pair = np.zeros(many)
        pair[:2] = 0.85, 0.85
        assert pair.sum() < np.sqrt(many)
        assert not polyhedron.admits(pair)


@pytest.mark.parametrize("many", [1, 2, 3])
@pytest.mark.parametrize("vulnerable", [[0, 1, 2, 3], [1, 3, 4]])
def test_ghosts_replace_every_set_of_samples_in_exactly_one_way(vulnerable, many):
    """Symmetry: of all assignments of ghosts to samples the rows admit one for each set of at most
    that many samples."""
    model = pyo.ConcreteModel()
    model.block = pyo.Block()
    where = np.zeros(5, dtype=bool)
    where[vulnerable] = True
    site = Site(model.block, "a")
    assigned = site.variables("", 0.0, 1.0, np.broadcast_to(where[:, None], (5, many)), True)
    ghosts(site, assigned, where)
    rows = [(row.body, row.lb, row.ub) for row in model.component_data_objects(pyo.Constraint)]
    variables = assigned.variables[where][..., 0]
    admitted = {}
    for values in product((0, 1), repeat=variables.size):
        for variable, value in zip(variables.ravel(), values, strict=True):
            variable.set_value(value, skip_validation=True)
        if all(
            (lb is None or pyo.value(body) >= lb) and (ub is None or pyo.value(body) <= ub)
            for body, lb, ub in rows
        ):
            replaced = tuple(np.flatnonzero(np.reshape(values, variables.shape).any(axis=1)))
            admitted.setdefault(replaced, []).append(values)
    assert {len(assignments) for assignments in admitted.values()} == {1}
    assert len(admitted) == sum(
        comb(len(vulnerable), k) for k in range(min(many, len(vulnerable)) + 1)
    )
    for replaced, (values,) in admitted.items():
        # The first ghosts, in ascending order.
        matrix = np.reshape(values, variables.shape)
        assert [int(matrix[sample].argmax()) for sample in replaced] == list(range(len(replaced)))
