"""The problems of one sample."""

from dataclasses import replace

import numpy as np
import pytest

import agtopt
from agtopt import (
    CROWN,
    MILP,
    Bounded,
    Dataset,
    Network,
    Problem,
    Removal,
    Substitution,
    Training,
    UnsupportedError,
    bound_samplewise,
)
from agtopt.attacks import sampled_attack
from agtopt.compiler import compile
from agtopt.drivers.samples import Samples
from agtopt.intervals.adversary import TouchedSamples, interval_adversary
from tests.drivers.samplewise.cases import assert_holds_runs, every_cell
from tests.instances import corrupted, random_problem
from tests.matrix import cell_problem
from tests.reference import torch_losses, torch_model, torch_states


@every_cell
def test_a_sample_alone_takes_its_gradient_as_a_step_and_holds_whatever_it_may_become(cell):
    problem = cell_problem(cell, eps=0.1)
    adversary = interval_adversary(problem.perturbation, problem)
    inner = sampled_attack(problem, 20)
    samples = Samples(problem, adversary, inner)
    for t in range(problem.steps):
        size = problem.network.size
        box = agtopt.bound(problem, CROWN).states[t]
        theta = agtopt.Interval(box.lower[:size], box.upper[:size])
        cases = list(samples.cases(t))
        assert len(cases) == samples.count(t)
        assert len({case.place for case in cases}) == len(cases)
        for case in cases[:: 1 + len(cases) // 8]:
            if case.problem is None:
                continue
            attained = samples.attained(t, case, theta)
            states = torch_states(case.problem)
            nominal = gradient_by_torch(case.problem)
            np.testing.assert_allclose(states[0] - states[1], nominal, rtol=0, atol=1e-12)
            flat = problem.network.flatten(
                {name: ends[1] for name, ends in attained.items()} | frozen(problem)
            )
            trained = (
                problem.network.flatten(
                    {name: np.ones(problem.network.initial[name].shape) for name in attained}
                    | frozen(problem)
                )
                > 0
            )
            if case.words != "a replaced sample":
                assert np.all(flat[trained] >= nominal[trained] - 1e-12)
            model = compile(case.problem, MILP, 0, 1, theta, conditional=False)
            for dataset in (case.problem.dataset, *corrupted(case.problem, 3)):
                assert case.problem.perturbation.admits(case.problem, dataset)
                assert model.replay_error(dataset) <= 1e-9


def frozen(problem):
    return {
        name: np.zeros_like(value)
        for name, value in problem.network.initial.items()
        if name not in problem.trained
    }


def gradient_by_torch(problem):
    model = torch_model(problem.network)
    tensors = model.tensors()
    import torch

    z = model(torch.tensor(problem.dataset.features))
    loss = torch_losses(problem.training.loss.name, z, torch.tensor(problem.dataset.labels))
    trained = [name for name in problem.network.initial if name in problem.trained]
    found = torch.autograd.grad(loss.sum(), [tensors[name] for name in trained], allow_unused=True)
    return problem.network.flatten(
        frozen(problem)
        | {
            name: np.zeros_like(problem.network.initial[name]) if g is None else g.numpy()
            for name, g in zip(trained, found, strict=True)
        }
    )


@every_cell
def test_what_an_adversary_makes_of_a_sample_is_admitted_by_its_own_problem(cell):
    problem = cell_problem(cell, eps=0.1)
    adversary = interval_adversary(problem.perturbation, problem)
    samples = Samples(problem, adversary, sampled_attack(problem, 5))
    nominal, seen = problem.dataset, 0
    for t in range(problem.steps):
        cases = {case.place: case for case in samples.cases(t)}
        for dataset in corrupted(problem, 10):
            changed = dataset.changed(nominal)
            for row, sample in enumerate(problem.schedule[t].tolist()):
                if not changed[sample] or isinstance(problem.perturbation, Removal):
                    continue
                ghost = isinstance(problem.perturbation, Substitution)
                case = cases[(len(problem.schedule[t]),) if ghost else (len(samples.variants), row)]
                alone = Dataset(
                    dataset.features[sample : sample + 1], dataset.labels[sample : sample + 1]
                )
                assert case.problem.perturbation.admits(case.problem, alone)
                seen += 1
    assert seen or cell.adversary == "removal"


@pytest.mark.parametrize("p", [1, 2, np.inf])
def test_a_sample_alone_may_become_no_more_than_before(p):
    """Balls stay balls, and flips the allowed ones; a corner of the box lies outside of the
    balls."""
    data = Dataset(np.zeros((3, 2)), np.arange(3.0))
    model = Bounded(2, eps=0.5, p=p, nu=1, q=0, flips=[(0, 1), (1, 2)], vulnerable=[0, 1])
    problem = Problem(Network.dense([2, 2, 3]), data, model, Training("cross-entropy"))
    samples = Samples(problem, interval_adversary(model, problem), sampled_attack(problem, 5))
    for case in samples.cases(0):
        own, alone = float(case.place[1]), case.problem
        if alone is None:
            assert own == 2.0
            continue
        allowed = {own, own + 1.0} if case.place[0] else {own}
        for label in (0.0, 1.0, 2.0):
            assert alone.perturbation.admits(alone, Dataset([[0.0, 0.0]], [label])) == (
                label in allowed
            ), (case.words, label)
        for corner, within in (([0.5, 0.0], True), ([0.3, 0.3], p != 1), ([0.5, 0.5], p == np.inf)):
            found = alone.perturbation.admits(alone, Dataset([corner], [own]))
            assert found == (within and case.place[0] == 1), (case.words, corner)


def test_samples_that_no_one_may_touch_stand_as_they_are():
    """Limited flips, and samples that are not vulnerable."""
    base = random_problem(1, 2, "hinge", "flips", samples=4, steps=2, n=2)
    labels = np.array([1.0, -1.0, 1.0, -1.0])
    model = Bounded(2, nu=1, q=0, flips=[(1, -1)], vulnerable=[0, 1])
    problem = replace(
        base,
        dataset=Dataset(base.dataset.features, labels),
        perturbation=model,
        training=Training("hinge", epochs=2),
    )
    samples = Samples(problem, interval_adversary(model, problem), sampled_attack(problem, 5))
    touched = {case.place[1]: case.problem for case in samples.cases(0) if case.place[0] == 1}
    assert [touched[row] is None for row in range(4)] == [False, True, True, True]
    assert_holds_runs(bound_samplewise(problem, MILP), problem.perturbation.enumerate(problem))


def test_an_adversary_with_a_meaning_of_its_own_is_refused(problem):
    class Other(TouchedSamples):
        """Its rows are what samples may become, not what they are."""

    other = Other(problem, [(True, True)], (1,))
    other.variants = None
    with pytest.raises(UnsupportedError, match="Other has no sample-wise"):
        Samples(problem, other, sampled_attack(problem, 2))
    assert isinstance(interval_adversary(problem.perturbation, problem), TouchedSamples)
