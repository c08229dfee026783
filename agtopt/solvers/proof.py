r"""Branch and bound whose every leaf is a proof: no MIP solver is trusted (S5, S9).

Binaries are branched on, the adversary's selectors first; HiGHS solves the relaxations, but only as an adviser. A leaf is a set of binaries
with fixed values and a vector y of duals: whatever y is, the bound of Neumaier and Shcherbina with those columns fixed is valid, and for a
Farkas ray y a positive bound of the zero objective proves that the leaf holds no point. The leaves of a tree cover all values of the
binaries, so the least bound of a leaf is a proved bound of the whole. The tree is kept and can be checked again without any solver.
"""

from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf
from time import perf_counter
from typing import Any

import highspy
import numpy as np
from numpy.typing import NDArray

from agtopt.errors import SoundnessError
from agtopt.solvers.highs import OPTIONS, Arrays
from agtopt.solvers.result import PROVED, SolveResult
from agtopt.solvers.safe_bound import safe_bound
from agtopt.tolerances import INTEGRALITY, RELATIVE_GAP

Array = NDArray[np.float64]
Fixed = tuple[tuple[int, float], ...]


@dataclass(frozen=True, eq=False)
class Leaf:
    """Binaries (column, value) in the order in which they were fixed, and the duals that prove a bound there.

    Attributes
    ----------
    empty : bool
        Whether the duals are a ray that proves that no point is left.
    """

    fixed: Fixed
    duals: Array
    empty: bool


@dataclass(frozen=True, eq=False)
class Tree:
    """A finished or interrupted branch and bound: an objective, its constant and the leaves."""

    arrays: Arrays
    cost: Array
    constant: float
    leaves: tuple[Leaf, ...]

    def bound(self) -> float:
        """The proved bound of the objective, computed anew from the leaves.

        Raises
        ------
        SoundnessError
            If the leaves do not cover all values of the binaries, or one does not prove what it says.
        """
        _check_cover([leaf.fixed for leaf in self.leaves], self.arrays)
        values = []
        for leaf in self.leaves:
            value = leaf_bound(self.arrays, np.zeros_like(self.cost) if leaf.empty else self.cost, leaf.fixed, leaf.duals)
            if leaf.empty and not value > 0.0:
                raise SoundnessError(f"S5: the leaf {leaf.fixed} is not proved empty")
            values.append(inf if leaf.empty else value)
        return min(values) + self.constant


def leaf_bound(arrays: Arrays, cost: Array, fixed: Fixed, duals: Array) -> float:
    """A proved bound of min cost · x where some columns are fixed."""
    lower, upper = arrays.lower.copy(), arrays.upper.copy()
    for column, value in fixed:
        lower[column] = upper[column] = value
    return safe_bound(cost, arrays.matrix, arrays.row_lower, arrays.row_upper, lower, upper, duals)


