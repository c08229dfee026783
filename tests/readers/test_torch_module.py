"""Modules of torch: outputs and order of the parameters as torch has them; what cannot be read is
named."""

import re
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from agtopt import Bounded, Dataset, InvalidInputError, Network, Problem, Training, UnsupportedError
from agtopt.problem import Add, Conv2d, Flatten, LeakyReLU
from tests.readers.evaluate import outputs
from tests.readers.modules import MODULES, Residual, Wrapped, dense


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
    np.testing.assert_array_equal(
        network.unflatten(theta)["stem_weight"], module.stem.weight.detach()
    )


def test_layers_of_a_sequential_are_named_by_kind():
    network = Network.from_torch(MODULES["nested"][0])
    assert network.nodes == ("dense1", "relu1", "dense2", "leakyrelu1")
    assert network.input_shape == (3,)
    assert network.layer("leakyrelu1") == LeakyReLU(0.1)


def test_traced_layers_are_named_by_path_and_functions_by_kind():
    network = Network.from_torch(Residual(), (1, 8, 9))
    assert network.nodes == (
        "stem",
        "act",
        "body_0",
        "body_1",
        "body_2",
        "add",
        "relu",
        "flatten",
        "head",
    )
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
    np.testing.assert_allclose(
        outputs(network, x), module.double()(torch.tensor(x)).detach(), rtol=1e-12
    )


def test_what_does_not_lead_to_the_output_is_left_out():
    def forward(module, x):
        torch.relu(module.fc(x))
        return module.out(module.fc2(x))

    network = Network.from_torch(
        Wrapped(lambda m, x: [m.out(x), torch.relu(x)][0], out=nn.Linear(2, 1))
    )
    assert network.nodes == ("out",)
    with pytest.raises(UnsupportedError, match=r"parameter 'fc\.weight' has no part in the output"):
        Network.from_torch(
            Wrapped(forward, fc=nn.Linear(2, 2), fc2=nn.Linear(2, 2), out=nn.Linear(2, 1))
        )


def test_what_torch_does_not_train_is_named_with_the_way_to_freeze_it():
    module = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    module[0].requires_grad_(False)
    module[2].bias.requires_grad_(False)
    with pytest.warns(
        UserWarning, match=re.escape("give Training(frozen=['dense1', 'dense2_bias'])")
    ) as caught:
        network = Network.from_torch(module)
    assert caught[0].filename == __file__
    training = Training("squared", epochs=2, frozen=["dense1", "dense2_bias"])
    problem = Problem(network, Dataset(np.eye(2), [1.0, 2.0]), Bounded(0), training)
    assert problem.trained == ("dense2_weight",)


def test_what_torch_trains_needs_no_warning(recwarn):
    Network.from_torch(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)))
    assert not recwarn.list


def tied():
    module = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    module[1].weight = module[0].weight
    return module


def under(mode, module, x):
    with mode:
        return module(x)


def silent_autocast():
    with warnings.catch_warnings(action="ignore"):
        return torch.autocast("cuda")


def last(z):
    torch.set_grad_enabled(False)
    return z


class Reversed(torch.autograd.Function):
    """A ReLU whose gradient is turned round."""

    @staticmethod
    def forward(ctx, z):
        return torch.relu(z)

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


def scaled(forward):
    module = Wrapped(forward, out=nn.Linear(4, 2))
    module.register_buffer("mean", torch.ones(4))
    return module


def fixed():
    module = dense(lambda m, x: m.out(m.fc(x)))
    weight = module.fc.weight.detach().clone()
    del module.fc.weight
    module.fc.register_buffer("weight", weight)
    return module


