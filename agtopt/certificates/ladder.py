"""One problem under growing budgets: how many samples may be touched before a prediction is no
longer certified."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.certificates.prediction import certify
from agtopt.drivers import Reach, bound
from agtopt.drivers.interrupt import uninterrupted
from agtopt.errors import InvalidInputError
from agtopt.kinds import IBP
from agtopt.problem import Problem
from agtopt.problem.checks import finite_array, instance, whole_numbers

Array = NDArray[np.float64]
Bounder = Callable[[Problem], Reach]
Stable = Callable[[Reach, Array], NDArray[np.bool_]]


def by_intervals(problem: Problem) -> Reach:
    """Bound a rung by IBP: what a ladder does where no other way is given."""
    return bound(problem, IBP)


@dataclass(frozen=True, eq=False)
class Ladder:
    """Domains of one problem for a ladder of budgets; each rung is bounded when a query first needs
    it.

    Attributes
    ----------
    problem : Problem
        Its perturbation model is taken with every budget in turn; the budget that it has itself
        does not count.
    budgets : tuple of int
        The rungs, ascending.
    bounder : callable
        From a problem to its `Reach`.

    Raises
    ------
    InvalidInputError
        If the perturbation model has no budget n, the budgets are not ascending, or the largest
        does not fit the problem.
    """

    problem: Problem
    budgets: tuple[int, ...]
    bounder: Bounder = by_intervals
    _known: dict[int, Reach] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        instance("problem", self.problem, Problem)
        if self.problem.perturbation.n is None:
            raise InvalidInputError(
                "ladder: separate budgets of features and labels form no ladder; give the "
                "perturbation one budget n"
            )
        rungs = whole_numbers("budgets", self.budgets)
        if not rungs or rungs[0] < 1 or any(low >= high for low, high in pairwise(rungs)):
            raise InvalidInputError(
                f"budgets: {list(rungs)!r} is not allowed; they must be ascending whole numbers of "
                f"at least 1"
            )
        object.__setattr__(self, "budgets", rungs)
        # The largest budget says at once whether it fits the dataset and its batches.
        self.at(rungs[-1])

    @typed()
    def at(self, n: int) -> Problem:
        """The problem with budget n."""
        return replace(self.problem, perturbation=replace(self.problem.perturbation, n=n))

    @typed()
    def reach(self, n: int) -> Reach:
        """The domain of a rung.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C came while it was bounded: a rung that was cut short is not kept, and would
            say of the data how fast somebody was. The rungs before it are.
        InvalidInputError
            If n is not one of the budgets, or `bounder` answers for another problem (S8).
        """
        if n not in self.budgets:
            raise InvalidInputError(
                f"ladder: {n!r} is not allowed; the budgets are {', '.join(map(str, self.budgets))}"
            )
        if n not in self._known:
            problem = self.at(n)
            reach = uninterrupted(self.bounder(problem))
            if reach.problem is not problem:
                raise InvalidInputError(
                    "bounder: it must return the Reach of the very problem that it is given"
                )
            self._known[n] = reach
        return self._known[n]

    @typed()
    def distances(self, X: ArrayLike, stable: Stable | None = None) -> NDArray[np.int64]:
        """For every query the largest budget of the ladder under which its prediction is certified;
        0 where there is none.

        A prediction that is stable under a budget is stable under every smaller one, so rungs are
        found by bisection: a query costs about log₂ of their number. Where a method happens to
        certify a large budget but not a smaller one, bisection may miss the large one: the answer
        is a lower bound of the true distance all the same.

        Parameters
        ----------
        X : array_like, shape (m, *input_shape)
        stable : callable, optional
            From a `Reach` and points to whether each prediction is certified; `agtopt.certify` by
            default.

        Returns
        -------
        array of int, shape (m,)
        """
        points, judge = finite_array("X", X), stable or _certified
        if points.shape[1:] != self.problem.network.input_shape or not len(points):
            wanted = ", ".join(map(str, self.problem.network.input_shape))
            raise InvalidInputError(
                f"X: shape {points.shape} does not fit; it must be (m, {wanted})"
            )
        low, high = np.zeros(len(points), dtype=np.int64), np.full(len(points), len(self.budgets))
        while (open_ := low < high).any():
            middle = (low + high + 1) // 2
            for rung in np.unique(middle[open_]).tolist():
                here = np.flatnonzero(open_ & (middle == rung))
                holds = judge(self.reach(self.budgets[rung - 1]), points[here])
                low[here], high[here] = (
                    np.where(holds, rung, low[here]),
                    np.where(holds, high[here], rung - 1),
                )
        return np.array([0, *self.budgets], dtype=np.int64)[low]


@typed()
def ladder(problem: Problem, budgets: Iterable[int], bounder: Bounder = by_intervals) -> Ladder:
    """Domains of a problem for a ladder of budgets, of any perturbation model with one budget n.

    Parameters
    ----------
    problem : Problem
    budgets : iterable of int
        Ascending, each at least 1, e.g. ``range(1, 101)``.
    bounder : callable, optional
        How each domain is found: ``lambda problem: agtopt.bound(problem, "MILP", window=3)``; by
        IBP if not given.

    Returns
    -------
    Ladder
        Nothing is bounded before a query needs it.

    Raises
    ------
    InvalidInputError
        If the budgets are not ascending, or the largest does not fit the problem.
    """
    return Ladder(problem, tuple(budgets), bounder)


def _certified(reach: Reach, points: Array) -> NDArray[np.bool_]:
    return certify(reach, points).stable
