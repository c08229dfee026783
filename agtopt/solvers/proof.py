r"""Branch and bound whose every leaf is a proof: no MIP solver is trusted (S5, S9).

Binaries are branched on, the adversary's selectors first, and every node's bounds are propagated:
with the selectors fixed this alone fixes the training run. HiGHS solves the relaxations that are
left, but only as an adviser: what its duals prove is proved by `tree`, which also says what a leaf
is. Every open node has its parent's proof, so that a search that is stopped leaves a valid tree
too.

A start is a training run. Where it satisfies the rows, nothing may be proved that it contradicts: a
node that holds its choices is not empty and has no higher bound. What contradicts it raises (S9).
"""

from dataclasses import dataclass, field
from heapq import heappop, heappush
from math import inf
from time import perf_counter
from typing import Any, NamedTuple

import highspy
import numpy as np
from numpy.typing import NDArray

from agtopt.domains.safe_bound import shifted
from agtopt.errors import SoundnessError, UnsupportedError
from agtopt.solvers.activities import Box, Places
from agtopt.solvers.highs import OPTIONS, Arrays, HighsSession
from agtopt.solvers.objective import objective_unit
from agtopt.solvers.result import PROVED, SolveResult
from agtopt.solvers.status import Status
from agtopt.solvers.tree import ALONE, BOUND, EMPTY, LEAF, OPEN, Checker, Leaf, Split, Tree
from agtopt.tolerances import AGREEMENT, INTEGRALITY, RELATIVE_GAP

Array = NDArray[np.float64]


class Advice(NamedTuple):
    """What a solver says of a relaxation: leaves that may close the node, where it saw the optimum,
    and whether it saw none."""

    leaves: tuple[Leaf, ...]
    point: Array | None
    unbounded: bool = False


class Adviser:
    """The relaxations in the hands of HiGHS, each started from the basis of the last."""

    def __init__(self, arrays: Arrays) -> None:
        relaxed = arrays.highs_lp()
        relaxed.integrality_ = []
        self.rows, self.columns = arrays.matrix.shape
        self.highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
        for name, value in {**OPTIONS, "presolve": "off"}.items():
            self.highs.setOptionValue(name, value)
        self.highs.passModel(relaxed)
        self.unit = 1.0

    def minimise(self, cost: Array, unit: float) -> None:
        """Set the objective, and the unit in which the solver sees it."""
        self.unit = unit
        self.highs.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost / unit)

    def ask(self, box: Box, seconds: float) -> Advice:
        """Solve the relaxation over a box."""
        # HiGHS counts the time of all linear programs of one object.
        self.highs.setOptionValue(
            "time_limit",
            highspy.kHighsInf if seconds == inf else self.highs.getRunTime() + max(seconds, 0.0),
        )
        self.highs.changeColsBounds(self.columns, np.arange(self.columns, dtype=np.int32), *box)
        self.highs.run()
        status, states = self.highs.getModelStatus(), highspy.HighsModelStatus
        if status == states.kInfeasible:
            _, known, ray = self.highs.getDualRay()
            # Which sign a ray has is a matter of convention.
            return Advice(
                tuple(Leaf.of(EMPTY, sign * np.array(ray)) for sign in (1.0, -1.0))
                if known
                else (),
                None,
            )
        solution = self.highs.getSolution()
        if status != states.kOptimal or (len(solution.row_dual), len(solution.col_value)) != (
            self.rows,
            self.columns,
        ):
            return Advice((), None, status == states.kUnbounded)
        return Advice(
            (Leaf.of(BOUND, np.array(solution.row_dual) * self.unit),), np.array(solution.col_value)
        )


@dataclass
class Growth:
    """A tree that grows: its nodes are numbered as they come, and listed from the root in the
    end."""

    columns: list[int] = field(default_factory=lambda: [LEAF])
    first_child: dict[int, int] = field(default_factory=dict)
    leaves: dict[int, Leaf] = field(default_factory=dict)

    def split(self, node: int, column: int) -> tuple[int, int]:
        """The two new children of a node."""
        child = len(self.columns)
        self.columns[node], self.first_child[node] = column, child
        self.columns += [LEAF, LEAF]
        return child, child + 1

    def listed(self) -> tuple[Places, tuple[Leaf, ...]]:
        """Nodes and leaves as a `Tree` has them."""
        order, pending = [], [0]
        while pending:
            node = pending.pop()
            order.append(node)
            if node in self.first_child:
                pending += [self.first_child[node] + 1, self.first_child[node]]
        columns = np.array([self.columns[node] for node in order], dtype=np.intp)
        return columns, tuple(self.leaves[node] for node in order if node in self.leaves)


