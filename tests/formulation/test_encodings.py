"""Each encoding against enumeration: the graph of the function lies in the feasible set and, with
binaries kept, is all of it."""

from itertools import product

import numpy as np
import pyomo.environ as pyo
import pytest

from agtopt.formulation import (
    AffineArray,
    Site,
    binary_product,
    conditional_cuts,
    gated_indicator,
    label_flip,
    mccormick,
    perturbed,
    relu,
)
from agtopt.solvers import SOLVERS, open_session
from agtopt.tolerances import unit_of

ONE = np.ones(1, dtype=bool)
RANGES = [(-2.0, 3.0), (-1.0, 0.0), (0.0, 2.0), (0.0, 0.0), (0.5, 2.0), (-3.0, -0.5)]


class Bench:
    """One encoding on a block; asks for the range of its output while its inputs are fixed."""

    def __init__(self):
        self.model = pyo.ConcreteModel()
        self.model.block = pyo.Block()
        self.site = Site(self.model.block, "f")
        self.inputs = []

    def variable(self, name, low, high, binary=False):
        affine = Site(self.model.block, name).variables("", low, high, ONE, binary)
        self.inputs.append(affine)
        return affine

    def output(self, affine, *values, solver=None):
        """Smallest and largest output for these inputs; None if infeasible."""
        for given, value in zip(self.inputs, values, strict=True):
            for variable, share in zip(*given.shares(array(value)), strict=True):
                variable.fix(share)
        ends = []
        for sign in (1.0, -1.0):
            self.model.del_component("objective")
            self.model.objective = pyo.Objective(expr=(affine * sign).expressions()[0])
            # SCIP takes rows whose variables are all fixed, and products.
            result = open_session(SOLVERS[solver or "scip"], self.model).solve()
            if result.status == "infeasible":
                return None
            ends.append(sign * result.bound)
        return ends


def array(value):
    return np.array([float(value)])


@pytest.mark.parametrize("binaries", [True, False])
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_relu(low, high, binaries):
    """S2: z = 0 leaves the derivative free."""
    bench = Bench()
    z = bench.variable("z", low, high)
    output, active = relu(bench.site, z, array(low), array(high), binaries)
    for value in np.linspace(low, high, 6):
        exact, slope = max(0.0, value), float(value > 0)
        a, d = bench.output(output, value), bench.output(active, value)
        assert a[0] <= exact + 1e-6
        assert exact <= a[1] + 1e-6
        assert d[0] - 1e-6 <= slope <= d[1] + 1e-6
        if value == 0.0:
            assert d == pytest.approx([0.0, 1.0], abs=1e-6)
        elif binaries:
            assert a == pytest.approx([exact, exact], abs=1e-6)
            assert d == pytest.approx([slope, slope], abs=1e-6)
        elif low < 0 < high:
            assert a == pytest.approx(
                [exact, high * (value - low) / (high - low)], abs=1e-6
            )  # the triangle


@pytest.mark.parametrize(
    ("binaries", "bilinear"), [(True, True), (True, False), (False, False), (False, True)]
)
@pytest.mark.parametrize("gate", [0.0, 1.0, None], ids=["gate 0", "gate 1", "gate varies"])
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_gated_indicator(low, high, gate, binaries, bilinear):
    """S2: margin 0 leaves both values, where the gate is open."""
    bench = Bench()
    m = bench.variable("m", low, high)
    g = bench.variable("g", 0, 1, binaries) if gate is None else AffineArray.known(array(gate))
    active = gated_indicator(bench.site, m, g, array(low), array(high), binaries, bilinear)
    for value, opened in product(
        np.linspace(low, high, 6), (0.0, 1.0) if gate is None else (gate,)
    ):
        found = bench.output(active, value, *([opened] if gate is None else []))
        exact = opened * (value > 0)
        assert found[0] - 1e-6 <= exact <= found[1] + 1e-6
        if value == 0.0 and low <= 0.0 <= high:
            assert found == pytest.approx([0.0, opened], abs=1e-6)
        elif binaries or opened == 0.0:
            assert found == pytest.approx([exact, exact], abs=1e-6)


@pytest.mark.parametrize(("low", "high"), [*RANGES, (-1e6, 1e-3)])
def test_binary_product_is_exact_at_both_ends_of_the_binary(low, high):
    bench = Bench()
    s, v = bench.variable("s", 0, 1, True), bench.variable("v", low, high)
    p = binary_product(bench.site, "", s, v, (array(low), array(high)), ONE)
    unit = float(unit_of(max(-low, high)))  # in which the solver sees it
    for selected, value in product((0, 1), np.linspace(low, high, 5)):
        assert bench.output(p, selected, value) == pytest.approx(
            [selected * value] * 2, abs=1e-6 * unit, rel=1e-7
        )


