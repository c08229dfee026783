"""Ctrl-C in the middle of a certificate: nothing further is bounded, and nothing that was cut short
is taken for an answer."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

import agtopt
from agtopt import Bounded
from agtopt.attacks.runs import summarised
from agtopt.cases import curves
from agtopt.certificates import Record, certify_end_to_end, end_to_end, verify
from agtopt.certificates.ladder import ladder
from agtopt.drivers import questions, stage
from agtopt.problem import Datasets


@pytest.fixture
def points(half_moons):
    return np.random.default_rng(0).normal(size=(30, *half_moons.network.input_shape))


def stopped_at(call, function):
    """`function`, with a Ctrl-C in a call; what was called stands in `asked`."""
    asked = []

    def called(*arguments, **options):
        asked.append(arguments)
        if len(asked) == call:
            raise KeyboardInterrupt
        return function(*arguments, **options)

    return called, asked


def cut_short(reach):
    return replace(reach, interrupted=True)


def test_a_ladder_keeps_no_rung_that_was_cut_short(half_moons, points):
    """It would say that nothing is certified there; what asks again gets the answer."""
    asked = []

    def bounder(problem):
        asked.append(problem.perturbation.n)
        reach = agtopt.bound(problem, "IBP")
        return cut_short(reach) if len(asked) == 2 else reach

    expected = ladder(half_moons, (1, 2, 3, 4)).distances(points)
    found = ladder(half_moons, (1, 2, 3, 4), bounder)
    with pytest.raises(KeyboardInterrupt):
        found.distances(points)
    first, second = asked
    np.testing.assert_array_equal(found.distances(points), expected)
    assert asked.count(first) == 1
    assert asked.count(second) == 2


def test_a_curve_bounds_no_further_adversary(half_moons, points, monkeypatch):
    asked = []

    def bounder(problem, kind):
        asked.append(problem)
        return cut_short(agtopt.bound(problem, kind))

    monkeypatch.setattr(curves, "bound", bounder)
    adversaries = {n: Bounded(n, nu=1, q=0) for n in (1, 2, 3)}
    labels = np.resize(half_moons.classes, len(points))
    with pytest.raises(KeyboardInterrupt):
        curves.sweep(half_moons, adversaries, points, labels, "n")
    assert len(asked) == 1


@pytest.mark.parametrize("place", ["a question", "a solve", "a witness"])
def test_a_query_that_is_interrupted_asks_no_more(flips, monkeypatch, place):
    """Wherever it comes, what the domain certifies is there. The attack knows the nominal run
    alone, so that solvers find what refutes."""
    x = np.random.default_rng(1).normal(size=(8, *flips.network.input_shape))
    reach, alone = agtopt.bound(flips, "IBP"), summarised(flips, Datasets(flips.dataset, 1), False)
    module, name = {
        "a question": (end_to_end, "score_bounds"),
        "a solve": (questions, "run_question"),
        "a witness": (end_to_end, "trajectory"),
    }[place]
    called, asked = stopped_at(2, getattr(module, name))
    monkeypatch.setattr(module, name, called)
    solves, solve = [], stage.open_session
    monkeypatch.setattr(stage, "open_session", lambda *a: solves.append(len(asked)) or solve(*a))
    found = certify_end_to_end(reach, x, attack=alone)
    assert len(asked) == 2
    assert found.interrupted
    assert 2 not in solves
    np.testing.assert_array_equal(found.refuted, [each is not None for each in found.witnesses])
    assert np.all(found.stable >= agtopt.certify(reach, x).stable)


def test_a_check_that_is_interrupted_is_no_verdict(half_moons, points, monkeypatch):
    reach = agtopt.bound(half_moons, "IBP")
    record = Record.of(reach, agtopt.certify(reach, points))
    checks = import_module("agtopt.certificates.verify")  # beside the function of its name
    monkeypatch.setattr(checks, "bound", lambda *_, **__: cut_short(reach))
    with pytest.raises(KeyboardInterrupt):
        verify(record, half_moons)