UNSUPPORTED = {
    "1 (Tanh)": nn.Sequential(nn.Linear(2, 1), nn.Tanh()),
    "norm (BatchNorm1d)": dense(lambda m, x: m.out(m.norm(m.fc(x))), norm=nn.BatchNorm1d(4)),
    "drop (Dropout) is not supported: p must be 0, not 0.5": dense(
        lambda m, x: m.out(m.drop(m.fc(x))), drop=nn.Dropout(0.5)
    ).eval(),
    "0 (Conv2d) is not supported: groups must be 1, not 2": nn.Sequential(
        nn.Conv2d(2, 2, 1, groups=2)
    ),
    "dilation must be 1": nn.Sequential(nn.Conv2d(2, 2, 2, dilation=2)),
    "padding_mode must be 'zeros', not 'reflect'": nn.Sequential(
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect")
    ),
    "padding='same' pads kernel_size (2, 3) unevenly": nn.Sequential(
        nn.Conv2d(2, 2, (2, 3), padding="same")
    ),
    "padding must be 0, not 1": nn.Sequential(nn.AvgPool2d(2, padding=1)),
    "ceil_mode": nn.Sequential(nn.AvgPool2d(2, ceil_mode=True)),
    "divisor_override": nn.Sequential(nn.AvgPool2d(2, divisor_override=3)),
    "0 (Flatten) is not supported: start_dim must be 1": nn.Sequential(
        nn.Flatten(0), nn.Linear(4, 1)
    ),
    "flatten (flatten) is not supported: start_dim must be 1": dense(
        lambda m, x: m.out(m.fc(torch.flatten(x)))
    ),
    "add (add) is not supported: it takes 1": dense(lambda m, x: m.out(m.fc(x) + 1)),
    "alpha must be 1, not 2": dense(lambda m, x: m.out(torch.add(m.fc(x), x, alpha=2))),
    "takes ['input', 'input'], one of them twice": dense(lambda m, x: m.out(m.fc(x + x))),
    "mul (mul)": dense(lambda m, x: m.out(m.fc(x) * x)),
    "sub (sub)": dense(lambda m, x: m.out(m.fc(x) - x)),
    "linear (linear)": dense(lambda m, x: functional.linear(x, m.fc.weight)),
    "it takes fc_weight, which is not the output of a layer": dense(
        lambda m, x: m.out(x + m.fc.weight)
    ),
    "dropout (dropout)": dense(lambda m, x: m.out(functional.dropout(m.fc(x)))),
    "view (view) is not supported: the shape must be": dense(
        lambda m, x: m.out(m.fc(x.view(x.size(0), 2, 2)))
    ),
    "reshape (reshape) is not supported: the shape must be": dense(
        lambda m, x: m.out(m.fc(x.reshape(1, -1)))
    ),
    "size (size)": dense(lambda m, x: m.out(m.fc(x.view(-1, x.size(1))))),
    "relu_ (relu_)": dense(lambda m, x: m.out(m.fc(x).relu_())),
    "leaky_relu": dense(
        lambda m, x: m.out(torch.nn.functional.leaky_relu(m.fc(x), slope=0.1)), act=nn.ReLU()
    ),
    "output (output) is not supported: it takes (out, fc)": dense(lambda m, x: (m.out(x), m.fc(x))),
    "fc (Linear) is not supported: its weights are shared": dense(
        lambda m, x: m.out(m.fc(m.fc(x)))
    ),
    "1 (Linear) is not supported: its weights are shared": tied(),
    "cannot be traced by torch.fx": dense(lambda m, x: m.out(m.fc(x)) if x.sum() > 0 else m.out(x)),
    "act overwrites fc, which act, add read; write it without inplace": dense(
        lambda m, x: sums(m, m.fc(x)), act=nn.ReLU(inplace=True)
    ),
    "relu overwrites fc, which": dense(lambda m, x: m.out(overwriting_view(m.fc(x)))),
    "add overwrites fc, which": dense(lambda m, x: m.out(twice(m.fc(x), x))),
    "forward switches the recording of gradients (torch.no_grad": dense(
        lambda m, x: m.out(under(torch.no_grad(), m.fc, x))
    ),
    "forward switches torch.inference_mode before 'fc'": dense(
        lambda m, x: m.out(under(torch.inference_mode(), m.fc, x))
    ),
    "torch.set_grad_enabled, an autograd function of its own) before 'output'": dense(
        lambda m, x: last(m.out(m.fc(x)))
    ),
    "an autograd function of its own) before 'relu'": dense(
        lambda m, x: m.out(Reversed.apply(m.fc(x)))
    ),
    "forward switches torch.autocast before": dense(
        lambda m, x: m.out(under(torch.autocast("cpu", torch.bfloat16), m.fc, x))
    ),
    "forward switches torch.autocast before 'out'": dense(
        lambda m, x: under(silent_autocast(), m.out, m.fc(x))
    ),
    "detach (detach) is not supported: it stops gradients": dense(
        lambda m, x: m.out(m.fc(x).detach())
    ),
    "getattr_1 (getattr) is not supported: it stops gradients": dense(
        lambda m, x: m.out(m.fc(x).data)
    ),
    "and freeze what it is meant to leave alone by Training(frozen=": dense(
        lambda m, x: m.out(torch.detach(m.fc(x)))
    ),
    "sub (sub) is not supported: no layer does the same; a fixed scaling of the inputs": scaled(
        lambda m, x: m.out((x - m.mean) / 3)
    ),
    "belongs to the data: scale the features": scaled(lambda m, x: m.out(x / 255.0)),
    "it takes mean, which is not the output of a layer; a fixed scaling": scaled(
        lambda m, x: m.out(x + m.mean)
    ),
    "fc (Linear) is not supported: its weights are no parameters": fixed(),
    "norm (BatchNorm2d)": nn.Sequential(OrderedDict(norm=nn.BatchNorm2d(1))).eval(),
    "0 (RReLU)": nn.Sequential(nn.RReLU(), nn.Linear(4, 2)),
    "act overwrites out, which act, output read": dense(
        lambda m, x: discarded(m, m.out(m.fc(x))), act=nn.ReLU(inplace=True)
    ),
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
    assert torch.is_grad_enabled()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("module: ")


def test_a_refusal_says_what_is_allowed():
    with pytest.raises(
        UnsupportedError,
        match=r"allowed are the modules Linear, Conv2d.* and the functions add, flatten, .*view",
    ):
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


@pytest.mark.parametrize(
    ("module", "shape", "words"),
    [
        (3, None, "module: int is not allowed"),
        (nn.Sequential(), None, "no Linear or Conv2d"),
        (nn.Sequential(nn.ReLU()), None, "no Linear or Conv2d"),
        (
            nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 1)),
            None,
            "input_shape: is needed where the first layer is Conv2d",
        ),
        (
            nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2, 1)),
            None,
            "input_shape: is needed where the first layer is AvgPool2d",
        ),
        (
            nn.Sequential(nn.Linear(2, 1)),
            (3,),
            r"Dense\(2, 1\) does not fit an input of shape \(3,\)",
        ),
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
