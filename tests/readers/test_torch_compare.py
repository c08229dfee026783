"""A network that was read is the module: it trains as torch does, or it is refused; and the module
stays as it was."""

import copy
import random
import re

import numpy as np
import pytest
import torch
from torch import nn

import agtopt
from agtopt import Bounded, Dataset, Network, Problem, Training, UnsupportedError
from agtopt.training.concrete import trajectory
from tests.readers.modules import MODULES, dense


def between(change):
    """fc, a change of the value between, which may do anything else besides, and out."""
    module = dense(lambda m, x: m.out(change(m, m.fc(x))))
    module.calls, module.kept = 0, {"inside": []}
    return module


def beside(act):
    """fc and out, and besides whatever `act` does."""

    def change(module, h):
        act(module)
        return h

    return between(change)


def called(change):
    """A change in every call that is not seen by the trace."""
    return between(lambda module, h: change(module, h) if isinstance(h, torch.Tensor) else h)


def clamped(module):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.clamp_(-1e6, 1e6)


def clamped_data(module):
    for parameter in module.parameters():
        parameter.data.clamp_(-1.0, 1.0)


def counted(module):
    module.calls += 1


def rounded(module, h):
    h = h.clone()
    if h.requires_grad:
        h.register_hook(lambda gradient: gradient.half().double())
    return h


CHANGED = {
    "forward changes 'fc.weight'": beside(lambda m: m.fc.requires_grad_(False)),
    "forward changes 'fc.bias'": beside(
        lambda m: m.fc.bias.data.add_(1e-3) if isinstance(m.fc.bias, nn.Parameter) else None
    ),
    "forward changes 'fc.": beside(clamped),
    "only a forward that leaves everything as it was can be read": beside(clamped_data),
    "forward changes 'calls'": beside(counted),
    "forward changes 'kept'": beside(lambda m: m.kept["inside"].append(1)),
    "forward changes 'last'": beside(lambda m: setattr(m, "last", object())),
    "forward changes 'training'": beside(lambda m: m.train(not m.training)),
    "forward changes the random numbers of torch": beside(lambda m: torch.rand(1)),
    "forward changes the random numbers of NumPy": beside(lambda m: np.random.rand()),
    "forward changes the random numbers of Python": between(
        lambda m, h: torch.relu(h) if random.random() < 1e-12 else h
    ),
    "forward changes the samples that it is given": nn.Sequential(
        nn.LeakyReLU(0.1, inplace=True), nn.Linear(4, 2)
    ),
    "its backward pass fails: one of the variables needed": called(
        lambda m, h: torch.relu(h).mul_(2.0) / 2.0
    ),
    "in eval() at its weights": between(lambda m, h: h if m.training else torch.relu(h)),
    "in train() at its weights": called(lambda m, h: torch.relu(h)),
    "output in a batch of 5": called(lambda m, h: h.roll(1, 0)),
    "at large weights": called(lambda m, h: torch.relu(h) if m.fc.weight.abs().max() > 50 else h),
    "gradient of 'fc.weight' in a batch of 1, in train() at its weights": called(
        lambda m, h: h.detach()
    ),
    "gradient of 'fc.": called(rounded),
    "forward fails on float64 samples of shape (1, 4)": called(lambda m, h: h[:, 7]),
    "its output for 1 samples has shape (2,)": called(lambda m, h: h[0]),
}


@pytest.mark.parametrize("words", CHANGED)
def test_what_is_another_function_is_refused_with_where_it_differs(words):
    before = random.getstate(), torch.get_rng_state(), np.random.get_state()[1:3]
    with pytest.raises(UnsupportedError, match=re.escape(words)) as caught:
        Network.from_torch(CHANGED[words], (4,))
    assert "\n" not in str(caught.value)
    after = random.getstate(), torch.get_rng_state(), np.random.get_state()[1:3]
    assert before[0] == after[0]
    assert torch.equal(before[1], after[1])
    assert str(before[2]) == str(after[2])


def test_a_module_that_cannot_be_copied_is_named():
    module = dense(lambda m, x: m.out(m.fc(x)))
    module.last = module(torch.ones((1, 4)))
    with pytest.raises(UnsupportedError, match="Wrapped cannot be copied"):
        Network.from_torch(module)


@pytest.mark.parametrize("training", [True, False])
def test_the_module_stays_as_it_was(training):
    module = copy.deepcopy(MODULES["residual"][0]).train(training)
    module(torch.ones((2, 1, 8, 9))).sum().backward()
    module.stem.bias.grad = None
    held = {
        path: (
            p,
            p._version,
            p.detach().clone(),
            p.grad,
            None if p.grad is None else p.grad.clone(),
        )
        for path, p in module.named_parameters()
    }
    names = set(vars(module))
    with torch.no_grad():
        Network.from_torch(module, (1, 8, 9))
        assert not torch.is_grad_enabled()
    for path, parameter in module.named_parameters():
        own, version, value, slot, gradient = held[path]
        assert parameter is own
        assert (parameter._version, parameter.dtype, parameter.requires_grad) == (
            version,
            torch.float32,
            True,
        )
        assert torch.equal(parameter, value)
        assert parameter.grad is slot
        assert gradient is None or torch.equal(parameter.grad, gradient)
    assert all(part.training is training for part in module.modules())
    assert set(vars(module)) == names


def of_torch(module, problem):
    """The user's own loop."""
    training, theta = problem.training, []
    optimiser = torch.optim.SGD(
        module.parameters(),
        lr=training.learning_rate,
        momentum=training.momentum,
        weight_decay=training.weight_decay,
    )
    x, y = torch.tensor(problem.dataset.features), torch.tensor(problem.dataset.labels)
    for batch in problem.schedule:
        optimiser.zero_grad()
        z = module(x[batch])
        loss = (
            nn.functional.cross_entropy(z, y[batch].long())
            if z.shape[1] > 1
            else ((z[:, 0] - y[batch]) ** 2).mean()
        )
        loss.backward()
        optimiser.step()
        theta.append(nn.utils.parameters_to_vector(module.parameters()).detach().numpy())
    return np.stack(theta)


@pytest.mark.parametrize("case", MODULES)
def test_the_users_own_run_is_the_one_that_is_bounded(case):
    module, shape = copy.deepcopy(MODULES[case])
    module.double()
    network, generator = Network.from_torch(module, shape), np.random.default_rng(0)
    labels = (
        generator.integers(0, network.outputs, 6)
        if network.outputs > 1
        else generator.normal(size=6)
    )
    training = Training(
        "cross-entropy" if network.outputs > 1 else "squared",
        epochs=2,
        batch_size=4,
        learning_rate=0.1,
        momentum=0.5,
        weight_decay=0.01,
    )
    problem = Problem(
        network, Dataset(generator.normal(size=(6, *shape)), labels), Bounded(0), training
    )
    own = of_torch(module, problem)
    np.testing.assert_allclose(trajectory(problem)[1:], own, rtol=1e-10, atol=1e-12)
    for box, theta in zip(agtopt.bound(problem, "IBP").steps[1:], own, strict=True):
        assert box.contains(theta)
