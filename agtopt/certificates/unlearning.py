"""Serving predictions while requests to be forgotten are pending (section 10.1 of Sosnin et al.
2025)."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from agtopt.arguments import typed
from agtopt.certificates.prediction import certify
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.problem import Dataset, Problem, Removal, Training
from agtopt.problem.checks import instance, whole_numbers

Mask = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answers:
    """What may be said about queries now.

    Attributes
    ----------
    problem : Problem
        Carries the perturbation model and the budget that the certificates hold for (S8).
    method : str
        How the domain was found.
    prediction : array of int, shape (m,)
        Class that the deployed model predicts.
    stable : array of bool, shape (m,)
        Whether every model trained without at most n of the samples predicts that class too, n the
        certified budget.
    wait : array of bool, shape (m,)
        Queries whose answer must wait for retraining: a request is pending and the retrained model
        might answer otherwise.
    """

    problem: Problem
    method: str
    prediction: Indices
    stable: Mask
    wait: Mask


@dataclass(frozen=True, eq=False)
class Server:
    """A deployed model, the removals it is certified against, and the requests that came in since
    it was trained.

    Immutable: a request returns a new server. Removal means fixed slots, as in `Removal`: samples
    that stay keep their batches, and a mean is taken over those that remain. A loader that refills
    or reshuffles its batches trains another model, which is not covered.

    Attributes
    ----------
    reach : Reach
        Domain of the deployed model's problem under `Removal`.
    requested : tuple of int
        Samples to be forgotten, each once, in the order of the requests.
    """

    reach: Reach
    requested: tuple[int, ...] = ()

    @property
    def problem(self) -> Problem:
        """What the deployed model was trained on."""
        return self.reach.problem

    @cached_property
    def pending(self) -> tuple[int, ...]:
        """Requested samples that training has used: retraining without them makes another model."""
        used = set(np.concatenate(self.problem.schedule).tolist())
        return tuple(sample for sample in self.requested if sample in used)

    @cached_property
    def uncovered(self) -> tuple[int, ...]:
        """Pending samples that are not vulnerable: no certificate speaks of their removal."""
        covered = set(self.problem.perturbation.touchable(self.problem).tolist())
        return tuple(sample for sample in self.pending if sample not in covered)

    @property
    def remaining(self) -> int:
        """How many more vulnerable samples may be removed within the certified budget; 0 once it is
        exceeded."""
        return max(0, self.problem.perturbation.budget - (len(self.pending) - len(self.uncovered)))

    @property
    def covered(self) -> bool:
        """Whether the certificates hold for what is pending: all of it vulnerable, and no more than
        the budget."""
        return not self.uncovered and len(self.pending) <= self.problem.perturbation.budget

    @typed()
    def request_removal(self, samples: Iterable[int]) -> "Server":
        """The server after a request; samples that were requested before count once.

        Parameters
        ----------
        samples : iterable of int
            Indices into the dataset. A sample that is not vulnerable may be requested too: all
            answers must then wait.

        Raises
        ------
        InvalidInputError
            If an index does not exist.
        """
        wanted, many = whole_numbers("samples", samples), len(self.problem.dataset)
        for sample in wanted:
            if sample >= many:
                raise InvalidInputError(
                    f"samples: sample {sample} does not exist; indices run from 0 to {many - 1}"
                )
        return replace(self, requested=tuple(dict.fromkeys((*self.requested, *wanted))))

    @typed()
    def answer(self, X: ArrayLike) -> Answers:
        """Predict, and say which predictions must wait.

        With nothing pending none must wait. While the budget lasts, those wait that are not
        certified; once a request is not covered, all do.

        Parameters
        ----------
        X : array_like, shape (m, *input_shape)

        Raises
        ------
        InvalidInputError
            If X has the wrong shape, or the loss predicts no class.
        """
        points = certify(self.reach, X)
        stable, prediction = points.stable, points.nominal
        assert prediction is not None  # `stable` has checked that the loss has classes
        wait = np.full(stable.shape, bool(self.pending)) & ~(stable & self.covered)
        return Answers(self.problem, points.method, prediction, stable, wait)

    @cached_property
    def kept(self) -> Indices:
        """Which samples remain, by their index in the deployed model's dataset: sample k of
        `retrained` was sample ``kept[k]``."""
        return np.setdiff1d(np.arange(len(self.problem.dataset)), self.requested)

    @typed()
    def retrained(self, n: int | None = None) -> Problem:
        """The problem without the requested samples: bound it, and serve from there.

        Its training from θ₀ is the deployed one with the requested samples left out of their slots,
        step by step.

        Parameters
        ----------
        n : int, optional
            Removals to be certified next; as many as before if not given.

        Raises
        ------
        InvalidInputError
            If a batch would be empty, no sample remains, or the new budget does not fit.
        UnsupportedError
            If each epoch has batches of its own and the learning rate decays, which no explicit
            batches can express.
        """
        problem, data, kept = self.problem, self.problem.dataset, self.kept
        if not len(kept):
            raise InvalidInputError(
                "samples: every sample is to be removed; nothing is left to train on"
            )
        place = {old: new for new, old in enumerate(kept.tolist())}
        vulnerable = problem.perturbation.vulnerable
        left = None if vulnerable is None else [place[old] for old in vulnerable if old in place]
        budget = problem.perturbation.n if n is None else n
        return replace(
            problem,
            dataset=Dataset(data.features[kept], data.labels[kept]),
            perturbation=Removal(budget, vulnerable=left),
            training=self._in_slots(place),
        )

    def _in_slots(self, place: dict[int, int]) -> Training:
        """The training with every sample that remains in its batch, under its new index."""
        problem = self.problem
        steps, epochs = problem.schedule, problem.training.epochs
        each = len(steps) // epochs
        alike = all(np.array_equal(batch, steps[t % each]) for t, batch in enumerate(steps))
        if not alike and problem.training.decay > 0:
            raise UnsupportedError(
                "retrained: batches that differ between epochs cannot be listed while "
                "training.decay is above 0"
            )
        batches = [
            [place[old] for old in batch.tolist() if old in place]
            for batch in (steps[:each] if alike else steps)
        ]
        for t, batch in enumerate(batches):
            if not batch:
                raise InvalidInputError(
                    f"samples: no sample would remain in the batch of step {t}; retrain with other "
                    f"batches"
                )
        fixed = tuple(map(tuple, batches))
        return replace(
            problem.training,
            batches=fixed,
            epochs=epochs if alike else 1,
            batch_size=None,
            seed=None,
            drop_last=False,
        )


@typed()
def serve(reach: Reach) -> Server:
    """Serve predictions of the nominal model of a problem under `Removal`.

    Parameters
    ----------
    reach : Reach
        Result of `agtopt.bound` for a problem whose perturbation model is ``Removal(n)``.

    Returns
    -------
    Server

    Raises
    ------
    InvalidInputError
        If the perturbation model is another one (S8), or the loss predicts no class.
    """
    instance("reach", reach, Reach)
    # A class derived from it may admit fewer datasets, and requests are not checked against it.
    if type(reach.problem.perturbation) is not Removal:
        raise InvalidInputError(
            f"serve: a domain under {type(reach.problem.perturbation).__name__} says nothing of "
            f"removals; bound the problem with Removal(n)"
        )
    if reach.problem.classes is None:
        raise InvalidInputError(
            f"serve: loss {reach.problem.training.loss.name!r} predicts no class; only classes are "
            f"served"
        )
    return Server(reach)
