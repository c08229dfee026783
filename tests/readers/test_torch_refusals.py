"""What a trace of a torch module does not show is refused by name, with the way out."""

import re
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from agtopt import Network, UnsupportedError
from tests.readers.modules import dense


def plain():
    return dense(lambda m, x: m.out(m.fc(x)))


def doubled(module, *values):
    return 2 * values[-1]


def replaced(role, value):
    def change(module):
        setattr(module.fc, role, value)

    return change


def filled(value):
    def change(module):
        module.out.bias.data[1] = value

    return change


CHANGES = {
    "fc (Linear) has a forward hook (doubled)": lambda m: m.fc.register_forward_hook(doubled),
    "the module itself (Wrapped) has a forward hook (doubled)": lambda m: m.register_forward_hook(
        doubled, with_kwargs=True
    ),
    "take it out by its handle's remove() before": lambda m: m.fc.register_forward_pre_hook(
        doubled
    ),
    "the module itself (Wrapped) has a forward pre-hook (doubled)": lambda m: (
        m.register_forward_pre_hook(doubled)
    ),
    "fc (Linear) has a backward hook (doubled)": lambda m: m.fc.register_full_backward_hook(
        doubled
    ),
    "out (Linear) has a backward hook (doubled)": lambda m: m.out.register_backward_hook(doubled),
    "fc (Linear) has a backward pre-hook (doubled)": lambda m: m.fc.register_full_backward_pre_hook(
        doubled
    ),
    "parameter 'fc.bias' has a gradient hook (doubled)": lambda m: m.fc.bias.register_hook(doubled),
    "parameter 'out.weight' has a gradient hook (doubled)": lambda m: (
        m.out.weight.register_post_accumulate_grad_hook(doubled)
    ),
    "fc (ParametrizedLinear) has a parametrisation of weight": lambda m: (
        parametrizations.weight_norm(m.fc)
    ),
    "remove_parametrizations before reading and training": lambda m: parametrizations.spectral_norm(
        m.fc
    ),
    "has a parametrisation of bias": lambda m: nn.utils.parametrize.register_parametrization(
        m.fc, "bias", nn.Softplus()
    ),
    "fc (Linear) has a forward pre-hook (WeightNorm)": lambda m: old(nn.utils.weight_norm, m.fc),
    "torch.nn.utils.remove_weight_norm": lambda m: old(nn.utils.weight_norm, m.fc),
    "torch.nn.utils.remove_spectral_norm": lambda m: old(nn.utils.spectral_norm, m.fc),
    "torch.nn.utils.prune.remove": lambda m: prune.l1_unstructured(m.fc, "weight", 0.5),
    "fc (Linear) has a forward of its own": lambda m: setattr(m.fc, "forward", torch.relu),
    "the module itself (Wrapped) has a forward of its own": lambda m: setattr(
        m, "forward", torch.relu
    ),
    "parameter 'fc.weight' is torch.complex64": lambda m: m.to(torch.complex64),
    "parameter 'fc.weight' is torch.int32": replaced(
        "weight", nn.Parameter(torch.ones((4, 4), dtype=torch.int32), requires_grad=False)
    ),
    "parameter 'fc.bias' is torch.bool": replaced(
        "bias", nn.Parameter(torch.ones(4, dtype=torch.bool), requires_grad=False)
    ),
    "parameter 'fc.weight' is torch.float16": lambda m: m.half(),
    "training is bounded in torch.float32 and torch.float64 only": lambda m: m.bfloat16(),
    "parameter 'fc.weight' lies on the device 'meta'": lambda m: m.to("meta"),
    "parameter 'fc.weight' is lazy": lambda m: setattr(m, "fc", nn.LazyLinear(4)),
    "parameter 'fc.weight' is no plain tensor (Parameter, torch.sparse_coo)": replaced(
        "weight", nn.Parameter(torch.eye(4).to_sparse())
    ),
    "parameter 'out.bias' is not finite at [1]": filled(torch.nan),
    "is not finite": filled(-torch.inf),
}


def old(norm, module):
    with warnings.catch_warnings(action="ignore"):  # deprecated, some of them
        norm(module)


@pytest.mark.parametrize("words", CHANGES)
@pytest.mark.filterwarnings("ignore:Complex modules:UserWarning")
def test_what_the_network_would_not_have_is_named(words):
    module = plain()
    CHANGES[words](module)
    with pytest.raises(UnsupportedError, match=re.escape(words)) as caught:
        Network.from_torch(module)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("module: ")


@pytest.mark.parametrize(
    ("register", "words"),
    [
        (nn.modules.module.register_module_forward_hook, "a global forward hook (doubled)"),
        (nn.modules.module.register_module_forward_pre_hook, "a global forward pre-hook (doubled)"),
        (nn.modules.module.register_module_full_backward_hook, "a global backward hook (doubled)"),
        (
            nn.modules.module.register_module_full_backward_pre_hook,
            "a global backward pre-hook (doubled)",
        ),
    ],
)
def test_hooks_of_all_modules_are_named(register, words):
    handle = register(doubled)
    try:
        with pytest.raises(UnsupportedError, match=re.escape(words)):
            Network.from_torch(plain())
    finally:
        handle.remove()


def test_weights_that_cannot_be_trained_are_named():
    with torch.inference_mode():
        module = plain()
    with pytest.raises(UnsupportedError, match="inference mode"):
        Network.from_torch(module)


@pytest.mark.parametrize(
    ("wrapped", "inside"),
    [
        (lambda module: torch.jit.script(module), "the module that was scripted"),
        (
            lambda module: torch.jit.trace(module, torch.ones((1, 4))),
            "the module that was scripted",
        ),
        (lambda module: nn.DataParallel(module), "its attribute module"),
        pytest.param(
            lambda module: torch.compile(module), "its attribute _orig_mod", marks=pytest.mark.slow
        ),
    ],
    ids=["script", "trace", "parallel", "compile"],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_wrapped_module_is_to_be_given_itself(wrapped, inside):
    with pytest.raises(
        UnsupportedError, match=f"wraps another module and cannot be read; give {inside}"
    ):
        Network.from_torch(wrapped(nn.Sequential(nn.Linear(4, 2))))


def test_what_was_taken_out_again_is_no_longer_in_the_way():
    module = plain()
    module.fc.register_forward_hook(doubled).remove()
    parametrizations.weight_norm(module.fc)
    nn.utils.parametrize.remove_parametrizations(module.fc, "weight")
    prune.l1_unstructured(module.out, "weight", 0.5)
    prune.remove(module.out, "weight")
    assert (Network.from_torch(module).initial["out_weight"] == 0).sum() == 4
