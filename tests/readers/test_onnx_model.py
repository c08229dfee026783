"""ONNX files: outputs as onnx's own evaluator gives them; what cannot be read is named."""

import re
import sys

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from agtopt import (
    AgtoptError,
    Conv2d,
    Dense,
    InvalidInputError,
    MissingFileError,
    Network,
    UnsupportedError,
)
from agtopt.readers import onnx_operations
from tests.readers.evaluate import outputs
from tests.readers.onnx_graphs import attribute, model, node, saved

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape)


DENSE = {"W": normal(3, 4), "b": normal(3)}
IMAGE = {"K": normal(2, 3, 3, 2), "k": normal(2)}

MODELS = {
    "gemm": ([node("Gemm", "x W b", "y", transB=1)], (4,), DENSE),
    "gemm without transpose": (
        [node("Gemm", "x W", "h"), node("Gemm", "h V c", "y")],
        (3,),
        {"W": normal(3, 4), "V": normal(4, 2), "c": normal(1, 2)},
    ),
    "matmul": ([node("MatMul", "x W", "y")], (3,), {"W": normal(3, 4)}),
    "matmul and add": (
        [node("MatMul", "x W", "h"), node("Add", "h b", "y")],
        (3,),
        {"W": normal(3, 4), "b": normal(4)},
    ),
    "add and matmul": (
        [node("MatMul", "x W", "h"), node("Add", "b h", "y")],
        (3,),
        {"W": normal(3, 1), "b": normal(1)},
    ),
    "two branches": (
        [
            node("MatMul", "x W", "h"),
            node("MatMul", "x V", "g"),
            node("Add", "h b", "hb"),
            node("Add", "g c", "gc"),
            node("Relu", "gc", "r"),
            node("Add", "r hb", "y"),
        ],
        (3,),
        {"W": normal(3, 2), "V": normal(3, 2), "b": normal(2), "c": normal(2)},
    ),
    "residual": (
        [
            node("Gemm", "x W b", "h", transB=1),
            node("LeakyRelu", "h", "r", alpha=0.25),
            node("Identity", "r", "i"),
            node("Add", "x i", "s"),
            node("Relu", "s", "y"),
        ],
        (3,),
        {"W": normal(3, 3), "b": normal(3)},
    ),
    "convolution": (
        [
            node("Conv", "x K k", "c", kernel_shape=[3, 2], pads=[1, 2, 1, 2], strides=[2, 1]),
            node("LeakyRelu", "c", "l"),
            node("AveragePool", "l", "p", kernel_shape=[2, 3], strides=[1, 2]),
            node("Dropout", "p", "d"),
            node("Flatten", "d", "f"),
            node("Gemm", "f W", "y", transB=1),
        ],
        (3, 6, 5),
        {**IMAGE, "W": normal(2, 2 * 2 * 3)},
    ),
    "pool with the strides of ONNX": (
        [
            node("AveragePool", "x", "p", kernel_shape=[2, 2]),
            node("Reshape", "p s", "f"),
            node("MatMul", "f W", "y"),
        ],
        (1, 3, 4),
        {"s": np.array([0, -1]), "W": normal(6, 2)},
    ),
    "reshape to a known size": (
        [node("Reshape", "x s", "f"), node("MatMul", "f W", "y")],
        (2, 3),
        {"s": np.array([-1, 6]), "W": normal(6, 2)},
    ),
    "constants as nodes": (
        [
            node("Constant", "", "s", value=attribute([-1, 4])),
            node("Constant", "", "W", value=attribute(normal(4, 2).astype(np.float32))),
            node("Reshape", "x s", "f"),
            node("MatMul", "f W", "y"),
        ],
        (2, 2),
        {},
    ),
    "dropout that is told not to train": (
        [node("Dropout", "x r t", "d"), node("MatMul", "d W", "y")],
        (3,),
        {"r": np.float32(0.5), "t": np.array(False), "W": normal(3, 2)},
    ),
    "samples counted by the graph": (
        [
            node("Relu", "x", "r"),
            node("Shape", "r", "all"),
            node("Gather", "all zero", "n", axis=0),
            node("Unsqueeze", "n axes", "first"),
            node("Concat", "first rest", "s", axis=0),
            node("Reshape", "r s", "f"),
            node("MatMul", "f W", "y"),
        ],
        (2, 2),
        {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "W": normal(4, 2)},
    ),
    "sizes computed by the graph": (
        [
            node("Shape", "x", "all"),
            node("Slice", "all one three", "sides"),
            node("ReduceProd", "sides", "size", keepdims=1),
            node("Cast", "size", "real", to=TensorProto.FLOAT),
            node("Cast", "real", "whole", to=TensorProto.INT64),
            node("Concat", "minus whole", "s", axis=0),
            node("Reshape", "x s", "f"),
            node("MatMul", "f W", "y"),
        ],
        (2, 3),
        {"one": np.array([1]), "three": np.array([3]), "minus": np.array([-1]), "W": normal(6, 2)},
    ),
    "constants moved": (
        [
            node("Transpose", "W", "t", perm=[1, 0]),
            node("Identity", "t", "i"),
            node("Squeeze", "b zero", "s"),
            node("Gemm", "x i s", "h"),
            node("Flatten", "h", "g"),
            node("Identity", "g", "y"),
        ],
        (4,),
        {"W": normal(3, 4), "b": normal(1, 3), "zero": np.array([0])},
    ),
    "a convolution without padding, by name": (
        [
            node("Conv", "x K k", "c", auto_pad="VALID", strides=[2, 1]),
            node("Flatten", "c", "f"),
            node("MatMul", "f W", "y"),
        ],
        (3, 6, 5),
        {**IMAGE, "W": normal(2 * 2 * 4, 1)},
    ),
    "a convolution of the same size": (
        [
            node("Conv", "x Q", "c", auto_pad="SAME_UPPER"),
            node("Flatten", "c", "f"),
            node("MatMul", "f W", "y"),
        ],
        (1, 4, 5),
        {"Q": normal(2, 1, 3, 5), "W": normal(2 * 4 * 5, 1)},
    ),
    "a convolution of half the size": (
        [
            node("Conv", "x Q", "c", auto_pad="SAME_LOWER", strides=[2, 2]),
            node("Flatten", "c", "f"),
            node("MatMul", "f W", "y"),
        ],
        (1, 5, 4),
        {"Q": normal(2, 1, 3, 2), "W": normal(2 * 3 * 2, 1)},
    ),
    "pools that fill the input": (
        [
            node(
                "AveragePool", "x", "p", kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER"
            ),
            node("AveragePool", "p", "q", kernel_shape=[2, 1], ceil_mode=1, count_include_pad=1),
            node("Squeeze", "q axes", "f"),
            node("Gemm", "f W", "y", transB=1, beta=0.5),
        ],
        (3, 4, 2),
        {"axes": np.array([2, 3]), "W": normal(2, 3)},
    ),
    "other formats": (
        [
            node("Cast", "x", "c", to=TensorProto.DOUBLE),
            node("Cast", "W", "V", to=TensorProto.DOUBLE),
            node("MatMul", "c V", "y"),
        ],
        (3,),
        {"W": normal(3, 2)},
    ),
    "a branch that leads nowhere": (
        [node("MatMul", "x W", "y"), node("Softmax", "x", "z")],
        (3,),
        {"W": normal(3, 2)},
    ),
}


