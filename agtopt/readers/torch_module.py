"""Networks from torch modules, traced by torch.fx."""

import builtins
import operator
from collections.abc import Sequence
from typing import Any
from warnings import warn

import torch
from torch import nn
from torch.fx import Graph, Node, Proxy, Tracer

from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.problem import AvgPool2d, Conv2d, Dense, Flatten, Network
from agtopt.problem.layers import Shape
from agtopt.problem.network import INPUT
from agtopt.readers.draft import Draft, LayerPart, naming, require, understand
from agtopt.readers.torch_compare import compare, copied, undisturbed
from agtopt.readers.torch_layers import (
    ALLOWED,
    FUNCTIONS,
    MODULES,
    REASONS,
    WITHOUT_GRADIENT,
    is_batch_size,
    is_shape,
)
from agtopt.readers.torch_refusals import check_module


def read(module: Any, input_shape: Shape | None = None) -> Network:
    """Read a torch module, with its weights as θ₀ (in float64).

    A ``torch.nn.Sequential`` has its layers named as by `Network.chain`. Any other module is traced
    by torch.fx and its layers keep the names of the trace: the attribute's path with underscores
    (``block_conv``), and for functions ``relu``, ``relu_1``, ``add``, …. θ is flattened in the
    order of ``module.parameters()``. A network does not hold ``requires_grad``: what training
    leaves alone is said by ``Training(frozen=…)``, and a warning names what needs it.

    The network is compared with the module, outputs and gradients (`torch_compare.compare`), and
    the module stays as it was.

    Parameters
    ----------
    module : torch.nn.Module
    input_shape : tuple of int or None
        Shape of one sample; by default (inputs,) of the first layer where that is Linear.

    Raises
    ------
    UnsupportedError
        If a node of the trace is of another kind than allowed, weights are shared, a parameter has
        no part in the output, an overwritten value is read elsewhere, or the module cannot be
        traced; if it has hooks, parametrisations or parameters that are no finite float32 or
        float64 numbers; or if it computes something else than what was read.
    InvalidInputError
        If `module` is no torch module, has no parameters, or `input_shape` is needed or does not
        fit.
    """
    if not isinstance(module, nn.Module):
        raise InvalidInputError(
            f"module: {type(module).__name__} is not allowed; it must be a torch.nn.Module"
        )
    check_module(module)
    with undisturbed():
        network, names = _read(copied(module), input_shape)
        compare(copied(module), network, names)
    _warn_of_fixed(
        network,
        [
            name
            for name, parameter in zip(names, module.parameters(), strict=True)
            if not parameter.requires_grad
        ],
    )
    return network


def _read(module: nn.Module, input_shape: Shape | None) -> tuple[Network, list[str]]:
    """The network, and its tensor of every parameter in the module's order."""
    root = nn.Sequential(module) if type(module) in MODULES else module
    draft, values = Draft(), dict[Any, str]()
    places: dict[int, str] = {}
    overwriting: list[str] = []
    for node in _trace(root).nodes:
        if node.op == "placeholder":
            if not values:  # further arguments of forward have no value here: to use one is refused
                values[node] = INPUT
            continue
        if node.op == "get_attr" or is_shape(node) or is_batch_size(node):
            continue
        with naming(f"module: {_described(root, node)}", ALLOWED):
            part = _part(root, node)
            sources = [_source(values, source) for source in part.sources]
            if part.layer is None:
                values[node] = sources[0]
                continue
            require(
                not any(id(tensor) in places for tensor in part.tensors),
                "its weights are shared with another layer or use",
            )
            name = None if isinstance(root, nn.Sequential) else node.name
            values[node] = draft.add(
                part.layer, sources, name, map(_array, part.tensors), part.shape
            )
        places |= zip(map(id, part.tensors), draft.tensors_of(values[node]), strict=False)
        overwriting += [values[node]] * part.inplace
    _check_overwriting(draft, overwriting, values[node])
    draft.cut(values[node])
    for path, parameter in root.named_parameters():
        if places.get(id(parameter)) not in draft.initial:
            raise UnsupportedError(
                f"module: parameter {path!r} has no part in the output; leave it out of the module"
            )
    if not places:
        raise InvalidInputError("module: has no Linear or Conv2d layer; nothing would be trained")
    names = [places[id(parameter)] for parameter in root.parameters()]
    return draft.network(_input_shape(draft) if input_shape is None else input_shape, names), names


def _warn_of_fixed(network: Network, fixed: Sequence[str]) -> None:
    whole = [
        node
        for node in network.nodes
        if (tensors := network.tensors_of(node)) and set(tensors) <= set(fixed)
    ]
    if named := [
        *whole,
        *(name for name in fixed if not any(name in network.tensors_of(node) for node in whole)),
    ]:
        warn(
            f"module: requires_grad=False is not kept in a network; to leave these alone give "
            f"Training(frozen={named})",
            stacklevel=6,
        )


