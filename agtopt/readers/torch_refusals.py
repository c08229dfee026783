"""What changes a torch module's outputs or gradients and is in no trace: refused by name."""

from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrize

from agtopt.errors import UnsupportedError

HOOKS = {
    "_forward_pre_hooks": "forward pre-hook",
    "_forward_hooks": "forward hook",
    "_backward_pre_hooks": "backward pre-hook",
    "_backward_hooks": "backward hook",
}

MADE_BY = {
    "torch.nn.utils.weight_norm": "torch.nn.utils.remove_weight_norm",
    "torch.nn.utils.spectral_norm": "torch.nn.utils.remove_spectral_norm",
    "torch.nn.utils.prune": "torch.nn.utils.prune.remove",
}
"""What takes a hook out again, by the module of torch that put it there."""

TRAINED = (torch.float32, torch.float64)
"""Formats in which a training run can be bounded."""


def check_module(module: nn.Module) -> None:
    """Refuse a wrapped or patched module, hooks, parametrisations, and parameters that are no plain
    finite numbers.

    What hangs on the graph of a backward pass (``grad_fn.register_hook``) cannot be seen from
    Python, and is not found.

    Raises
    ------
    UnsupportedError
        Names the module or the parameter, what was found, and the way out.
    """
    _check_wrapper(module)
    for path, parameter in module.named_parameters():
        if fault := _fault(parameter):
            raise UnsupportedError(f"module: parameter {path!r} {fault}")
    for attribute, kind in HOOKS.items():
        for hook in getattr(nn.modules.module, f"_global{attribute}").values():
            raise UnsupportedError(
                f"module: a global {kind} ({_name(hook)}) is registered; remove it before reading "
                f"and training"
            )
    for path, part in module.named_modules():
        if fault := _change(part):
            raise UnsupportedError(
                f"module: {path or 'the module itself'} ({type(part).__name__}) {fault}"
            )


def _check_wrapper(module: nn.Module) -> None:
    inside = None
    if isinstance(module, torch.jit.ScriptModule):
        inside = "the module that was scripted"
    elif isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        inside = "its attribute module"
    elif "_orig_mod" in module._modules:
        inside = "its attribute _orig_mod"
    if inside is not None:
        raise UnsupportedError(
            f"module: {type(module).__name__} wraps another module and cannot be read; give "
            f"{inside}"
        )


def _fault(parameter: nn.Parameter) -> str | None:
    """What keeps a parameter from being numbers that plain SGD moves."""
    if is_lazy(parameter):
        return "is lazy and has no shape yet; run the module on a sample first"
    if (
        type(parameter) is not nn.Parameter
        or parameter.layout != torch.strided
        or parameter.is_quantized
    ):
        return (
            f"is no plain tensor ({type(parameter).__name__}, {parameter.layout}); only dense "
            "nn.Parameter are read"
        )
    if parameter.is_meta:
        return "lies on the device 'meta' and has no numbers; load the weights first"
    if parameter.dtype not in TRAINED:
        return (
            f"is {parameter.dtype}; training is bounded in {TRAINED[0]} and {TRAINED[1]} only: "
            "convert the module and train that"
        )
    if parameter.is_inference():
        return "was made in inference mode and cannot be trained; make the module outside of it"
    if not (finite := torch.isfinite(parameter)).all():
        return (
            f"is not finite at {torch.nonzero(~finite)[0].tolist()}; only finite weights can be "
            "trained"
        )
    for attribute in ("_backward_hooks", "_post_accumulate_grad_hooks"):
        for hook in (getattr(parameter, attribute, None) or {}).values():
            return (
                f"has a gradient hook ({_name(hook)}), which the network would not have; remove it "
                "before reading and training"
            )
    return None


def _change(part: nn.Module) -> str | None:
    """What makes a module compute something else than its class says."""
    if parametrize.is_parametrized(part):
        names = list(getattr(part, "parametrizations"))  # noqa: B009  (nn.Module types its attributes as tensors or modules)
        return (
            f"has a parametrisation of {', '.join(names)}, whose own parameters would be trained; "
            f"take it out by "
            f"torch.nn.utils.parametrize.remove_parametrizations before reading and training"
        )
    for attribute, kind in HOOKS.items():
        for hook in getattr(part, attribute).values():
            way = MADE_BY.get(type(hook).__module__, "its handle's remove()")
            return (
                f"has a {kind} ({_name(hook)}), which the network would not have; take it out by "
                f"{way} before reading and training"
            )
    if "forward" in vars(part):
        return "has a forward of its own instead of its class's; write a class with that forward"
    return None


def _name(hook: Any) -> str:
    return getattr(hook, "__name__", type(hook).__name__)