ROUNDING = {np.float32: 1e-5, np.float64: 1e-12}


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        (case, dtype)
        for case in MODELS
        for dtype in ROUNDING
        if case != "constants as nodes" or dtype == np.float32
    ],
)
@pytest.mark.filterwarnings("ignore:.*without a bias")
def test_outputs_are_those_of_onnx(case, dtype, tmp_path):
    nodes, shape, weights = MODELS[case]
    file = saved(tmp_path, nodes, shape, weights, dtype=dtype)
    network = Network.from_onnx(file)
    x = normal(5, *shape).astype(dtype)
    expected = ReferenceEvaluator(str(file)).run(None, {"x": x})[0]
    np.testing.assert_allclose(
        outputs(network, x), expected, rtol=ROUNDING[dtype], atol=ROUNDING[dtype]
    )
    assert network.input_shape == shape


@pytest.mark.parametrize(
    ("target", "batch", "options"),
    [
        ([1, 8], 1, {}),
        ([1, 8], 1, {"allowzero": 1}),
        ([1, -1], 1, {"allowzero": 1}),
        ([-1, 8], "n", {"allowzero": 1}),
        ([4, 8], 4, {"allowzero": 1}),
        ([4, -1], 4, {}),
        ([0, -1], "n", {}),
        ([0, 8], 2, {}),
    ],
)
@pytest.mark.filterwarnings("ignore:.*without a bias")
def test_a_reshape_that_keeps_the_samples_is_a_flatten(target, batch, options):
    nodes = [
        node("Conv", "x K", "c"),
        node("Reshape", "c s", "f", **options),
        node("Gemm", "f W b", "y"),
    ]
    weights = {"K": normal(2, 1, 3, 3), "s": np.array(target), "W": normal(8, 1), "b": normal(1)}
    network = Network.from_onnx(model(nodes, (1, 4, 4), weights, batch=batch))
    assert network.nodes == ("conv2d1", "flatten1", "dense1")


