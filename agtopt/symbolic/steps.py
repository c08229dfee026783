"""The steps of training, written into a model."""

from collections.abc import Iterator

from agtopt.domains import Interval
from agtopt.formulation import AffineArray
from agtopt.intervals.states import flat_ranges
from agtopt.program import train
from agtopt.symbolic.operations import SymbolicOperations
from agtopt.symbolic.quantity import joined


def write_steps(
    ops: SymbolicOperations, start: int, stop: int, domain: Interval
) -> Iterator[tuple[AffineArray, Interval]]:
    """Write the steps start … stop−1.

    Yields
    ------
    state : AffineArray, shape (s,)
        The flattened state at step `start`, then after each step: the parameters first.
    domain : Interval
        Its interval.
    """
    problem = ops.problem
    begin = ops.state(start, domain)
    for state in (begin, *train(ops, problem, begin, start, stop)):
        tensors = [state[name].affine.reshape(-1) for name in problem.state]
        yield (
            joined(tensors),
            Interval(*flat_ranges(problem, {name: value.range for name, value in state.items()})),
        )
