"""S1, S5: no proof excludes a run, in 400 bits, at any scale of the data, with any clip, rate and
decay.

``python -m tests.properties.test_proofs 20000`` tries more models than a test has time for; each
has four proofs.
"""

import argparse
from collections import Counter
from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from mpmath import mp, mpf

import agtopt
from agtopt import AgtoptError, Dataset
from agtopt.attacks.runs import Attack
from agtopt.compiler import compile
from agtopt.solvers import SOLVERS, open_session
from agtopt.solvers import proof as searches
from tests.matrix import CELLS, cell_problem
from tests.properties.exact_runs import BITS, wide_parameters
from tests.rows import missed

LIMIT = 1.0
"""Seconds of a search: what is proved by then is judged, too."""

SHOWN = 3
"""Runs of a model that are trained in 400 bits."""


def scaled_problem(number):
    """A cell of the matrix at some scale, with some clip, rate, decay and momentum; small enough to
    be proved at once."""
    rng = np.random.default_rng([17, number])
    problem = cell_problem(
        CELLS[number % len(CELLS)],
        number,
        samples=int(rng.integers(3, 6)),
        steps=int(rng.integers(1, 4)),
    )
    clips = [None, None, 1.0, 100.0, 1e4]
    training = replace(
        problem.training,
        learning_rate=problem.training.learning_rate * float(rng.choice([0.01, 1.0, 1.0, 10.0])),
        clip=clips[rng.integers(len(clips))] if rng.random() < 0.8 else problem.training.clip,
        weight_decay=float(rng.choice([0.0, 0.01, 1.0]))
        if rng.random() < 0.6
        else problem.training.weight_decay,
        momentum=float(rng.choice([0.0, 0.9])) if rng.random() < 0.5 else problem.training.momentum,
    )
    if training.floor > 0.0:
        training = replace(training, floor=min(training.floor, training.learning_rate))
    features = problem.dataset.features * 10.0 ** rng.integers(-9, 3)
    return replace(
        problem, dataset=Dataset(features, problem.dataset.labels), training=training
    ), rng


def attempted(number):
    """What happened to each proof of one model: a word, and of a false one all that is needed to
    see it again."""
    try:
        problem, rng = scaled_problem(number)
        model = compile(problem, "MILP", conditional=bool(rng.random() < 0.5))
    except AgtoptError as error:
        return [(type(error).__name__, "")]
    if not model.moving.any():
        return [("nothing moves", "")]
    runs, found = agtopt.attack(problem, limit=60), []
    # Replaying three classes rounds more than a framework does.
    if problem.training.loss.name != "cross-entropy":
        model.assign(problem.dataset)
        found += [
            ("false row", f"{number}: {problem.name}: {text}") for text in missed(model.pyomo)[0]
        ]
    session = open_session(SOLVERS["proof"], model.pyomo)
    started = bool(rng.random() < 0.5)
    moving = np.flatnonzero(model.moving)
    for k, sense in [(int(k), sense) for k in rng.permutation(moving)[:2] for sense in (1.0, -1.0)]:
        model.minimise(sense * np.eye(problem.network.size)[k])
        order = np.argsort(sense * runs.theta[:, k])
        if started:
            # The nominal run, or any other: not the best.
            model.assign(
                problem.dataset
                if rng.random() < 0.7
                else runs.datasets[int(order[len(order) // 2])]
            )
        result = session.solve(LIMIT, start=started)
        found.append(_judged(problem, runs, (number, k, sense), order, session, result))
    return found


def _judged(problem: agtopt.Problem, runs: Attack, which, order, session, result):
    number, k, sense = which
    if result.status == "infeasible":
        return "false empty", f"{number}: {problem.name}, {sense:+g} θ[{k}]"
    bound = session.tree.bound()
    for place in order[:SHOWN]:
        exact = wide_parameters(problem, runs.datasets[int(place)])[k]
        with mp.workprec(BITS):
            for value in (exact, mpf(float(runs.theta[place, k]))):
                if mpf(bound) > mpf(sense) * value:
                    return (
                        "false",
                        f"{number}: {problem.name}, {sense:+g} θ[{k}]: {bound} > "
                        f"{float(sense * value)}",
                    )
    return "right" if np.isfinite(bound) else "nothing proved", ""


@pytest.mark.slow
@pytest.mark.parametrize("gap", [1e-5, 1e-13])
@pytest.mark.parametrize("part", range(3))
def test_no_proof_excludes_a_run(part, gap, monkeypatch):
    """Without a gap a bound that is too tight by a few roundings is seen, too."""
    monkeypatch.setattr(searches, "RELATIVE_GAP", gap)
    outcomes = [
        outcome
        for number in range(part, 15, 3)
        for outcome in attempted(number + 1000 * (gap < 1e-9))
    ]
    assert [text for word, text in outcomes if word.startswith("false")] == []
    assert sum(word == "right" for word, _ in outcomes) > 8


def main():
    options = argparse.ArgumentParser()
    options.add_argument("models", type=int)
    options.add_argument("--first", type=int, default=0)
    options.add_argument("--gap", type=float, default=searches.RELATIVE_GAP)
    asked = options.parse_args()
    searches.RELATIVE_GAP = asked.gap
    counts, began = Counter(), perf_counter()
    for number in range(asked.first, asked.first + asked.models):
        for word, text in attempted(number):
            counts[word] += 1
            if word.startswith("false") or word == "SoundnessError":
                print(word, number, text, flush=True)
        if (number + 1) % 50 == 0:
            print(number + 1, dict(counts), f"{perf_counter() - began:.0f} s", flush=True)
    print("done", dict(counts), flush=True)


if __name__ == "__main__":
    main()
