"""Full and rolling horizons to an interval domain."""

from concurrent.futures import Executor
from time import perf_counter

from agtopt.drivers.progress import Progress
from agtopt.drivers.reach import Reach
from agtopt.drivers.run import Run
from agtopt.drivers.stage import forget_models
from agtopt.kinds import Formulation, Propagation, kind_named
from agtopt.problem import Problem
from agtopt.semantics.propagation import initial_domain, interval_steps


def bound(
    problem: Problem,
    method: str | Formulation | Propagation,
    window: int | None = None,
    stride: int | None = None,
    solver: str | None = None,
    time_limit: float | None = None,
    conditional: bool = True,
    tighten: bool = True,
    executor: Executor | None = None,
    progress: bool = False,
) -> Reach:
    """Bound the parameters that training can reach under the perturbation model.

    Parameters
    ----------
    problem : Problem
    method : str, Formulation or Propagation
        IBP, CROWN, LP, QCP, MILP, MIQCP or MINLP.
    window : int or None
        Steps per model (rolling horizon); the full horizon by default.
    stride : int or None
        Steps from one window to the next, at most `window`, which is the default.
    solver : str or None
        ``"highs"``, ``"scip"``, ``"gurobi"`` or an interface of Pyomo's ``contrib.solver``; by default HiGHS for linear programs and
        SCIP for all other models.
    time_limit : float or None
        Seconds per solve; the dual bound reached by then is used (S4).
    conditional : bool
        Whether cuts tie quantities to the selectors.
    tighten : bool
        Whether the parameters of every step are bounded in turn, each step's bounds being the big-Ms of the next, by the kind
        without products (LP for QCP, MILP for MIQCP); otherwise only those at the end of a window.
    executor : concurrent.futures.Executor or None
        Runs the solves of a step side by side; in this process by default.
    progress : bool
        Whether a progress bar is shown.

    Returns
    -------
    Reach
        A valid domain, also after Ctrl-C.

    Raises
    ------
    InvalidInputError
        If the method is unknown or the window does not fit.
    SolverUnavailableError
        If the solver is not installed or cannot prove bounds of this kind.
    SoundnessError
        If bounds contradict each other or an attained run (S4, S6, S9).
    """
    kind = kind_named(method)
    began = perf_counter()
    if isinstance(kind, Propagation):
        states = (initial_domain(problem), *interval_steps(problem, linear=kind.linear))
        return Reach(problem, kind, states, (), perf_counter() - began)
    run = Run(problem, kind, window, stride, solver, time_limit, conditional, tighten, executor)
    with Progress(progress, 2 * problem.network.size * len(run.stages), f"{kind} {problem.name}") as bar:
        try:
            while not run.finished:
                run.step(bar)
        except KeyboardInterrupt:
            pass
        finally:
            forget_models()
    run.seconds = perf_counter() - began
    return run.finish()