@pytest.mark.parametrize(
    ("target", "batch"),
    [([1, 8], "n"), ([1, -1], "n"), ([4, 8], "n"), ([2, 16], 4), ([8], 1), ([-1, 4], 4)],
)
def test_a_reshape_that_moves_entries_between_samples_is_refused(target, batch):
    nodes = [node("Conv", "x K", "c"), node("Reshape", "c s", "f"), node("MatMul", "f W", "y")]
    weights = {"K": normal(2, 1, 3, 3), "s": np.array(target), "W": normal(abs(target[-1]), 1)}
    with pytest.raises(AgtoptError, match=r"node 'f' \(Reshape\)"):
        Network.from_onnx(model(nodes, (1, 4, 4), weights, batch=batch))


@pytest.mark.filterwarnings("ignore:.*without a bias")
def test_a_network_that_depends_on_the_number_of_samples_is_refused():
    """The height of a kernel is the number of samples."""
    nodes = [
        node("Shape", "x", "all"),
        node("Slice", "all zero one", "n"),
        node("Concat", "two_one n minus", "s", axis=0),
        node("Reshape", "K s", "Q"),
        node("Conv", "x Q", "c"),
        node("Flatten", "c", "y"),
    ]
    sizes = {"zero": [0], "one": [1], "two_one": [2, 1], "minus": [-1]}
    weights = {"K": normal(36), **{name: np.array(value) for name, value in sizes.items()}}
    with pytest.raises(UnsupportedError, match="another network for 2 samples than for 3"):
        Network.from_onnx(model(nodes, (1, 9, 9), weights))
    assert Network.from_onnx(model(nodes, (1, 9, 9), weights, batch=3)).layer("conv2d1") == Conv2d(
        1, 2, (3, 6), bias=False
    )


def misread_gemm(a, b, c, *, transB=0):
    return onnx_operations._gemm(a, b, c)


def misread_pool(x, *, kernel_shape, strides):
    return onnx_operations.LayerPart(
        onnx_operations.AvgPool2d(tuple(kernel_shape), tuple(kernel_shape)), (x,)
    )


@pytest.mark.parametrize("scale", [1.0, 0.0])
@pytest.mark.parametrize(
    ("kind", "reader", "words"),
    [
        ("Gemm", misread_gemm, "has other outputs than the file"),
        (
            "LeakyRelu",
            lambda x, *, alpha: onnx_operations.LayerPart(onnx_operations.ReLU(), (x,)),
            "has other outputs than the file",
        ),
        (
            "AveragePool",
            misread_pool,
            "it gives shape (2, 1, 3, 3), where a layer gives (2, 1, 2, 2)",
        ),
    ],
)
def test_a_reader_that_is_wrong_is_found_out(kind, reader, words, scale, monkeypatch):
    """Whatever the weights are: those of the last layer may all be zero, and so may the others."""
    nodes = [
        node("AveragePool", "x", "p", kernel_shape=[2, 2], strides=[1, 1]),
        node("Flatten", "p", "f"),
        node("Gemm", "f W b", "h", transB=1),
        node("LeakyRelu", "h", "r", alpha=0.5),
        node("Gemm", "r V c", "y", transB=1),
    ]
    weights = {
        "W": scale * normal(9, 9),
        "b": scale * normal(9),
        "V": 0.0 * normal(9, 9),
        "c": normal(9),
    }
    made = model(nodes, (1, 4, 4), weights)
    assert Network.from_onnx(made).size == 180
    monkeypatch.setitem(onnx_operations.OPERATIONS, kind, reader)
    with pytest.raises(UnsupportedError, match=re.escape(words)):
        Network.from_onnx(made)