class Node(NamedTuple):
    """An open node; the least bound comes first, and of equal bounds the youngest, which goes down
    before it goes sideways.

    Attributes
    ----------
    bound : float
        What `leaf` proves over `box`.
    order : int
        Minus its number.
    box : Box
        Its parent's, propagated.
    split : tuple or None
        The column that its parent has split, and the value here; None for the root.
    leaf : Leaf
        Its parent's proof.
    """

    bound: float
    order: int
    box: Box
    split: Split | None
    leaf: Leaf


class Search:
    """One branch and bound.

    Parameters
    ----------
    checker : Checker
    adviser : Adviser
    priority : array of int, shape (columns,)
    best : float
        Cost of the best point known; it decides what is searched, and no bound depends on it.
    deadline : float
        When to stop, as `perf_counter` counts.
    witness : array, shape (columns,), or None
        A point of the model.
    """

    def __init__(
        self,
        checker: Checker,
        adviser: Adviser,
        priority: Places,
        best: float,
        deadline: float,
        witness: Array | None = None,
    ) -> None:
        self.checker = checker
        self.adviser = adviser
        self.priority = priority
        self.best = best
        self.deadline = deadline
        self.witness = witness
        self.growth = Growth()
        self.proved = inf
        self.late = False
        self.unbounded = False
        self.point: Array | None = None
        self.heap = [Node(checker.bound(ALONE, checker.whole), 0, checker.whole, None, ALONE)]

    @property
    def target(self) -> float:
        """The bound from which on a node is of no interest."""
        return (
            self.best - RELATIVE_GAP * (self.adviser.unit + abs(self.best))
            if np.isfinite(self.best)
            else inf
        )

    def run(self) -> None:
        """Search until nothing is left or the time is over."""
        while self.heap:
            node = heappop(self.heap)
            self.late = self.late or perf_counter() > self.deadline
            if node.bound >= self.target or self.late or self.unbounded:
                self._close(node, Leaf(OPEN, node.leaf.rows, node.leaf.duals), node.bound)
            else:
                self._visit(node)

    def _visit(self, node: Node) -> None:
        box = self.checker.entered(node.box, node.split)
        if box is None:
            self._close(node, ALONE, inf)
            return
        if (
            self.witness is not None
            and self._witnessed(node)
            and not self._holds(box, self.witness)
        ):
            raise SoundnessError("S9: propagation leaves out a run that satisfies every row")
        bound, leaf = self._better(
            box, (-inf, ALONE), (ALONE, node.leaf) if len(node.leaf.rows) else (ALONE,)
        )
        point = None
        if bound < self.target:
            advice = self.adviser.ask(box, self.deadline - perf_counter())
            point = advice.point
            bound, leaf = self._better(box, (bound, leaf), advice.leaves)
            # A ray in a relaxation whose binaries are all fixed is one of the model.
            self.unbounded = advice.unbounded and not np.any(
                self.checker.binary & (box.lower < box.upper)
            )
        column = None if bound >= self.target else self._branching(box, point)
        # A point without fractions may have moved the target.
        if column is None or bound >= self.target:
            self._close(node, leaf, bound)
            return
        for child, value in zip(self.growth.split(-node.order, column), (0.0, 1.0), strict=True):
            heappush(self.heap, Node(bound, -child, box, (column, value), leaf))

    def _witnessed(self, node: Node) -> bool:
        """Whether the witness is in a node."""
        if self.witness is None or (
            node.split is not None and self.witness[node.split[0]] != node.split[1]
        ):
            return False
        return self._holds(node.box, self.witness)

    def _holds(self, box: Box, point: Array) -> bool:
        """Whether a box holds the binaries of a point."""
        chosen = self.checker.binary
        return bool(
            np.all((box.lower[chosen] <= point[chosen]) & (point[chosen] <= box.upper[chosen]))
        )

    def _better(
        self, box: Box, known: tuple[float, Leaf], leaves: tuple[Leaf, ...]
    ) -> tuple[float, Leaf]:
        """The leaf that proves most; none is looked at any more once one proves enough."""
        for leaf in leaves:
            if known[0] >= self.target:
                break
            try:
                value = self.checker.bound(leaf, box)
            except SoundnessError:  # no ray
                continue
            if value > known[0]:
                known = value, leaf
        return known

    def _branching(self, box: Box, point: Array | None) -> int | None:
        """The free binary to branch on: the highest priority, then the least decided; None where
        all are fixed."""
        free = np.flatnonzero(self.checker.binary & (box.lower < box.upper))
        away = np.zeros(len(free))
        if point is not None:
            away = np.abs(point[free] - np.round(point[free]))
            if not np.any(away > INTEGRALITY):
                cost = float(self.checker.cost @ point)
                if cost < self.best:
                    self.best = cost
                    self.point = point
        return int(free[np.lexsort((-away, -self.priority[free]))[0]]) if len(free) else None

    def _close(self, node: Node, leaf: Leaf, bound: float) -> None:
        if self.witness is not None and self._witnessed(node):
            value = float(self.checker.cost @ self.witness)
            if bound - value > AGREEMENT * (self.adviser.unit + abs(value)):
                raise SoundnessError(
                    f"S9: the proved bound {bound} excludes a run that satisfies every row, of "
                    f"cost {value}"
                )
        self.growth.leaves[-node.order] = leaf
        self.proved = min(self.proved, bound)


