"""ONNX graphs at random: mostly sensible ones, and wild ones."""

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.readers.onnx_graphs import attribute, model

SIZES = st.integers(1, 4)
ODD = st.sampled_from([0, 1, 2, 3, -1, 7, 2**31, -(2**40)])
LISTS = st.lists(ODD, max_size=4)
PADS = st.sampled_from(["VALID", "SAME_UPPER", "SAME_LOWER", "NOTSET", "ANY", b"\xff"])
FORMS = st.just(attribute([-1, 4]))

# Operations with the fewest and the most inputs that onnx takes, and attributes that it knows.
WILD = {
    "Gemm": (2, 3, {"transA": ODD, "transB": ODD, "alpha": st.floats(), "beta": st.floats()}),
    "Conv": (
        2,
        3,
        {
            "auto_pad": PADS,
            "group": ODD,
            "dilations": LISTS,
            "kernel_shape": LISTS,
            "pads": LISTS,
            "strides": LISTS,
        },
    ),
    "AveragePool": (
        1,
        1,
        {
            "auto_pad": PADS,
            "ceil_mode": ODD,
            "count_include_pad": ODD,
            "pads": LISTS,
            "strides": LISTS,
        },
    ),
    "MaxPool": (1, 1, {}),
    "LeakyRelu": (1, 1, {"alpha": st.floats()}),
    "Flatten": (1, 1, {"axis": ODD}),
    "Reshape": (2, 2, {"allowzero": ODD}),
    "Transpose": (1, 1, {"perm": LISTS}),
    "Cast": (1, 1, {}),
    "Gather": (2, 2, {"axis": ODD}),
    "Concat": (1, 4, {}),
    "Shape": (1, 1, {"start": ODD, "end": ODD}),
    "ReduceProd": (1, 1, {"keepdims": ODD}),
    "Constant": (
        0,
        0,
        {
            "value": FORMS,
            "value_float": st.floats(),
            "value_string": st.just("words"),
            "value_ints": LISTS,
        },
    ),
    "Dropout": (1, 3, {"seed": ODD}),
    "ConstantOfShape": (1, 1, {}),
    "RandomNormal": (0, 0, {}),
    **{kind: (1, 1, {}) for kind in ("Relu", "Identity", "Size", "Not", "Softmax", "Unknown")},
    **{
        kind: (2, 2, {})
        for kind in ("MatMul", "Add", "Unsqueeze", "Mul", "Div", "Mod", "Equal", "Tile", "Expand")
    },
    **{kind: (1, 3, {}) for kind in ("Squeeze", "Where", "Range", "Sum")},
    "Slice": (3, 5, {}),
}
NEEDED = {
    "AveragePool": {"kernel_shape": LISTS},
    "MaxPool": {"kernel_shape": LISTS},
    "Cast": {"to": st.integers(-1, 30)},
    "Concat": {"axis": ODD},
    "RandomNormal": {"shape": LISTS},
}


@st.composite
def wild_models(draw):
    """Any operations, on any of the values before, with any attributes: nearly all of them are
    nonsense."""
    generator = np.random.default_rng(draw(st.integers(0, 99)))
    constants = {
        f"c{i}": generator.normal(size=shape)
        if draw(st.booleans())
        else generator.integers(-1, 5, size=shape)
        for i, shape in enumerate(
            draw(st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=4))
        )
    }
    names, nodes = ["x", "x", *constants], []
    for i in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(sorted(WILD)))
        fewest, most, attributes = WILD[kind]
        options = {
            name: draw(value) for name, value in attributes.items() if draw(st.integers(0, 3)) == 0
        }
        options |= {name: draw(value) for name, value in NEEDED.get(kind, {}).items()}
        options = dict(list(options.items())[:1]) if kind == "Constant" else options
        inputs = draw(
            st.lists(st.sampled_from([*names, *names[-1:] * 3]), min_size=fewest, max_size=most)
        )
        try:
            nodes.append(
                helper.make_node(
                    kind,
                    inputs,
                    [f"v{i}"],
                    name=draw(st.sampled_from(["", "n", "a\nb"])),
                    **options,
                )
            )
        except (TypeError, ValueError):  # onnx itself writes no such attribute
            continue
        names.append(f"v{i}")
    shape = draw(
        st.lists(st.sampled_from([1, 2, 3, 4, 0, -1, "k", 2**20]), max_size=4)
        | st.lists(SIZES, min_size=1, max_size=3)
    )
    batch = draw(st.sampled_from(["n", "n", None, 0, -1, 1, 2, 4, 2**40]))
    made = model(
        nodes,
        shape,
        constants,
        opset=draw(st.integers(13, 26)),
        batch=batch,
        output=names[-1],
        dtype=np.float64,
    )
    made.graph.input[0].type.tensor_type.elem_type = draw(
        st.sampled_from([TensorProto.DOUBLE] * 6 + [TensorProto.INT64, 0, 99])
    )
    return made