def test_weights_are_those_of_the_file_in_the_order_of_the_nodes(tmp_path):
    nodes, shape, weights = MODELS["two branches"]
    network = Network.from_onnx(str(saved(tmp_path, nodes, shape, weights)))
    assert list(network.initial) == ["dense1_weight", "dense1_bias", "dense2_weight", "dense2_bias"]
    assert network.nodes == ("dense1", "dense2", "relu1", "add1")
    assert network.inputs_of("add1") == ("relu1", "dense1")
    for name, value in {"dense1_weight": weights["W"].T, "dense2_bias": weights["c"]}.items():
        np.testing.assert_array_equal(
            network.initial[name], value.astype(np.float32).astype(np.float64)
        )


@pytest.mark.parametrize("batch", [1, 7, "n", None])
def test_the_batch_of_the_file_does_not_matter(batch, tmp_path):
    nodes, shape, weights = MODELS["gemm"]
    network = Network.from_onnx(saved(tmp_path, nodes, shape, weights, batch=batch))
    assert (network.input_shape, network.layer("dense1")) == ((4,), Dense(4, 3))


def test_initializers_may_be_listed_as_inputs(tmp_path):
    nodes, shape, weights = MODELS["gemm"]
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.FLOAT, s)
        for n, s in {"W": (3, 4), "x": ("n", 4), "b": (3,)}.items()
    ]
    assert Network.from_onnx(saved(tmp_path, nodes, shape, weights, inputs=inputs)).size == 15