class ProofSession:
    """A linear model with binaries in the hands of our own branch and bound; see `session.Session`.

    Attributes
    ----------
    tree : Tree or None
        The proof of the last solve.

    Raises
    ------
    UnsupportedError
        If the model has integers that are not binary.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.arrays = Arrays.of(model)
        self.adviser = Adviser(self.arrays)
        if np.any(self.arrays.integer & ~Checker(self.arrays, np.zeros(0), inf).binary):
            raise UnsupportedError(
                "solver: 'proof' branches on binaries only, and the model has other integers"
            )
        suffix = model.component("priority")
        self.priority = np.array(
            [0 if suffix is None else suffix.get(variable, 0) for variable in self.arrays.columns]
        )
        self.tree: Tree | None = None
        self.point: Array | None = None

    def solve(self, time_limit: float | None = None, start: bool = False) -> SolveResult:
        began = perf_counter()
        cost, constant = self.arrays.objective(self.model)
        unit = objective_unit(self.model.objective.expr)
        self.adviser.minimise(cost, unit)
        point = np.array([variable.value for variable in self.arrays.columns]) if start else None
        best = inf if point is None else float(cost @ point)
        # The start itself is not cut off: where no leaf holds a point, the model does not hold the
        # start either.
        checker = Checker(self.arrays, cost, best + RELATIVE_GAP * (unit + abs(best)))
        witness = point if point is not None and self.arrays.satisfied(point) else None
        search = Search(
            checker,
            self.adviser,
            self.priority,
            best,
            inf if time_limit is None else began + time_limit,
            witness,
        )
        search.run()
        self.point = search.point
        self.tree = Tree(self.arrays, cost, constant, checker.cutoff, *search.growth.listed())
        bound = (
            shifted(min(search.proved, checker.cutoff), constant) if search.proved < inf else inf
        )
        return SolveResult(
            _status(search),
            bound if np.isfinite(bound) else None,
            search.best + constant if np.isfinite(search.best) else None,
            PROVED,
            perf_counter() - began,
        )

    def load(self) -> bool:
        if self.point is None:
            return False
        for variable, value in zip(self.arrays.columns, self.point.tolist(), strict=True):
            variable.set_value(value, skip_validation=True)
        return True


def proof_of(session: object) -> Tree | None:
    """What proves the bound of a session's last solve: its tree, or for a linear program its duals
    as the only leaf of one."""
    if isinstance(session, ProofSession):
        return session.tree
    if not isinstance(session, HighsSession) or session.duals is None:
        return None
    arrays, leaf = (
        session.arrays,
        Leaf.of(OPEN, np.where(np.isfinite(session.duals), session.duals, 0.0)),
    )
    return Tree(arrays, *arrays.objective(session.model), inf, np.array([LEAF]), (leaf,))


def _status(search: Search) -> Status:
    if search.proved == inf:
        return Status.INFEASIBLE
    if search.unbounded:
        return Status.UNBOUNDED
    if search.proved >= search.target:
        return Status.OPTIMAL
    return Status.TIME_LIMIT if search.late else Status.WEAK_DUALS
