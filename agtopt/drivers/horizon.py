"""Full and rolling horizons to an interval or polytope domain."""

from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

from agtopt.arguments import typed
from agtopt.domains import Polytope
from agtopt.drivers.affine import affine_reach
from agtopt.drivers.attained import compared
from agtopt.drivers.fit import allowed, check_fit, planned
from agtopt.drivers.interrupt import reached, until_interrupted
from agtopt.drivers.obbt import OBBT
from agtopt.drivers.progress import Progress
from agtopt.drivers.reach import FLOAT32, Reach
from agtopt.drivers.run import Run
from agtopt.drivers.settings import Settings
from agtopt.errors import InvalidInputError
from agtopt.files import attempt, saving
from agtopt.intervals.checkpoint import checkpointed_steps
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.scale.fragments import MEMORY
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from agtopt.kinds import Formulation, Propagation, kind_named
from agtopt.problem import Problem
from agtopt.problem.checks import instance
from agtopt.solvers import TOLERANCE

AUTO = "auto"


@typed()
def bound(
    problem: Problem,
    method: str | Formulation | Propagation,
    window: int | None = None,
    stride: int | None = None,
    solver: str | None = None,
    time_limit: float | None = None,
    conditional: bool = True,
    tighten: bool | str | Formulation = True,
    domain: Polytope | None = None,
    obbt: OBBT | None = None,
    rigour: str = TOLERANCE,
    proofs: str | Path | None = None,
    executor: Executor | None = None,
    progress: bool = False,
    memory: float | None = None,
    checkpoint: str | Path | None = None,
    device: str = "cpu",
    dtype: str = "float64",
) -> Reach:
    """Bound the parameters that training can reach under the perturbation model.

    Parameters
    ----------
    problem : Problem
    method : str, Formulation or Propagation
        IBP, CROWN, AFFINE, LP, QCP, MILP, MIQCP or MINLP; or ``"auto"``: CROWN for the long run,
        and a MILP of the whole run or else an LP of the last steps that fit, whose other arguments
        hold.
    window : int or None
        Steps per model (rolling horizon); the full horizon by default. IBP, CROWN and AFFINE go
        from step to step: every window gives the same.
    stride : int or None
        Steps from one window to the next, at most `window`, which is the default.
    solver : str or None
        ``"highs"``, ``"scip"``, ``"gurobi"``, ``"proof"`` or an interface of Pyomo's
        ``contrib.solver``; by default HiGHS for linear programs, otherwise SCIP.
    time_limit : float or None
        Seconds per solve; the dual bound reached by then is used (S4). An LP that helps another
        kind gets at least half a minute.
    conditional : bool
        Whether cuts tie quantities to the selectors.
    tighten : bool, str or Formulation
        Whether the parameters of every step are bounded in turn, each step's bounds being the
        big-Ms of the next, and by which kind (the method's own without products, if only True);
        otherwise only those at the end of a window.
    domain : Polytope or None
        A template (`Polytope.octagon`, `principal`, `random` or any directions): its support values
        are bounded at the end of every window, where the next one starts from it; it is the domain
        that is returned. The interval domain by default.
    obbt : OBBT or None
        Tightening of undecided pre-activations before each model is solved; none by default.
    rigour : str
        ``"proved"`` trusts no mixed-integer solver: a branch and bound of our own proves every
        bound from dual values (S5), slower. By default ``"solver tolerance"``, where bounds of
        linear programs are proved all the same.
    proofs : path or None
        Folder that takes the proof of every bound, for `agtopt.verify`; one folder for each result
        and its certificates.
    executor : concurrent.futures.Executor or None
        Runs the solves of a step side by side; in this process by default.
    progress : bool
        Whether a progress bar is shown.
    memory : float or None
        GiB that one model may take; by default three quarters of what is free. It is estimated
        before anything is built. For IBP, CROWN and AFFINE what a step may hold beside the problem
        and the parameters, 1 by default.
    checkpoint : path or None
        Folder that takes what is found after every step of IBP, CROWN and AFFINE, or every window;
        a run that was killed goes on from there. What cannot be written there, or to `proofs`, is a
        `SaveWarning` and costs no result.
    device : str
        Where IBP and CROWN, and the boxes of AFFINE, are propagated: ``"cpu"``, ``"cuda"`` or a
        GPU, as ``"cuda:1"``, which holds the features too unless they are on disk. Written for
        CUDA, tested on the CPU: no run on a GPU exists yet. Affine forms and models are built on
        the CPU.
    dtype : str
        In which format: ``"float64"``, or ``"float32"``, whose domains hold training in float32 as
        well and are wider by its rounding.

    Returns
    -------
    Reach
        A valid domain, also after Ctrl-C: of IBP, CROWN and AFFINE the steps that are done, and the
        whole line for what training moves after them; of models what is bounded, and what follows
        from it by propagation, which a second Ctrl-C ends.

    Raises
    ------
    InvalidInputError
        If the method is unknown, the window does not fit, the checkpoint is of another run, the
        device is not here, or another argument is not allowed.
    UnsupportedError
        If an interval is unbounded, bounds of a kind with products are to be proved, a model would
        not fit into memory, or torch is set to round the factors of float32 products to a shorter
        format.
    SolverUnavailableError
        If the solver is not installed or cannot prove bounds of this kind.
    SoundnessError
        If bounds contradict each other or an attained run (S4, S6, S9).
    """
    began = perf_counter()
    instance("problem", problem, Problem)
    plan = planned(problem, memory) if method == AUTO else None
    kind = (
        kind_named(method) if plan is None else plan if isinstance(plan, Propagation) else plan.kind
    )
    numerics = Numerics.named(dtype, device)
    if isinstance(kind, Propagation):
        if plan is None:
            _check_propagation(kind, {"domain": domain, "obbt": obbt, "proofs": proofs})
        budget = MEMORY if memory is None else int(allowed(memory))
        variant = FLOAT32 if dtype == "float32" else ""
        if kind.affine:
            return affine_reach(problem, kind, checkpoint, budget, numerics, variant)
        if checkpoint is None:
            steps = interval_steps(problem, linear=kind.linear, memory=budget, numerics=numerics)
        else:
            steps = checkpointed_steps(problem, checkpoint, kind.linear, budget, numerics)
        states, interrupted = until_interrupted(compared(problem, steps))
        return reached(
            problem,
            kind,
            states,
            interrupted,
            perf_counter() - began,
            variant,
            numerics=numerics,
        )
    if numerics != FLOAT64:
        raise InvalidInputError(
            f"device, dtype: models of {kind} are built on the CPU in float64; leave both out, or "
            f"take IBP, CROWN or AFFINE"
        )
    settings = Settings(
        kind, window, stride, solver, time_limit, conditional, tighten, domain, obbt, rigour, proofs
    )
    if isinstance(plan, Settings):
        settings = replace(settings, first=plan.first)
    return _by_models(problem, settings, executor, progress, memory, checkpoint, began)


