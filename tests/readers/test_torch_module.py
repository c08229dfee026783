"""Modules of torch: outputs and order of the parameters as torch has them; what cannot be read is named."""

import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from agtopt import InvalidInputError, Network, UnsupportedError
from agtopt.problem import Add, Conv2d, Flatten, LeakyReLU
from tests.readers.evaluate import outputs


class Residual(nn.Module):
    """Parameters are registered in another order than they are used in."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(32, 3)
        self.body = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(2, 2, 3, padding="same", bias=False))
        self.stem = nn.Conv2d(1, 2, (3, 2), stride=2, padding=(1, 0))
        self.act = nn.LeakyReLU(0.2)
        self.input = nn.Identity()

    def forward(self, x):
        x = self.act(self.stem(self.input(x)))
        x = torch.relu(x + self.body(x))
        return self.head(torch.flatten(x, 1))


class Wrapped(nn.Module):
    """A module whose forward is the given function of it and x."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.formula = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x):
        return self.formula(self, x)


def dense(forward, **parts):
    return Wrapped(forward, fc=nn.Linear(4, 4), out=nn.Linear(4, 2), **parts)


MODULES = {
    "nested": (
        nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Identity(), nn.Linear(4, 4, bias=False)), nn.LeakyReLU(0.1)),
        (3,),
    ),
    "convolutional": (
        nn.Sequential(nn.Conv2d(3, 4, 3, padding="valid"), nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(0.0), nn.Flatten(), nn.Linear(16, 2)),
        (3, 6, 7),
    ),
    "pool": (nn.Sequential(nn.AvgPool2d((2, 3), stride=(1, 2)), nn.Flatten(), nn.Linear(6, 2)), (1, 4, 5)),
    "residual": (Residual(), (1, 8, 9)),
    "block in a Sequential": (nn.Sequential(nn.Linear(4, 4), dense(lambda m, x: m.out(m.fc(x) + x)), nn.ReLU()), (4,)),
    "one layer": (nn.Linear(5, 2), (5,)),
    "functions": (dense(lambda m, x: m.out(functional.leaky_relu(functional.relu(m.fc(x).relu()), negative_slope=0.3))), (4,)),
    "a ReLU twice": (dense(lambda m, x: m.act(m.out(m.act(m.fc(x)))), act=nn.ReLU()), (4,)),
    "sums": (dense(lambda m, x: m.out(torch.add(m.fc(x), x).add(torch.relu(x)))), (4,)),
    "overwriting sum": (dense(lambda m, x: m.out(functional.relu(overwritten(m.fc(x), x)))), (4,)),
    "view": (dense(lambda m, x: m.out(m.fc(x.view(x.size(0), -1)))), (2, 2)),
    "view by shape": (dense(lambda m, x: m.out(m.fc(x.view(x.shape[0], -1)))), (1, 2, 2)),
    "view by size": (dense(lambda m, x: m.out(m.fc(x.view((x.size()[0], 4))))), (2, 2)),
    "view of a known size": (dense(lambda m, x: m.out(m.fc(x.view(-1, 4)))), (2, 2)),
    "reshape": (dense(lambda m, x: m.out(m.fc(torch.reshape(x, (x.size(0), -1)).reshape(-1, 4).flatten(start_dim=1)))), (2, 2)),
}


def overwritten(x, y):
    x += y
    return x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", MODULES)
