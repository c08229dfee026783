"""Networks from torch modules, traced by torch.fx."""

import builtins
import operator
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from warnings import warn

import torch
from torch import nn
from torch.fx import Graph, Node, Proxy, Tracer
from torch.nn import functional

from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.problem import Add, AvgPool2d, Conv2d, Dense, Flatten, Layer, LeakyReLU, Network, ReLU
from agtopt.problem.layers import Shape
from agtopt.problem.network import INPUT
from agtopt.readers.draft import Draft, Part, naming, require, understand
from agtopt.readers.torch_compare import compare, copied, undisturbed
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
        if node.op == "get_attr" or _is_shape(node) or _is_batch_size(node):
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
            stacklevel=5,
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


def _part(root: nn.Module, node: Node) -> Part:
    if node.op == "output":
        return Part(None, node.args)
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
        return Part(
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


def _conv2d(module: nn.Conv2d) -> Layer:
    require(module.groups == 1, f"groups must be 1, not {module.groups}")
    require(module.dilation == (1, 1), f"dilation must be 1, not {module.dilation}")
    require(
        module.padding_mode == "zeros", f"padding_mode must be 'zeros', not {module.padding_mode!r}"
    )
    padding: Any = module.padding
    if padding == "same":
        require(
            all(size % 2 for size in module.kernel_size),
            f"padding='same' pads kernel_size {module.kernel_size} unevenly",
        )
        padding = tuple(size // 2 for size in module.kernel_size)
    elif padding == "valid":
        padding = 0
    kernel: Any = module.kernel_size
    stride: Any = module.stride
    return Conv2d(
        module.in_channels, module.out_channels, kernel, stride, padding, module.bias is not None
    )


def _avg_pool2d(module: nn.AvgPool2d) -> Layer:
    require(module.padding in (0, (0, 0)), f"padding must be 0, not {module.padding}")
    require(not module.ceil_mode, "ceil_mode must be False")
    require(module.divisor_override is None, "divisor_override must be None")
    return AvgPool2d(module.kernel_size, module.stride)


def _flatten_module(module: nn.Flatten) -> Layer:
    require((module.start_dim, module.end_dim) == (1, -1), "start_dim must be 1 and end_dim -1")
    return Flatten()


def _dropout(module: nn.Dropout) -> None:
    require(module.p == 0, f"p must be 0, not {module.p:g}: training would drop entries at random")


# By exact type: a subclass may compute something else.
MODULES: dict[type, Callable[[Any], Layer | None]] = {
    nn.Linear: lambda module: Dense(
        module.in_features, module.out_features, module.bias is not None
    ),
    nn.Conv2d: _conv2d,
    nn.AvgPool2d: _avg_pool2d,
    nn.ReLU: lambda module: ReLU(),
    nn.LeakyReLU: lambda module: LeakyReLU(module.negative_slope),
    nn.Flatten: _flatten_module,
    nn.Identity: lambda module: None,
    nn.Dropout: _dropout,
}


def _relu(input: Any, inplace: bool = False) -> Part:
    return Part(ReLU(), (input,), inplace=inplace)


def _leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Part:
    return Part(LeakyReLU(negative_slope), (input,), inplace=inplace)


def _flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Part:
    require((start_dim, end_dim) == (1, -1), "start_dim must be 1 and end_dim -1")
    return Part(Flatten(), (input,))


def _view(input: Any, *shape: Any) -> Part:
    match shape[0] if len(shape) == 1 else shape:
        case (batch, -1) if _is_batch_size(batch):
            return Part(Flatten(), (input,))
        case (batch, int(size)) if size > 0 and (batch == -1 or _is_batch_size(batch)):
            return Part(Flatten(), (input,), shape=(size,))
    raise UnsupportedError("the shape must be (x.size(0), -1) or (-1, size)")


def _add(input: Any, other: Any, *, alpha: float = 1, inplace: bool = False) -> Part:
    require(alpha == 1, f"alpha must be 1, not {alpha}")
    for value in (input, other):
        require(
            isinstance(value, Node) and value.op != "get_attr",
            f"it takes {value!r}, which is not the output of a layer; {SCALE_THE_DATA}",
        )
    return Part(Add(), (input, other), inplace=inplace)


# Functions by themselves, methods by name; the signatures say which arguments they may have.
FUNCTIONS: dict[Any, Callable[..., Part]] = {
    torch.relu: _relu,
    functional.relu: _relu,
    "relu": _relu,
    functional.leaky_relu: _leaky_relu,
    torch.flatten: _flatten,
    "flatten": _flatten,
    "view": _view,
    "reshape": _view,
    torch.reshape: _view,
    operator.add: _add,
    operator.iadd: partial(_add, inplace=True),
    torch.add: _add,
    "add": _add,
}

SCALE_THE_DATA = (
    "a fixed scaling of the inputs, as (x − mean) / std, belongs to the data: scale the features, "
    "and what the adversary may do to them"
)
WITHOUT_GRADIENT = (
    "write forward without it, and freeze what it is meant to leave alone by Training(frozen=…)"
)
STOPS_GRADIENTS = ("data", "detach", "detach_", "requires_grad_", torch.detach)
SCALES = (
    *(
        "sub",
        "sub_",
        "mul",
        "mul_",
        "div",
        "div_",
        torch.sub,
        torch.mul,
        torch.div,
        torch.subtract,
        torch.multiply,
        torch.divide,
    ),
    *(
        operator.sub,
        operator.mul,
        operator.truediv,
        operator.isub,
        operator.imul,
        operator.itruediv,
    ),
)

# Where there is more to say than that no layer does the same.
REASONS: dict[Any, str] = {
    **dict.fromkeys(STOPS_GRADIENTS, f"it stops gradients; {WITHOUT_GRADIENT}"),
    **dict.fromkeys(SCALES, f"no layer does the same; {SCALE_THE_DATA}"),
}

ALLOWED = (
    f"the modules {', '.join(kind.__name__ for kind in MODULES)} "
    f"and the functions {', '.join(sorted({getattr(key, '__name__', key) for key in FUNCTIONS}))}"
)


def _is_shape(value: Any) -> bool:
    """``x.shape`` or ``x.size()``."""
    match value:
        case (
            Node(op="call_method", target="size", args=(_,))
            | Node(target=builtins.getattr, args=(_, "shape"))
        ):
            return True
    return False


def _is_batch_size(value: Any) -> bool:
    """``x.size(0)``, ``x.size()[0]`` or ``x.shape[0]``."""
    match value:
        case Node(op="call_method", target="size", args=(_, 0)):
            return True
        case Node(target=operator.getitem, args=(shape, 0)):
            return _is_shape(shape)
    return False
