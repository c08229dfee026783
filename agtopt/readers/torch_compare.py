"""Whether a network computes what the torch module computes from which it was read, and learns by
the same gradients."""

import copy
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agtopt.errors import UnsupportedError
from agtopt.problem import Bounded, Dataset, Network, Problem, Training
from agtopt.program.backward import backward
from agtopt.program.forward import forward
from agtopt.tolerances import READING
from agtopt.training.concrete import ConcreteOperations, number_tensor

Array = NDArray[np.float64]
OWN = "its weights"


@contextmanager
def undisturbed() -> Iterator[None]:
    """Record gradients whatever mode torch is in, and leave that mode and all random numbers as
    they were."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


def copied(module: nn.Module) -> nn.Module:
    """A copy, so that whatever its forward changes, the module stays as it is."""
    try:
        return copy.deepcopy(module)
    except Exception as error:  # a module may hold anything
        raise UnsupportedError(
            f"module: {type(module).__name__} cannot be copied, as is needed to compare with it: "
            f"{error!r}"
        ) from error


def compare(module: nn.Module, network: Network, names: Sequence[str]) -> None:
    """Compare outputs and gradients at θ₀ and at two other vectors of weights, on one sample and on
    five, in train() and in eval().

    Among the samples are large ones, and zeros except at θ₀, where round weights may put a kink
    there that rounding decides. The gradients are those of random linear functions of the outputs.
    All is done in float64, and agrees if it differs by at most `READING` of the largest entry.

    Parameters
    ----------
    module : torch.nn.Module
        A copy, which is changed.
    network : Network
        With its weights.
    names : sequence of str
        The network's tensor of every parameter, in the module's order.

    Raises
    ------
    UnsupportedError
        If they differ, with the largest deviation and where it is; or if a pass fails, or forward
        changes anything: weights, attributes, its input, random numbers.
    """
    generator = np.random.default_rng(0)
    module.double().cpu()
    _outputs(module, torch.zeros((1, *network.input_shape), dtype=torch.float64))
    module.requires_grad_(True)
    for (place, weights), training in product(_weights(network, generator).items(), (True, False)):
        module.train(training)
        _load(module, [weights[name] for name in names])
        for samples in (1, 5):
            x = _samples(network, samples, place != OWN, generator)
            direction = generator.normal(size=(samples, network.outputs))
            where = f"in a batch of {samples}, in {'train' if training else 'eval'}() at {place}"
            own = _of_module(module, x, direction)
            read = _of_network(network, weights, x, direction)
            _check_agreement(f"output {where}", own[0], read[0])
            for (path, _), name, gradient in zip(
                module.named_parameters(), names, own[1], strict=True
            ):
                _check_agreement(f"gradient of {path!r} {where}", gradient, read[1][name])


def _weights(network: Network, generator: np.random.Generator) -> dict[str, dict[str, Array]]:
    """θ₀; random weights; and such with one large entry in every tensor, as far as no product of
    them overflows."""
    largest = 10.0 ** min(2.0, 200.0 / len(network.initial))
    usual = {
        name: generator.normal(size=value.shape) / np.sqrt(value[0].size)
        for name, value in network.initial.items()
    }
    large = {
        name: np.where(
            np.arange(value.size).reshape(value.shape) == value.size // 2, largest, value
        )
        for name, value in usual.items()
    }
    return {OWN: dict(network.initial), "random weights": usual, "large weights": large}


def _samples(network: Network, samples: int, zero: bool, generator: np.random.Generator) -> Array:
    """Random ones; of five the third is large, and the second may be zero."""
    drawn = generator.normal(size=(samples, *network.input_shape))
    drawn[2:3] *= 100.0
    if zero:
        drawn[1:2] = 0.0
    return drawn


def _load(module: nn.Module, tensors: Sequence[Array]) -> None:
    with torch.no_grad():
        for parameter, value in zip(module.parameters(), tensors, strict=True):
            parameter.copy_(number_tensor(value))


def _of_module(module: nn.Module, x: Array, direction: Array) -> tuple[Array, list[Array]]:
    z = _outputs(module, number_tensor(x))
    if z.shape != direction.shape:
        raise UnsupportedError(
            f"module: its output for {len(x)} samples has shape {tuple(z.shape)}; it was read as "
            f"{direction.shape}"
        )
    parameters = list(module.parameters())
    slopes: Sequence[Tensor | None] = [None] * len(parameters)
    if z.requires_grad:
        try:
            slopes = torch.autograd.grad(
                (z * number_tensor(direction)).sum(), parameters, allow_unused=True
            )
        except RuntimeError as error:
            raise UnsupportedError(f"module: its backward pass fails: {error}") from error
    gradients = [
        torch.zeros_like(own) if gradient is None else gradient
        for own, gradient in zip(parameters, slopes, strict=True)
    ]
    return z.detach().numpy(), [gradient.numpy() for gradient in gradients]


def _outputs(module: nn.Module, x: Tensor) -> Tensor:
    """One call of forward, which may change nothing."""
    before = _state(module, x)
    try:
        z = module(x)
    except Exception as error:  # forward is foreign code: it may fail in any way
        raise UnsupportedError(
            f"module: forward fails on float64 samples of shape {tuple(x.shape)}: {error!r}"
        ) from error
    after = _state(module, x)
    for what in (*before, *after):
        if before.get(what) != after.get(what):
            raise UnsupportedError(
                f"module: forward changes {what}; only a forward that leaves everything as it was "
                f"can be read"
            )
    if not isinstance(z, Tensor):
        raise UnsupportedError(f"module: its output is a {type(z).__name__}; it must be one tensor")
    return z


def _state(module: nn.Module, x: Tensor) -> dict[str, Any]:
    """Everything that a call of forward might change and a later one notice."""
    differences = {
        "the samples that it is given": _seen(x, set()),
        "the random numbers of torch": _seen(torch.get_rng_state(), set()),
        "the random numbers of Python": random.getstate(),
        "the random numbers of NumPy": _seen(np.random.get_state(), set()),
    }
    for path, part in module.named_modules():
        for name, value in (*vars(part).items(), *part._parameters.items(), *part._buffers.items()):
            if name not in ("_parameters", "_buffers"):
                differences[repr(f"{path}.{name}".lstrip("."))] = _seen(value, set())
    return differences


def _seen(value: Any, above: set[int]) -> Any:
    """A value as something that can be compared later; what is inside `above` is not looked at
    again."""
    if id(value) in above or isinstance(value, nn.Module):
        return id(value)
    inside = {*above, id(value)}
    match value:
        case Tensor():
            version = None if value.is_inference() else value._version
            numbers = (
                value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
                if _has_bytes(value)
                else id(value)
            )
            return (str(value.dtype), tuple(value.shape), value.requires_grad, version, numbers)
        case np.ndarray():
            return (str(value.dtype), value.shape, value.tobytes())
        case dict():
            return [(_seen(key, inside), _seen(held, inside)) for key, held in value.items()]
        case list() | tuple():
            return [_seen(held, inside) for held in value]
        case bool() | int() | float() | complex() | str() | bytes() | None:
            return repr(value)
        case set() | frozenset():
            return sorted(repr(_seen(held, inside)) for held in value)
    return (
        id(value),
        _seen(getattr(value, "__dict__", None) or None, inside) if not callable(value) else None,
    )


def _has_bytes(value: Tensor) -> bool:
    return value.layout == torch.strided and not value.is_meta and not value.is_quantized


def _of_network(
    network: Network, weights: dict[str, Array], x: Array, direction: Array
) -> tuple[Array, dict[str, Array]]:
    """Sample by sample, so that no sample can have a part in another's output."""
    inputs, deltas = number_tensor(x), number_tensor(direction)
    ops = ConcreteOperations(
        Problem(network, Dataset(x, direction), Bounded(0), Training("squared")), inputs, deltas
    )
    tensors = {name: ops.constant(value) for name, value in weights.items()}
    rows, total = [], {name: np.zeros_like(value) for name, value in weights.items()}
    for index in range(len(x)):
        sample = slice(index, index + 1)
        z, saved = forward(ops, network, tensors, inputs[sample])
        rows.append(z.numpy())
        for name, gradient in backward(
            ops, network, tensors, saved, deltas[sample], list(weights)
        ).items():
            total[name] += gradient.numpy()[0]
    return np.concatenate(rows), total


def _check_agreement(what: str, own: Array, read: Array) -> None:
    with np.errstate(invalid="ignore"):
        gap = np.abs(own - read)
    if np.isfinite(gap).all() and gap.max() <= READING * np.abs(own).max():
        return
    place = np.unravel_index(np.argmax(gap), gap.shape)  # of NaN first
    raise UnsupportedError(
        f"module: computes something else than what was read: its {what} is {own[place]:.6g} at "
        f"{[int(i) for i in place]}, as read it is "
        f"{read[place]:.6g}, and differs by {gap[place]:.3g}. What forward does must depend on no "
        f"mode, batch, earlier call or value of a "
        "weight, and must neither stop nor replace gradients"
    )