def test_outputs_and_the_order_of_parameters_are_those_of_torch(case, dtype):
    module, shape = MODULES[case]
    module = module.to(dtype)
    network = Network.from_torch(module, shape)
    flat = nn.utils.parameters_to_vector(module.parameters()).detach().double().numpy()
    np.testing.assert_array_equal(network.flatten(network.initial), flat)
    assert network.input_shape == shape
    x = np.random.default_rng(0).normal(size=(5, *shape))
    expected = module.double()(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(outputs(network, x), expected, rtol=1e-12, atol=1e-14)


def test_the_order_survives_unflattening():
    module = Residual()
    network = Network.from_torch(module, (1, 8, 9))
    assert list(network.initial)[:2] == ["head_weight", "head_bias"]
    assert network.nodes[0] == "stem"
    theta = np.arange(network.size, dtype=float)
    np.testing.assert_array_equal(network.flatten(network.unflatten(theta)), theta)
    nn.utils.vector_to_parameters(torch.tensor(theta), module.double().parameters())
    np.testing.assert_array_equal(network.unflatten(theta)["stem_weight"], module.stem.weight.detach())


def test_layers_of_a_sequential_are_named_by_kind():
    network = Network.from_torch(MODULES["nested"][0])
    assert network.nodes == ("dense1", "relu1", "dense2", "leakyrelu1")
    assert network.input_shape == (3,)
    assert network.layer("leakyrelu1") == LeakyReLU(0.1)


def test_traced_layers_are_named_by_path_and_functions_by_kind():
    network = Network.from_torch(Residual(), (1, 8, 9))
    assert network.nodes == ("stem", "act", "body_0", "body_1", "body_2", "add", "relu", "flatten", "head")
    assert network.layer("body_2") == Conv2d(2, 2, 3, padding=1, bias=False)
    assert isinstance(network.layer("add"), Add)
    assert network.inputs_of("add") == ("act", "body_2")
    assert Network.from_torch(MODULES["a ReLU twice"][0]).nodes == ("fc", "act", "out", "act_1")


def test_names_never_clash():
    module = Wrapped(
        lambda m, x: m.input(m.relu(m.a.b(x)).relu() + m.a_b(x)),
        input=nn.Linear(3, 1),
        relu=nn.ReLU(),
        a=Wrapped(None, b=nn.Linear(2, 3)),
        a_b=nn.Linear(2, 3),
    )
    network = Network.from_torch(module)
    assert len(set(network.nodes)) == 6
    x = np.random.default_rng(1).normal(size=(4, 2))
    np.testing.assert_allclose(outputs(network, x), module.double()(torch.tensor(x)).detach(), rtol=1e-12)


def test_what_does_not_lead_to_the_output_is_left_out():
    def forward(module, x):
        torch.relu(module.fc(x))
        return module.out(module.fc2(x))

    network = Network.from_torch(Wrapped(lambda m, x: [m.out(x), torch.relu(x)][0], out=nn.Linear(2, 1)))
    assert network.nodes == ("out",)
    with pytest.raises(UnsupportedError, match=r"parameter 'fc\.weight' has no part in the output"):
        Network.from_torch(Wrapped(forward, fc=nn.Linear(2, 2), fc2=nn.Linear(2, 2), out=nn.Linear(2, 1)))


def test_frozen_parameters_are_read_like_all_others():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)).requires_grad_(False)
    assert Network.from_torch(module).size == 9


def tied():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = module[0].weight
    return module