V = {"W": normal(3, 3), "b": normal(3)}
SPARSE = helper.make_sparse_tensor(attribute(np.ones(1, dtype=np.float32)), attribute([0]), [3])
UNSUPPORTED = {
    "node 'y' (Softmax) is not supported: no layer does the same; allowed are Gemm, MatMul": (
        [node("Gemm", "x W", "h"), node("Softmax", "h", "y")],
        V,
    ),
    "node 'named' (Tanh)": ([node("Gemm", "x W", "h"), node("Tanh", "h", "y", name="named")], V),
    "alpha and beta must be 1, not 2 and 1": ([node("Gemm", "x W b", "y", alpha=2.0)], V),
    "alpha and beta must be 1, not 1 and 0.5": ([node("Gemm", "x W b", "y", beta=0.5)], V),
    "transA must be 0": ([node("Gemm", "x W b", "y", transA=1)], V),
    "its B must be a constant with 2 axes": ([node("MatMul", "x x", "y")], V),
    "(MatMul) is not supported: its B must be a constant": ([node("MatMul", "W x", "y")], V),
    "(Gemm) is not supported: its bias is computed from other constants": (
        [node("Add", "b b", "c"), node("Gemm", "x W c", "y")],
        V,
    ),
    "(MatMul) is not supported: its B is computed from other constants": (
        [
            node("Cast", "D", "c", to=TensorProto.FLOAT16),
            node("Cast", "c", "d", to=TensorProto.FLOAT),
            node("MatMul", "x d", "y"),
        ],
        {"D": normal(3, 3)},
    ),
    "(Mul) is not supported: it computes with constants": (
        [node("Mul", "D g", "d"), node("MatMul", "x d", "y")],
        {"D": normal(3, 4000), "g": normal(4000)},
    ),
    "'r' (RandomNormal) is not supported: no layer does the same": (
        [node("RandomNormal", "", "r", shape=[3, 2]), node("MatMul", "x r", "y")],
        V,
    ),
    "(Constant) is not supported: it is sparse": (
        [node("Constant", "", "c", sparse_value=SPARSE), node("Gemm", "x W c", "y")],
        V,
    ),
    "its B has type int64; it must be one of float32, float64: convert the model": (
        [node("MatMul", "x I", "y")],
        {"I": np.ones((3, 2), dtype=np.int64)},
    ),
    "it must be to one of float32, float64, not int64": (
        [
            node("Cast", "x", "i", to=TensorProto.INT64),
            node("Cast", "i", "f", to=TensorProto.FLOAT),
            node("MatMul", "f W", "y"),
        ],
        V,
    ),
    "its B has type float16; it must be one of float32, float64": (
        [node("MatMul", "x H", "y")],
        {"H": np.ones((3, 2), dtype=np.float16)},
    ),
    "(MatMul) is not supported: its B is computed from other constants;": (
        [node("Cast", "H", "h", to=TensorProto.FLOAT), node("MatMul", "x h", "y")],
        {"H": np.ones((3, 2), dtype=np.float16)},
    ),
    "not float16": (
        [
            node("Cast", "x", "h", to=TensorProto.FLOAT16),
            node("Cast", "h", "f", to=TensorProto.FLOAT),
            node("MatMul", "f W", "y"),
        ],
        V,
    ),
    "its shape must be a constant": (
        [node("Cast", "x", "s", to=TensorProto.FLOAT), node("Reshape", "x s", "y")],
        V,
    ),
    "its bias must be a constant": (
        [node("Gemm", "x W", "h"), node("Gemm", "x U h", "y")],
        {**V, "U": normal(3, 3)},
    ),
    "its bias has shape (1,); it must be (3,)": (
        [node("MatMul", "x W", "h"), node("Add", "h c", "y")],
        {**V, "c": normal(1)},
    ),
    "its bias has shape (); it must be (3,)": (
        [node("Gemm", "x W c", "y")],
        {**V, "c": np.float32(1.0)},
    ),
    "a constant can only be the bias": (
        [node("Gemm", "x W b", "h"), node("Add", "h c", "y")],
        {**V, "c": normal(3)},
    ),
    "'r' (Add) is not supported: a constant can only be": (
        [node("Add", "x b", "r"), node("MatMul", "r W", "y")],
        V,
    ),
    "'s' (Add) is not supported: a constant can only be": (
        [
            node("MatMul", "x W", "h"),
            node("Relu", "h", "r"),
            node("Add", "h b", "s"),
            node("Add", "r s", "y"),
        ],
        V,
    ),
    "(Relu) is not supported: it takes 'h', which is neither": (
        [
            node("MatMul", "x W", "h"),
            node("Add", "h b", "s"),
            node("Relu", "h", "r"),
            node("Add", "r s", "y"),
        ],
        V,
    ),
    "layer 'add1' takes ['dense1', 'dense1'], one of them twice": (
        [node("MatMul", "x W", "h"), node("Add", "h h", "y")],
        V,
    ),
    "its weights are shared": ([node("Gemm", "x W", "h"), node("Gemm", "h W", "y")], V),
    "(Add) is not supported: its weights are shared": (
        [node("Gemm", "x W b", "h"), node("MatMul", "h U", "g"), node("Add", "g b", "y")],
        {**V, "U": normal(3, 3)},
    ),
    "training_mode must be false": (
        [node("Dropout", "x r t", "d"), node("MatMul", "d W", "y")],
        {**V, "r": np.float32(0.5), "t": np.array(True)},
    ),
    "it turns (2, 3) into (6, 1); it must flatten the samples into (2, 3)": (
        [node("Flatten", "x", "f", axis=2), node("MatMul", "f W", "y")],
        V,
    ),
    "it turns (2, 3) into (3, 2)": (
        [node("Reshape", "x s", "f"), node("MatMul", "f W", "y")],
        {**V, "s": np.array([3, -1])},
    ),
    "(Reshape) is not supported: it turns (2, 3) into (2, 3, 1)": (
        [node("Reshape", "x s", "f"), node("MatMul", "f W", "y")],
        {**V, "s": np.array([0, 3, 1])},
    ),
    "the output 'y' is not supported": (
        [node("Constant", "", "y", value=attribute(np.ones(3, dtype=np.float32)))],
        V,
    ),
}


def refused(words, file, error=UnsupportedError):
    with pytest.raises(error, match=re.escape(words)) as caught:
        Network.from_onnx(file)
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("words", UNSUPPORTED)
def test_what_is_not_supported_is_named(words, tmp_path):
    refused(words, saved(tmp_path, *UNSUPPORTED[words][:1], (3,), UNSUPPORTED[words][1]))


