"""What PyTorch's two exporters write of small modules is read as the modules: outputs, and
parameters in their order."""

import io
import logging
import warnings
from functools import cache
from itertools import pairwise

import numpy as np
import onnx
import pytest
import torch
from onnx import version_converter
from torch import nn

from agtopt import Network, UnsupportedError
from tests.readers.evaluate import outputs
from tests.readers.modules import Wrapped

OWN = {True: range(18, 19), False: range(13, 21)}
"""Opsets that an exporter writes itself, by whether it is the default one, which writes 18 and
converts; onnx converts here."""


def dense(*sizes, bias=True):
    layers = [
        layer for i, o in pairwise(sizes) for layer in (nn.Linear(i, o, bias=bias), nn.ReLU())
    ]
    return nn.Sequential(*layers[:-1])


def zeroed(module):
    for layer in module[::2]:
        nn.init.zeros_(layer.bias)
    return module


def repeated(module):
    module[2].load_state_dict(module[0].state_dict())
    return module


def image(forward):
    return Wrapped(forward, conv=nn.Conv2d(1, 2, 3, stride=2, padding=1), out=nn.Linear(8, 2))


def residual(self, x):
    return self.out(torch.relu(self.second(torch.relu(self.first(x))) + x))


MODULES = {
    "one feature": (lambda: dense(1, 2, 1), (1,)),
    "dense": (lambda: dense(3, 4, 2), (3,)),
    "dense without biases": (lambda: dense(3, 4, 2, bias=False), (3,)),
    "biases of zero": (lambda: zeroed(dense(2, 3, 3, 1)), (2,)),
    "one layer": (lambda: nn.Linear(3, 2), (3,)),
    "identical layers": (lambda: repeated(dense(3, 3, 3, 1)), (3,)),
    "residual": (
        lambda: Wrapped(
            residual, first=nn.Linear(3, 4), second=nn.Linear(4, 3), out=nn.Linear(3, 1)
        ),
        (3,),
    ),
    "pool": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, 3, bias=False),
            nn.LeakyReLU(0.2),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(8, 1),
        ),
        (1, 6, 6),
    ),
    "same size": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 2, (3, 5), padding="same"),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Flatten(),
            nn.Linear(32, 1),
        ),
        (1, 4, 4),
    ),
    "flatten": (
        lambda: image(lambda self, x: self.out(torch.relu(self.conv(x)).flatten(1))),
        (1, 4, 4),
    ),
    "view of the number of samples": (
        lambda: image(lambda self, x: self.out(torch.relu(self.conv(x)).view(x.size(0), -1))),
        (1, 4, 4),
    ),
    "view of a size": (
        lambda: image(lambda self, x: self.out(torch.relu(self.conv(x)).view(-1, 8))),
        (1, 4, 4),
    ),
}


EXPORTED_FOR = {name: 3 if place % 2 else None for place, name in enumerate(MODULES)}
"""How many samples the default exporter, which takes a second, writes a module for: half of them
for any number."""


@cache
def built(name):
    torch.manual_seed(0)
    return MODULES[name][0]().eval()


@cache
def exported(name, default, opset, batch):
    """A module by PyTorch's default exporter or its older one, for so many samples, or any
    number."""
    module, x = built(name), (torch.zeros(batch or 2, *MODULES[name][1]),)
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if default:
            shapes = None if batch else ({0: torch.export.Dim("samples")},)
            found = torch.onnx.export(
                module, x, dynamo=True, verbose=False, opset_version=opset, dynamic_shapes=shapes
            ).model_proto
        else:
            file, axes = io.BytesIO(), None if batch else {"x": {0: "samples"}}
            torch.onnx.export(
                module,
                x,
                file,
                dynamo=False,
                opset_version=opset,
                input_names=["x"],
                dynamic_axes=axes,
            )
            found = onnx.load_from_string(file.getvalue())
    logging.disable(logging.NOTSET)
    return found


def in_opset(name, default, opset, batch):
    own = min(max(opset, OWN[default].start), OWN[default].stop - 1)
    found = exported(name, default, own, batch)
    return found if own == opset else version_converter.convert_version(found, opset)


def check(name, made, default):
    """The network is the module, but for biases of zero that the default exporter drops."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = Network.from_onnx(made)
    module = built(name)
    x = np.random.default_rng(0).normal(size=(5, *network.input_shape)).astype(np.float32)
    with torch.no_grad():
        np.testing.assert_allclose(
            outputs(network, x), module(torch.from_numpy(x)), rtol=1e-5, atol=1e-6
        )
    kept = [value.detach().numpy() for value in module.parameters() if not default or value.any()]
    assert len(kept) == len(network.initial)
    for found, value in zip(network.initial.values(), kept, strict=True):
        np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize("opset", range(13, 22))
@pytest.mark.parametrize("name", MODULES)
def test_the_older_exporter_in_every_opset(name, opset):
    made = in_opset(name, False, opset, 3)
    assert made.opset_import[0].version == opset
    check(name, made, False)


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("batch", [1, None])
def test_the_older_exporter_for_one_sample_and_any_number(name, batch):
    check(name, in_opset(name, False, 20, batch), False)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_the_default_exporter(name):
    check(name, in_opset(name, True, 18, EXPORTED_FOR[name]), True)


@pytest.mark.slow
@pytest.mark.parametrize("opset", range(14, 22))
@pytest.mark.parametrize("name", ["residual", "pool"])
def test_the_default_exporter_in_every_opset(name, opset):
    """Asked for 13, which Reshape cannot be converted to, it writes 18."""
    made = in_opset(name, True, opset, EXPORTED_FOR[name])
    assert made.opset_import[0].version == opset
    check(name, made, True)


@pytest.mark.slow
def test_identical_layers_are_refused_where_the_default_exporter_does_not_name_them():
    """A conversion to an older opset drops the names."""
    made = in_opset("identical layers", True, 18, EXPORTED_FOR["identical layers"])
    made = version_converter.convert_version(made, 17)
    with pytest.raises(
        UnsupportedError,
        match=r"its weights are shared with another layer .* or equal ones were merged",
    ):
        Network.from_onnx(made)