UNSUPPORTED = {
    "1 (Tanh)": nn.Sequential(nn.Linear(2, 1), nn.Tanh()),
    "norm (BatchNorm1d)": dense(lambda m, x: m.out(m.norm(m.fc(x))), norm=nn.BatchNorm1d(4)),
    "drop (Dropout) is not supported: p must be 0, not 0.5": dense(lambda m, x: m.out(m.drop(m.fc(x))), drop=nn.Dropout(0.5)).eval(),
    "0 (Conv2d) is not supported: groups must be 1, not 2": nn.Sequential(nn.Conv2d(2, 2, 1, groups=2)),
    "dilation must be 1": nn.Sequential(nn.Conv2d(2, 2, 2, dilation=2)),
    "padding_mode must be 'zeros', not 'reflect'": nn.Sequential(nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect")),
    "padding='same' pads kernel_size (2, 3) unevenly": nn.Sequential(nn.Conv2d(2, 2, (2, 3), padding="same")),
    "padding must be 0, not 1": nn.Sequential(nn.AvgPool2d(2, padding=1)),
    "ceil_mode": nn.Sequential(nn.AvgPool2d(2, ceil_mode=True)),
    "divisor_override": nn.Sequential(nn.AvgPool2d(2, divisor_override=3)),
    "0 (Flatten) is not supported: start_dim must be 1": nn.Sequential(nn.Flatten(0), nn.Linear(4, 1)),
    "flatten (flatten) is not supported: start_dim must be 1": dense(lambda m, x: m.out(m.fc(torch.flatten(x)))),
    "add (add) is not supported: it takes 1": dense(lambda m, x: m.out(m.fc(x) + 1)),
    "alpha must be 1, not 2": dense(lambda m, x: m.out(torch.add(m.fc(x), x, alpha=2))),
    "takes ['input', 'input'], one of them twice": dense(lambda m, x: m.out(m.fc(x + x))),
    "mul (mul)": dense(lambda m, x: m.out(m.fc(x) * x)),
    "sub (sub)": dense(lambda m, x: m.out(m.fc(x) - x)),
    "linear (linear)": dense(lambda m, x: functional.linear(x, m.fc.weight)),
    "it takes fc_weight, which is not the output of a layer": dense(lambda m, x: m.out(x + m.fc.weight)),
    "dropout (dropout)": dense(lambda m, x: m.out(functional.dropout(m.fc(x)))),
    "view (view) is not supported: the shape must be": dense(lambda m, x: m.out(m.fc(x.view(x.size(0), 2, 2)))),
    "reshape (reshape) is not supported: the shape must be": dense(lambda m, x: m.out(m.fc(x.reshape(1, -1)))),
    "size (size)": dense(lambda m, x: m.out(m.fc(x.view(-1, x.size(1))))),
    "relu_ (relu_)": dense(lambda m, x: m.out(m.fc(x).relu_())),
    "leaky_relu": dense(lambda m, x: m.out(torch.nn.functional.leaky_relu(m.fc(x), slope=0.1)), act=nn.ReLU()),
    "output (output) is not supported: it takes (out, fc)": dense(lambda m, x: (m.out(x), m.fc(x))),
    "fc (Linear) is not supported: its weights are shared": dense(lambda m, x: m.out(m.fc(m.fc(x)))),
    "1 (Linear) is not supported: its weights are shared": tied(),
    "cannot be traced by torch.fx": dense(lambda m, x: m.out(m.fc(x)) if x.sum() > 0 else m.out(x)),
    "act overwrites fc, which act, add read; write it without inplace": dense(lambda m, x: sums(m, m.fc(x)), act=nn.ReLU(inplace=True)),
    "relu overwrites fc, which": dense(lambda m, x: m.out(overwriting_view(m.fc(x)))),
    "add overwrites fc, which": dense(lambda m, x: m.out(twice(m.fc(x), x))),
    "act overwrites out, which act, output read": dense(lambda m, x: discarded(m, m.out(m.fc(x))), act=nn.ReLU(inplace=True)),
}


def sums(module, z):
    return module.out(module.act(z) + z)


def discarded(module, z):
    module.act(z)
    return z


def overwriting_view(z):
    return functional.relu(z.flatten(1), inplace=True) + z


def twice(z, x):
    before = z
    z += x
    return z + before


@pytest.mark.parametrize("words", UNSUPPORTED)
def test_what_is_not_supported_is_named(words):
    with pytest.raises(UnsupportedError, match=re.escape(words)) as caught:
        Network.from_torch(UNSUPPORTED[words], (4,))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("module: ")


def test_a_refusal_says_what_is_allowed():
    with pytest.raises(UnsupportedError, match=r"allowed are the modules Linear, Conv2d.* and the functions add, flatten, .*view"):
        Network.from_torch(nn.Sequential(nn.Tanh()))


def test_a_further_argument_of_forward_cannot_be_used():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(2, 1)

        def forward(self, x, mask=None):
            return self.fc(x + mask)

    with pytest.raises(UnsupportedError, match="it takes mask, which is not the output of a layer"):
        Network.from_torch(Masked())


class Own(nn.Linear):
    def forward(self, x):
        return 2 * super().forward(x)


def test_a_subclass_is_not_taken_for_its_base():
    with pytest.raises(UnsupportedError, match="linear"):
        Network.from_torch(nn.Sequential(Own(2, 1)))
    parametrised = nn.utils.parametrizations.weight_norm(nn.Linear(2, 1))
    with pytest.raises(UnsupportedError, match="ParametrizedLinear"):
        Network.from_torch(nn.Sequential(parametrised))


@pytest.mark.parametrize(
    ("module", "shape", "words"),
    [
        (3, None, "module: int is not allowed"),
        (nn.Sequential(), None, "no Linear or Conv2d"),
        (nn.Sequential(nn.ReLU()), None, "no Linear or Conv2d"),
        (nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 1)), None, "input_shape: is needed where the first layer is Conv2d"),
        (nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2, 1)), None, "input_shape: is needed where the first layer is AvgPool2d"),
        (nn.Sequential(nn.Linear(2, 1)), (3,), r"Dense\(2, 1\) does not fit an input of shape \(3,\)"),
        (nn.Sequential(nn.Linear(2, 1)), (0,), "input_shape: 0"),
        (
            Wrapped(lambda m, x: m.fc(x).view(-1, 2), fc=nn.Linear(2, 4)),
            None,
            r"'view' reshapes a sample to \(2,\); its size here is \(4,\)",
        ),
        (nn.Sequential(nn.Linear(2, 1), nn.LeakyReLU(2.0)), None, "LeakyReLU.slope: 2"),
    ],
)
def test_bad_input_is_named(module, shape, words):
    with pytest.raises(InvalidInputError, match=words) as caught:
        Network.from_torch(module, shape)
    assert "\n" not in str(caught.value)


def test_a_flattened_input_keeps_the_shape_that_was_given():
    network = Network.from_torch(MODULES["view"][0], (2, 2))
    assert network.shapes["view"] == (4,)
    assert isinstance(network.layer("view"), Flatten)