class ProofSession:
    """A linear model with binaries in the hands of our own branch and bound; see `backend.Session`."""

    def __init__(self, model: Any) -> None:
        self.model, self.arrays = model, Arrays.of(model)
        suffix = model.component("priority")
        self.priority = np.array([0 if suffix is None else suffix.get(variable, 0) for variable in self.arrays.columns])
        self.binaries = np.flatnonzero(self.arrays.integer)
        relaxed = self.arrays.highs_lp()
        relaxed.integrality_ = []
        self.highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, value in {**OPTIONS, "presolve": "off"}.items():
            self.highs.setOptionValue(name, value)
        self.highs.passModel(relaxed)
        self.tree: Tree | None = None

    def solve(self, time_limit: float | None = None, start: bool = False) -> SolveResult:
        began = perf_counter()
        deadline = inf if time_limit is None else began + time_limit
        cost, constant = self.arrays.objective(self.model)
        self.highs.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        best = inf
        if start:
            best = float(cost @ np.array([variable.value for variable in self.arrays.columns]))
        leaves: list[Leaf] = []
        nothing = np.zeros(len(self.arrays.row_lower))
        # Every open node has a proof already, its parent's, so that stopping at any time leaves a valid tree.
        heap: list[tuple[float, int, Fixed, Array]] = [(-inf, 0, (), nothing)]
        count, finished = 0, True
        while heap:
            bound, _, fixed, duals = heappop(heap)
            target = best - RELATIVE_GAP * (1.0 + abs(best)) if np.isfinite(best) else inf
            if bound >= target or perf_counter() > deadline:
                finished = finished and bound >= target
                leaves.append(Leaf(fixed, duals, False))
                continue
            own, ray, point = self._relaxed(cost, fixed)
            if ray is not None:
                leaves.append(Leaf(fixed, ray, True))
                continue
            value = leaf_bound(self.arrays, cost, fixed, own)
            if value >= bound:
                bound, duals = value, own
            column = self._branching(point, fixed)
            if column is None or bound >= target:
                if column is None and point is not None:
                    best = min(best, float(cost @ point))
                leaves.append(Leaf(fixed, duals, False))
                continue
            for end in (0.0, 1.0):
                count += 1
                heappush(heap, (bound, count, (*fixed, (int(column), end)), duals))
        self.tree = Tree(self.arrays, cost, constant, tuple(leaves))
        found = self.tree.bound()
        status = "optimal" if finished else "time limit"
        if found == inf:
            status = "infeasible"
        return SolveResult(
            status,
            found if np.isfinite(found) else None,
            best + constant if np.isfinite(best) else None,
            PROVED,
            perf_counter() - began,
        )

    def _relaxed(self, cost: Array, fixed: Fixed) -> tuple[Array, Array | None, Array | None]:
        """Duals of a node's relaxation, a ray if that proves the node empty, and its point."""
        lower, upper = self.arrays.lower[self.binaries].copy(), self.arrays.upper[self.binaries].copy()
        place = np.searchsorted(self.binaries, [column for column, _ in fixed])
        lower[place] = upper[place] = [value for _, value in fixed]
        self.highs.changeColsBounds(len(self.binaries), self.binaries.astype(np.int32), lower, upper)
        self.highs.run()
        solution = self.highs.getSolution()
        duals = np.array(solution.row_dual)
        nothing = np.zeros(len(self.arrays.row_lower))
        if self.highs.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            ray = self._ray(fixed)
            return nothing, ray, None
        if self.highs.getModelStatus() != highspy.HighsModelStatus.kOptimal or len(duals) != len(nothing):
            return nothing, None, None
        return duals, None, np.array(solution.col_value)

    def _ray(self, fixed: Fixed) -> Array | None:
        _, known, ray = self.highs.getDualRay()
        if not known:
            return None
        for sign in (1.0, -1.0):
            candidate = sign * np.array(ray)
            if leaf_bound(self.arrays, np.zeros(len(self.arrays.lower)), fixed, candidate) > 0.0:
                return candidate
        return None

    def _branching(self, point: Array | None, fixed: Fixed) -> int | None:
        """The free binary to branch on: the highest priority, then the least decided; None where all are integral."""
        free = np.setdiff1d(self.binaries, [column for column, _ in fixed], assume_unique=True)
        if point is None:
            return int(free[np.argmax(self.priority[free])]) if len(free) else None
        away = np.abs(point[free] - np.round(point[free]))
        free, away = free[away > INTEGRALITY], away[away > INTEGRALITY]
        if not len(free):
            return None
        return int(free[np.lexsort((-away, -self.priority[free]))[0]])


def _check_cover(sets: list[Fixed], arrays: Arrays) -> None:
    """Whether the sets are the leaves of one binary tree."""
    if not sets:
        raise SoundnessError("S5: the tree has no leaf")
    if () in sets:
        if len(sets) > 1:
            raise SoundnessError("S5: a leaf of the tree stands beside its ancestor")
        return
    column = sets[0][0][0]
    if any(fixed[0][0] != column or fixed[0][1] not in (0.0, 1.0) for fixed in sets) or not arrays.integer[column]:
        raise SoundnessError("S5: the leaves of the tree do not branch on one binary")
    for end in (0.0, 1.0):
        _check_cover([fixed[1:] for fixed in sets if fixed[0][1] == end], arrays)