@pytest.mark.parametrize("first", RANGES[:4])
@pytest.mark.parametrize("second", RANGES)
def test_mccormick_is_the_hull_of_the_product(first, second):
    """The envelope holds the product, and is exact at the sides of the box; inside it is
    McCormick's formula."""
    bench = Bench()
    u, v = bench.variable("u", *first), bench.variable("v", *second)
    (a, b), (c, d) = first, second
    w = mccormick(bench.site, "", u, v, ((array(a), array(b)), (array(c), array(d))), ONE)
    for x, y in product(np.linspace(a, b, 3), np.linspace(c, d, 3)):
        found = bench.output(w, x, y)
        low = max(a * y + x * c - a * c, b * y + x * d - b * d)
        high = min(b * y + x * c - b * c, a * y + x * d - a * d)
        assert found == pytest.approx([low, high], abs=1e-6)
        assert low - 1e-9 <= x * y <= high + 1e-9


def test_conditional_cuts_hold_each_state_and_nothing_more():
    """A sample as it stands keeps to its own range, a touched one to the wider one."""
    bench = Bench()
    s = bench.variable("s", 0, 1, True)
    v = Site(bench.model.block, "v").variables("", -10.0, 10.0, ONE)
    conditional_cuts(bench.site, "", v, (array(-1), array(2)), [(s, array(3), array(5))], ONE)
    # S9: moved outward by a margin, so that a solver's tolerance fits in.
    assert bench.output(v, 0) == pytest.approx([-1, 2], abs=1e-5)
    assert bench.output(v, 1) == pytest.approx([-4, 7], abs=1e-5)
    assert bench.output(v, 0)[0] < -1
    assert bench.output(v, 0)[1] > 2
    relaxed = Bench()
    s = relaxed.variable("s", 0, 1)
    v = Site(relaxed.model.block, "v").variables("", -10.0, 10.0, ONE)
    conditional_cuts(relaxed.site, "", v, (array(-1), array(2)), [(s, array(3), array(5))], ONE)
    assert relaxed.output(v, 0.5) == pytest.approx([-2.5, 4.5], abs=1e-5)


@pytest.mark.parametrize("selected", [0, 1])
def test_perturbed_values_move_only_where_they_are_selected(selected):
    bench = Bench()
    s = bench.variable("s", 0, 1, True)
    x = perturbed(
        bench.site,
        np.array([[3.0]]),
        s,
        (np.array([[2.75]]), np.array([[3.25]])),
        np.ones((1, 1), dtype=bool),
    )
    assert bench.output(x[0], selected) == pytest.approx(
        [3.0 - 0.25 * selected, 3.0 + 0.25 * selected], abs=1e-6
    )


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("selected", [0, 1])
def test_label_flip(own, selected):
    """Without variables of its own a selected sample is flipped; with them it may be."""
    bench = Bench()
    s = bench.variable("s", 0, 1, True)
    possible = np.array([[1.0, 1.0 if own else 0.0]])
    labels = label_flip(bench.site, np.array([[0.0, 1.0]]), s, possible, own, True, ONE)
    plus, minus = bench.output(labels[:, 1], selected), bench.output(labels[:, 0], selected)
    assert plus == pytest.approx([1 - selected, 1.0 if own else 1 - selected], abs=1e-6)
    assert minus == pytest.approx([0.0 if own else selected, selected], abs=1e-6)


@pytest.mark.parametrize("binaries", [True, False])
def test_label_flip_of_three_classes_goes_only_where_it_may(binaries):
    """The nominal class is 1, and may become 2 but not 0."""
    bench = Bench()
    s = bench.variable("s", 0, 1, True)
    labels = label_flip(
        bench.site, np.array([[0.0, 1.0, 0.0]]), s, np.array([[0.0, 1.0, 1.0]]), True, binaries, ONE
    )
    for selected in (0, 1):
        assert bench.output(labels[:, 0], selected) == pytest.approx([0, 0], abs=1e-6)
        assert bench.output(labels[:, 1], selected) == pytest.approx([1 - selected, 1], abs=1e-6)
        assert bench.output(labels[:, 2], selected) == pytest.approx([0, selected], abs=1e-6)
        assert bench.output(labels.total(1), selected) == pytest.approx([1, 1], abs=1e-6)