class _Proxy(Proxy):
    """Records ``x += y`` as such: fx itself takes it for ``x = x + y``, which leaves other readers
    of x the old value."""

    def __iadd__(self, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class _Tracer(Tracer):
    """Refuses what happens in another mode than the call of forward: a trace would not say so."""

    def __init__(self) -> None:
        super().__init__()
        self._modes = _modes()

    def proxy(self, node: Node) -> Proxy:
        return _Proxy(node, self)

    def create_node(self, kind: str, target: Any, *args: Any, **kwargs: Any) -> Node:
        for name, mode in _modes().items():
            if mode != self._modes[name]:
                called = getattr(target, "__name__", target)
                raise UnsupportedError(
                    f"module: forward switches {name} before {called!r}; {WITHOUT_GRADIENT}"
                )
        return super().create_node(kind, target, *args, **kwargs)


def _modes() -> dict[str, Any]:
    depth = torch.autocast_increment_nesting()
    torch.autocast_decrement_nesting()
    return {
        "torch.inference_mode": torch.is_inference_mode_enabled(),
        (
            "the recording of gradients (torch.no_grad, torch.set_grad_enabled, an autograd "
            "function of its own)"
        ): torch.is_grad_enabled(),
        "torch.autocast": (
            depth,
            torch.is_autocast_enabled("cpu"),
            torch.is_autocast_enabled("cuda"),
        ),
    }


def _trace(module: nn.Module) -> Graph:
    try:
        return _Tracer().trace(module)
    except UnsupportedError:
        raise
    except Exception as error:  # forward is foreign code: it may fail in any way
        raise UnsupportedError(
            f"module: {type(module).__name__} cannot be traced by torch.fx: {error!r}"
        ) from error


def _part(root: nn.Module, node: Node) -> LayerPart:
    if node.op == "output":
        return LayerPart(None, node.args)
    if node.op == "call_module":
        module = root.get_submodule(str(node.target))
        require(type(module) in MODULES, "no layer does the same")
        layer = MODULES[type(module)](module)
        tensors = tuple(
            getattr(module, role) for role in (layer.parameter_shapes() if layer else ())
        )
        require(
            all(isinstance(tensor, nn.Parameter) for tensor in tensors),
            "its weights are no parameters, so that nothing trains them",
        )
        return LayerPart(
            layer,
            (*node.args, *node.kwargs.values()),
            tensors,
            inplace=getattr(module, "inplace", False),
        )
    target = node.args[1] if node.target is builtins.getattr else node.target
    require(node.target in FUNCTIONS, REASONS.get(target, "no layer does the same"))
    return understand(FUNCTIONS[node.target], node.args, node.kwargs)


def _source(values: dict[Any, str], source: Any) -> str:
    require(
        isinstance(source, Node) and source in values,
        f"it takes {source!r}, which is not the output of a layer",
    )
    return values[source]


def _array(tensor: Any) -> Any:
    return tensor.detach().cpu().double().numpy()


def _described(root: nn.Module, node: Node) -> str:
    if node.op == "call_module":
        return f"{node.target} ({type(root.get_submodule(str(node.target))).__name__})"
    return f"{node.name} ({getattr(node.target, '__name__', node.target)})"


def _check_overwriting(draft: Draft, overwriting: list[str], output: str) -> None:
    """In the trace, who reads a value that was overwritten still reads the old one; in torch the
    new one."""
    readers = {
        node: [*draft.graph.successors(node), *["output"] * (node == output)]
        for node in draft.graph
    }
    for node in overwriting:
        source = next(draft.graph.predecessors(node))
        # A flattened value is a view of the one before.
        while len(readers[source]) == 1 and isinstance(
            draft.graph.nodes[source].get("layer"), Flatten
        ):
            source = next(draft.graph.predecessors(source))
        if len(readers[source]) > 1:
            raise UnsupportedError(
                f"module: {node} overwrites {source}, which {', '.join(readers[source])} read; "
                f"write it without inplace"
            )


def _input_shape(draft: Draft) -> Shape:
    layers = (
        layer
        for _, layer in draft.graph.nodes(data="layer")
        if isinstance(layer, (Dense, Conv2d, AvgPool2d))
    )
    first = next(layers)
    if not isinstance(first, Dense):
        raise InvalidInputError(
            f"input_shape: is needed where the first layer is {type(first).__name__}; give "
            f"(channels, height, width)"
        )
    return (first.inputs,)
