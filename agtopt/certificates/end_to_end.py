"""Certificates over the compiled run itself: the mixed-integer domain (section 7 of Sosnin et al.
2025)."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, replace
from math import floor
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.attacks import Attack
from agtopt.attacks import attack as attack_problem
from agtopt.attacks.predictions import predicted, predictions
from agtopt.certificates.attained import check_outputs
from agtopt.certificates.points import PointCertificates
from agtopt.certificates.prediction import certify, final_domain
from agtopt.certificates.queries import Eps
from agtopt.certificates.scores import score_bounds
from agtopt.certificates.witness import Witness
from agtopt.compiler import Query, predicted_size
from agtopt.drivers import Reach, Settings
from agtopt.drivers.interrupt import until_interrupted
from agtopt.drivers.questions import Answers, Question, ask, count_flips
from agtopt.drivers.task import Answer
from agtopt.errors import InvalidInputError, SoundnessError, UnsupportedError
from agtopt.intervals.scale.numerics import FLOAT64
from agtopt.kinds import Formulation
from agtopt.problem import Dataset, Problem
from agtopt.problem.checks import instance
from agtopt.solvers import PROVED, TOLERANCE, choose
from agtopt.training.concrete import trajectory

Array = NDArray[np.float64]


@typed()
def certify_end_to_end(
    reach: Reach,
    X: ArrayLike,
    y: ArrayLike | None = None,
    eps: Eps = 0.0,
    method: str | Formulation = "MILP",
    solver: str | None = None,
    time_limit: float | None = None,
    conditional: bool = True,
    rigour: str = TOLERANCE,
    proofs: str | Path | None = None,
    first: int = 0,
    attack: Attack | None = None,
    executor: Executor | None = None,
    progress: bool = False,
) -> PointCertificates:
    """Certify predictions over the whole compiled run: the forward pass of a query is written
    behind its last step.

    What the domain certifies (`certify`) and what the attack refutes needs no solver. For every
    other point the margins of the nominal class are minimised over all admissible runs at once; the
    adversary's choices at the incumbent are trained on, and refute the point where they change its
    prediction.

    Parameters
    ----------
    reach : Reach
        Result of `agtopt.bound`: its boxes are the big-Ms.
    X, y, eps
        As in `certify`.
    method : str or Formulation
        LP, QCP, MILP, MIQCP or MINLP.
    solver, time_limit, conditional, rigour, proofs, executor, progress
        As in `agtopt.bound`.
    first : int
        The step from which training is part of the model, in the domain of that step: 0 for the
        whole run, the number of steps for the forward pass alone over the domain of the final
        parameters, which is a smaller model.
    attack : Attack, optional
        `agtopt.attack(reach.problem)` by default.

    Returns
    -------
    PointCertificates
        Also after Ctrl-C, once the domain's own certificates are there, with what was certified by
        then; its ``rows`` tell of every solve.

    Raises
    ------
    InvalidInputError
        As in `certify` and `agtopt.bound`.
    UnsupportedError
        If the loss predicts no class.
    SoundnessError
        If a bound excludes what a training run attains (S9).
    """
    settings = Settings(
        method,
        solver=solver,
        time_limit=time_limit,
        conditional=conditional,
        rigour=rigour,
        proofs=proofs,
        first=first,
    )
    problem = _checked(reach, settings)
    runs = attack_problem(problem) if attack is None else attack
    certified = certify(reach, X, y, eps, runs)
    questions, stopped = until_interrupted(_questions(reach, certified))
    if stopped:
        return replace(certified, interrupted=True)
    answers = ask(reach, settings, *_boxes(certified), questions, runs, executor, progress)
    return _with_answers(certified, settings, answers, len(questions), runs)


def certify_again(
    reach: Reach, found: PointCertificates, settings: Settings, attack: Attack
) -> PointCertificates:
    """What the kept proofs of `certify_end_to_end` add to the certificates of a domain, each
    checked; no solver has a part in it."""
    questions = list(_questions(reach, found))
    answers = ask(reach, settings, *_boxes(found), questions, attack, replay=True)
    return _with_answers(found, settings, answers, len(questions), attack)


def over_the_run(settings: Settings) -> str:
    """How margins were bounded, in words."""
    return (
        f"{settings.kind} end to end"
        if settings.first == 0
        else f"{settings.kind} from step {settings.first} on"
    )


@dataclass(frozen=True, eq=False)
class CollectiveCertificate:
    """How many predictions one adversary changes at once.

    Attributes
    ----------
    problem : Problem
    method : str
    points : int
        Number of points.
    bound : int
        No admissible dataset changes more of them.
    attained : int
        As many are changed by `dataset`.
    dataset : Dataset
    rigour : str
    """

    problem: Problem
    method: str
    points: int
    bound: int
    attained: int
    dataset: Dataset
    rigour: str


@typed()
def certify_together(
    reach: Reach,
    X: ArrayLike,
    eps: Eps = 0.0,
    method: str | Formulation = "MILP",
    solver: str | None = None,
    time_limit: float | None = None,
    conditional: bool = True,
    rigour: str = TOLERANCE,
    attack: Attack | None = None,
    executor: Executor | None = None,
) -> CollectiveCertificate:
    """Bound how many predictions of a test set one adversary can change at once: fewer than can be
    changed one by one.

    Parameters
    ----------
    reach, X, eps, method, solver, time_limit, conditional, rigour, attack, executor
        As in `certify_end_to_end`.

    Returns
    -------
    CollectiveCertificate

    Raises
    ------
    InvalidInputError, UnsupportedError, SoundnessError
        As in `certify_end_to_end`.
    """
    settings = Settings(
        method, solver=solver, time_limit=time_limit, conditional=conditional, rigour=rigour
    )
    problem = _checked(reach, settings)
    runs = attack_problem(problem) if attack is None else attack
    certified = certify(reach, X, None, eps, runs)
    open_ = np.flatnonzero(~certified.stable)
    if not len(open_):
        return CollectiveCertificate(
            problem, str(settings.kind), len(certified.queries), 0, 0, problem.dataset, reach.rigour
        )
    assert certified.nominal is not None
    part, nominal = certified.queries.part(open_), certified.nominal[open_]
    changed = predictions(problem, runs.theta, part.points) != nominal
    answer = count_flips(
        reach,
        settings,
        Query(part.lowest, part.highest, certified.winners[open_]),
        runs,
        changed,
        executor,
    )
    attained, dataset = (
        int(changed.sum(axis=1).max()),
        runs.dataset(int(changed.sum(axis=1).argmax())),
    )
    if answer.dataset is not None and answer.inputs is not None:
        theta = trajectory(problem, answer.dataset)[-1]
        seen = int((predicted(problem, theta, answer.inputs) != nominal).sum())
        if seen > attained:
            attained, dataset = seen, answer.dataset
    if attained > answer.row.bound:
        raise SoundnessError(
            f"S9: {answer.row.bound} predictions are said to change at most, and a training run "
            f"changes {attained}"
        )
    proved = PROVED if {answer.row.rigour, reach.rigour} == {PROVED} else TOLERANCE
    return CollectiveCertificate(
        problem,
        str(settings.kind),
        len(certified.queries),
        floor(answer.row.bound),
        attained,
        dataset,
        proved,
    )


def _checked(reach: Reach, settings: Settings) -> Problem:
    instance("reach", reach, Reach)
    problem = reach.problem
    if problem.classes is None:
        raise UnsupportedError(
            f"certify: loss {problem.training.loss.name!r} predicts no class; use `certify`, whose "
            f"bounds are of outputs"
        )
    if reach.numerics != FLOAT64:
        raise UnsupportedError(
            "certify: models of the run are built in float64, and this domain is of training in "
            'float32; take a domain with dtype="float64", or `certify`, which holds in float32'
        )
    if settings.first > problem.steps:
        raise InvalidInputError(
            f"first: {settings.first} is not allowed; the run has {problem.steps} steps"
        )
    choose(
        settings.chosen,
        predicted_size(problem, settings.kind).quadratic > 0,
        settings.kind.binaries,
    )
    return problem


def _boxes(found: PointCertificates) -> tuple[Array, Array]:
    return found.queries.lowest, found.queries.highest


def _questions(reach: Reach, found: PointCertificates) -> Iterator[Question]:
    """The margins of the nominal class against every other one that is open, where the verdict is
    not known."""
    network, domain, queries = reach.problem.network, final_domain(reach), found.queries
    assert found.reachable is not None
    for k in np.flatnonzero(~found.stable & ~found.refuted):
        for rival, weights in _rivals(network.outputs, int(found.winners[k])):
            if found.reachable[k, rival]:
                here = slice(k, k + 1)
                lower, _ = score_bounds(
                    network,
                    domain,
                    queries.lowest[here],
                    weights[np.newaxis],
                    queries.highest[here],
                )
                yield Question(int(k), weights, float(lower[0, 0]), rival)


def _rivals(outputs: int, winner: int) -> Iterator[tuple[int, Array]]:
    """Every other class, and what of the outputs is positive while the winner beats it."""
    if outputs == 1:
        yield 1 - winner, np.array([1.0 if winner else -1.0])
        return
    unit = np.eye(outputs)
    yield from ((rival, unit[winner] - unit[rival]) for rival in range(outputs) if rival != winner)


def _with_answers(
    found: PointCertificates,
    settings: Settings,
    answers: Answers,
    asked: int,
    attack: Attack,
) -> PointCertificates:
    problem, nominal = found.problem, found.nominal
    assert found.reachable is not None
    assert nominal is not None
    reachable, lower, upper, witnesses = (
        found.reachable.copy(),
        found.lower.copy(),
        found.upper.copy(),
        list(found.witnesses),
    )
    rows, words = [], {found.rigour}
    stopped = False
    try:
        with closing(answers):
            for question, place, answer in answers:
                k, bound = question.point, answer.row.bound
                rows.append(answer.row)
                words.add(answer.row.rigour)
                if len(question.weights) == 1:
                    lower[k], upper[k] = (
                        (max(lower[k, 0], bound), upper[k])
                        if question.weights[0] > 0
                        else (lower[k], min(upper[k, 0], -bound))
                    )
                if bound > 0.0:
                    reachable[k, question.rival] = False
                elif witnesses[k] is None:
                    witnesses[k] = _witness(problem, answer, place, nominal[k])
    except KeyboardInterrupt:
        # A row and its rigour are known before what they say is used.
        stopped = True
    for point, witness in enumerate(witnesses):
        if (
            witness is not None
            and not reachable[point, np.searchsorted(np.array(problem.classes), witness.predicted)]
        ):
            raise SoundnessError(
                f"S9: the class that a training run predicts for point {point} is said to be out "
                f"of reach"
            )
    rigour = PROVED if words == {PROVED} else TOLERANCE
    told = replace(
        found,
        method=over_the_run(settings),
        settings=settings,
        reachable=reachable,
        lower=lower,
        upper=upper,
        witnesses=tuple(witnesses),
        rows=tuple(rows),
        rigour=rigour,
        interrupted=found.interrupted or stopped or len(rows) < asked,
    )
    check_outputs(told, attack.theta)
    return told


def _witness(problem: Problem, answer: Answer, place: int, nominal: int) -> Witness | None:
    """What refutes a point at the incumbent, once training confirms it."""
    if answer.dataset is None or answer.inputs is None:
        return None
    x = answer.inputs[place]
    theta = trajectory(problem, answer.dataset)[-1]
    seen = int(predicted(problem, theta, x[np.newaxis])[0])
    return Witness(answer.dataset, x, seen) if seen != nominal else None