@pytest.mark.parametrize(
    ("kind", "attributes", "words"),
    [
        ("Conv", {"group": 3}, "group must be 1, not 3"),
        ("Conv", {"dilations": [2, 1]}, "dilations must be 1, not [2, 1]"),
        ("Conv", {"pads": [1, 0, 0, 0]}, "pads must be the same on both sides, not [1, 0, 0, 0]"),
        (
            "Conv",
            {"auto_pad": "SAME_UPPER"},
            "auto_pad SAME_UPPER pads one side more than the other here",
        ),
        ("Conv", {"strides": [1]}, "strides must be of two axes, not [1]"),
        (
            "AveragePool",
            {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"},
            "auto_pad SAME_UPPER pads one side more",
        ),
        (
            "AveragePool",
            {"kernel_shape": [3, 3], "auto_pad": "SAME_LOWER"},
            "pads must be 0, not (1, 1)",
        ),
        ("AveragePool", {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]}, "pads must be 0"),
        (
            "AveragePool",
            {"kernel_shape": [2, 2], "strides": [3, 1], "ceil_mode": 1},
            "ceil_mode must be 0",
        ),
        ("AveragePool", {"kernel_shape": [2, 2], "dilations": [2, 2]}, "dilations must be 1"),
        ("MaxPool", {"kernel_shape": [2, 2]}, "(MaxPool)"),
        ("GlobalAveragePool", {}, "(GlobalAveragePool)"),
    ],
)
def test_windows_that_are_not_supported_are_named(kind, attributes, words, tmp_path):
    nodes = [
        node(kind, "x K" if kind == "Conv" else "x", "p", **attributes),
        node("Flatten", "p", "y"),
    ]
    refused(words, saved(tmp_path, nodes, (3, 6, 6), IMAGE, opset=19))


def test_only_windows_over_two_axes_are_read(tmp_path):
    nodes = [node("AveragePool", "x", "p", kernel_shape=[2]), node("Flatten", "p", "y")]
    refused(
        "node 'p' (AveragePool) is not supported: kernel_shape must be of two axes, not [2]",
        saved(tmp_path, nodes, (3, 6)),
    )
    nodes = [node("Conv", "x K", "c"), node("Flatten", "c", "y")]
    refused(
        "its W must be a constant with 4 axes",
        saved(tmp_path, nodes, (3, 6), {"K": normal(2, 3, 3)}),
    )


def test_graphs_that_are_not_supported_are_named(tmp_path):
    nodes, shape, weights = MODELS["gemm"]
    refused(
        "opset 6 is not supported; it must be at least 7",
        saved(tmp_path, nodes, shape, weights, opset=6),
    )
    refused(
        "1 inputs and 2 outputs are not",
        saved(tmp_path, [*nodes, node("Relu", "y", "z")], shape, weights, output="y z"),
    )
    refused("input 'x' has no fixed shape", saved(tmp_path, nodes, ("features",), weights))
    refused("input 'x' has no fixed shape", saved(tmp_path, nodes, (), weights))
    refused(
        "input 'x' has shape (4,); an axis of the samples is needed before it",
        saved(tmp_path, nodes, (), weights, batch=4),
    )
    refused(
        "input 'x' has entries of type int64",
        saved(tmp_path, nodes, shape, weights, dtype=np.int64),
    )
    refused("opset 99 is not supported", saved(tmp_path, nodes, shape, weights, opset=99))
    refused(
        "(Gemm) is not supported: no layer does the same",
        saved(tmp_path, [node("Gemm", "x W", "y", domain="own")], shape, weights),
    )


def test_layers_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(
        InvalidInputError, match=r"Dense\(4, 3\) does not fit an input of shape \(5,\)"
    ):
        Network.from_onnx(saved(tmp_path, MODELS["gemm"][0], (5,), DENSE))


def test_weights_must_be_finite(tmp_path):
    with pytest.raises(InvalidInputError, match=r"dense1_weight.*nan"):
        Network.from_onnx(
            saved(tmp_path, MODELS["matmul"][0], (3,), {"W": np.full((3, 2), np.nan)})
        )


@pytest.mark.parametrize(
    "content", [b"", b"no model", b"\x08\x07\x12"], ids=["empty", "text", "cut"]
)
def test_a_broken_file_is_named(content, tmp_path):
    (tmp_path / "broken.onnx").write_bytes(content)
    refused("is not a valid ONNX model", tmp_path / "broken.onnx", InvalidInputError)


def test_a_graph_out_of_order_is_broken(tmp_path):
    refused(
        "is not a valid ONNX model",
        saved(tmp_path, MODELS["matmul and add"][0][::-1], (3,), MODELS["matmul and add"][2]),
        InvalidInputError,
    )


def test_a_folder_is_no_model(tmp_path):
    refused("is not a valid ONNX model", tmp_path, InvalidInputError)


def test_a_missing_file_is_named(tmp_path):
    refused("nowhere.onnx: does not exist", tmp_path / "nowhere.onnx", MissingFileError)


def test_without_onnx_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    file = saved(tmp_path, *MODELS["gemm"])
    monkeypatch.setitem(sys.modules, "onnx", None)
    refused("pip install agtopt[onnx]", file)