def _by_models(
    problem: Problem,
    settings: Settings,
    executor: Executor | None,
    progress: bool,
    memory: float | None,
    checkpoint: str | Path | None,
    began: float,
) -> Reach:
    check_fit(problem, settings, memory)
    saved = None if checkpoint is None else Path(checkpoint) / "run.npz"
    try:
        run = (
            Run.begin(problem, settings, executor)
            if saved is None or not saved.exists()
            else _begun(problem, settings, executor, saved)
        )
    except KeyboardInterrupt:
        return reached(problem, settings.kind, (), True, perf_counter() - began, settings=settings)
    with Progress(progress, run.solves, f"{settings.kind} {problem.name}") as bar:
        try:
            while not run.finished:
                run.step(bar)
                _save(run, saved)
        except KeyboardInterrupt:
            _save(run, saved)
        finally:
            run.models.close()
    run.found.seconds = perf_counter() - began
    return run.finish()


def _check_propagation(kind: Propagation, settings: dict[str, object]) -> None:
    for name, value in settings.items():
        if value is not None:
            raise InvalidInputError(
                f"{name}: {kind} is propagated step by step and takes none; leave it out, or take "
                f"LP, QCP, MILP or MIQCP"
            )


def _save(run: Run, path: Path | None) -> None:
    if path is not None:
        attempt(partial(_write, run, path))


def _write(run: Run, path: Path) -> None:
    with saving(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    run.save(path)


def _begun(problem: Problem, settings: Settings, executor: Executor | None, saved: Path) -> Run:
    run = Run.resume(problem, saved, executor)
    if not run.settings.agrees(settings):
        raise InvalidInputError(
            f"checkpoint: {saved} is of a run with other settings; give an empty folder"
        )
    return run