@st.composite
def chains(draw):
    """Layers one behind the other, in any of the forms that an exporter may write, sometimes with
    one that misses the meaning."""
    generator = np.random.default_rng(draw(st.integers(0, 9999)))
    batch, constants, nodes = draw(st.sampled_from(["n", 1, 2, 3])), {}, []
    names = iter(f"v{i}" for i in range(99))

    def put(kind, *inputs, **options):
        nodes.append(helper.make_node(kind, inputs, [next(names)], **options))
        return nodes[-1].output[0]

    def constant(value):
        name = next(names)
        constants[name] = np.asarray(value)
        form = draw(st.sampled_from(["initializer", "initializer", "Identity", "Constant"]))
        if form == "Constant" and constants[name].dtype.kind != "f":
            return put("Constant", value=attribute(constants.pop(name)))
        return put("Identity", name) if form == "Identity" else name

    shape = draw(st.sampled_from([(SIZES,), (SIZES, SIZES, SIZES)]))
    start = sample = tuple(draw(size) for size in shape)
    value = "x"
    for _ in range(draw(st.integers(1, 5))):
        flat = len(sample) == 1 and draw(st.integers(0, 9)) > 0
        kind = draw(
            st.sampled_from(
                [
                    "flatten",
                    "rectifier",
                    "sum",
                    "nothing",
                    *(["dense"] * 3 if flat else ["convolution", "pool"]),
                ]
            )
        )
        if kind == "flatten":
            size = int(np.prod(sample))
            first = draw(st.sampled_from([-1, 0, 1, 2, 3]))
            form = draw(st.sampled_from(["Flatten", "Reshape", "counted"]))
            if form == "Flatten":
                value = put("Flatten", value, axis=draw(st.sampled_from([1, 1, 1, 0, 2, -1])))
            elif form == "Reshape":
                rest = (
                    -1
                    if first != -1 and draw(st.booleans())
                    else draw(st.sampled_from([size, size, size, 4]))
                )
                value = put(
                    "Reshape", value, constant([first, rest]), allowzero=draw(st.integers(0, 1))
                )
            else:
                count = put(
                    "Unsqueeze",
                    put("Gather", put("Shape", value), constant(draw(st.sampled_from([0, 0, 1])))),
                    constant([0]),
                )
                value = put("Reshape", value, put("Concat", count, constant([-1]), axis=0))
            sample = (size,)
        elif kind == "dense":
            outputs = draw(SIZES)
            weight = generator.normal(size=(outputs, sample[-1]))
            bias = generator.normal(size=outputs)
            form = draw(
                st.sampled_from(["Gemm", "transB", "MatMul", "MatMul and Add", "Transpose"])
            )
            if form == "transB":
                value = put("Gemm", value, constant(weight), constant(bias), transB=1)
            elif form == "Gemm":
                value = put(
                    "Gemm",
                    value,
                    constant(weight.T),
                    *([constant(bias)] if draw(st.booleans()) else []),
                )
            else:
                value = put(
                    "MatMul",
                    value,
                    put("Transpose", constant(weight))
                    if form == "Transpose"
                    else constant(weight.T),
                )
                if form == "MatMul and Add":
                    shaped = constant(
                        bias.reshape(draw(st.sampled_from([(-1,), (1, -1), (-1, 1)])))
                    )
                    value = put("Add", *draw(st.permutations([value, shaped])))
            sample = (*sample[:-1], outputs)
        elif kind in ("convolution", "pool"):
            size, strides = (
                [draw(st.integers(1, 2)) for _ in range(2)],
                [draw(st.integers(1, 2)) for _ in range(2)],
            )
            pads = draw(
                st.sampled_from(
                    [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 1, 0]]
                )
            )
            options = draw(
                st.sampled_from(
                    [
                        {"pads": pads},
                        {},
                        {"auto_pad": "SAME_UPPER"},
                        {"auto_pad": "SAME_LOWER"},
                        {"auto_pad": "VALID"},
                    ]
                )
            )
            if kind == "pool":
                value = put(
                    "AveragePool",
                    value,
                    kernel_shape=size,
                    strides=strides,
                    ceil_mode=draw(st.integers(0, 1)),
                    **options,
                )
            else:
                outputs = draw(st.integers(1, 2))
                value = put(
                    "Conv",
                    value,
                    constant(generator.normal(size=(outputs, sample[0], *size))),
                    strides=strides,
                    **options,
                )
                sample = (outputs, *sample[1:])
        elif kind == "sum":
            value = put("Add", *draw(st.permutations([value, put("LeakyRelu", value, alpha=0.25)])))
        elif kind == "rectifier":
            value = put("Relu", value)
        else:
            form = draw(st.sampled_from(["Identity", "Dropout", "Cast"]))
            value = put(form, value, **({"to": TensorProto.DOUBLE} if form == "Cast" else {}))
    return model(
        nodes,
        start,
        constants,
        opset=draw(st.integers(14, 21)),
        batch=batch,
        output=value,
        dtype=np.float64,
    )
