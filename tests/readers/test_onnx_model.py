"""ONNX files: outputs as onnx's own evaluator gives them; what cannot be read is named."""

import re
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from agtopt import Dense, InvalidInputError, MissingFileError, Network, UnsupportedError
from tests.readers.evaluate import outputs

RNG = np.random.default_rng(0)


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def saved(path, nodes, shape, weights=None, opset=17, batch="samples", output="y", dtype=np.float32, **other):
    """A file with one input x and one output y; `weights` by name."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    initializers = [
        numpy_helper.from_array(np.asarray(value, dtype=dtype if np.asarray(value).dtype.kind == "f" else None), name)
        for name, value in (weights or {}).items()
    ]
    inputs = other.get("inputs") or [helper.make_tensor_value_info("x", kind, [batch, *shape])]
    results = [helper.make_tensor_value_info(name, kind, ["samples", "outputs"]) for name in output.split()]
    graph = helper.make_graph(nodes, "graph", inputs, results, initializers)
    file = path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("own", 1)], ir_version=8), file)
    return file


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
    "matmul and add": ([node("MatMul", "x W", "h"), node("Add", "h b", "y")], (3,), {"W": normal(3, 4), "b": normal(4)}),
    "add and matmul": ([node("MatMul", "x W", "h"), node("Add", "b h", "y")], (3,), {"W": normal(3, 1), "b": normal(1)}),
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
        [node("AveragePool", "x", "p", kernel_shape=[2, 2]), node("Reshape", "p s", "f"), node("MatMul", "f W", "y")],
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
            node("Constant", "", "s", value=numpy_helper.from_array(np.array([-1, 4]))),
            node("Constant", "", "W", value=numpy_helper.from_array(normal(4, 2).astype(np.float32))),
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
    "a branch that leads nowhere": ([node("MatMul", "x W", "y"), node("MatMul", "x V", "z")], (3,), {"W": normal(3, 2), "V": normal(3, 5)}),
}


@pytest.mark.parametrize(
    ("case", "dtype"), [(case, np.float32) for case in MODELS] + [(case, np.float64) for case in MODELS if MODELS[case][2]]
)
def test_outputs_are_those_of_onnx(case, dtype, tmp_path):
    nodes, shape, weights = MODELS[case]
    file = saved(tmp_path, nodes, shape, weights, dtype=dtype)
    network = Network.from_onnx(file)
    x = normal(5, *shape).astype(dtype)
    expected = ReferenceEvaluator(str(file)).run(None, {"x": x})[0]
    np.testing.assert_allclose(
        outputs(network, x), expected, rtol=1e-12 if dtype == np.float64 else 1e-5, atol=1e-6 if dtype == np.float32 else 0
    )
    assert network.input_shape == shape


def test_weights_are_those_of_the_file_in_the_order_of_the_nodes(tmp_path):
    nodes, shape, weights = MODELS["two branches"]
    network = Network.from_onnx(str(saved(tmp_path, nodes, shape, weights)))
    assert list(network.initial) == ["dense1_weight", "dense1_bias", "dense2_weight", "dense2_bias"]
    assert network.nodes == ("dense1", "dense2", "relu1", "add1")
    assert network.inputs_of("add1") == ("relu1", "dense1")
    for name, value in {"dense1_weight": weights["W"].T, "dense2_bias": weights["c"]}.items():
        np.testing.assert_array_equal(network.initial[name], value.astype(np.float32).astype(np.float64))


@pytest.mark.parametrize("batch", [1, 7, "n", None])
def test_the_batch_of_the_file_does_not_matter(batch, tmp_path):
    nodes, shape, weights = MODELS["gemm"]
    network = Network.from_onnx(saved(tmp_path, nodes, shape, weights, batch=batch))
    assert (network.input_shape, network.layer("dense1")) == ((4,), Dense(4, 3))


def test_initializers_may_be_listed_as_inputs(tmp_path):
    nodes, shape, weights = MODELS["gemm"]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in {"W": (3, 4), "x": ("n", 4), "b": (3,)}.items()]
    assert Network.from_onnx(saved(tmp_path, nodes, shape, weights, inputs=inputs)).size == 15


V = {"W": normal(3, 3), "b": normal(3)}
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
    "(Add) is not supported: it does not take the output of a layer": ([node("Add", "b b", "c"), node("Gemm", "x W c", "y")], V),
    "its bias must be a constant": ([node("Gemm", "x W", "h"), node("Gemm", "x U h", "y")], {**V, "U": normal(3, 3)}),
    "its bias has shape (1,); it must be (3,)": ([node("MatMul", "x W", "h"), node("Add", "h c", "y")], {**V, "c": normal(1)}),
    "its bias has shape (); it must be (3,)": ([node("Gemm", "x W c", "y")], {**V, "c": np.float32(1.0)}),
    "a constant can only be the bias": ([node("Gemm", "x W b", "h"), node("Add", "h c", "y")], {**V, "c": normal(3)}),
    "'r' (Add) is not supported: a constant can only be": ([node("Add", "x b", "r"), node("MatMul", "r W", "y")], V),
    "'s' (Add) is not supported: a constant can only be": (
        [node("MatMul", "x W", "h"), node("Relu", "h", "r"), node("Add", "h b", "s"), node("Add", "r s", "y")],
        V,
    ),
    "(Relu) is not supported: it takes 'h', which is neither": (
        [node("MatMul", "x W", "h"), node("Add", "h b", "s"), node("Relu", "h", "r"), node("Add", "r s", "y")],
        V,
    ),
    "layer 'add1' takes ['dense1', 'dense1'], one of them twice": ([node("MatMul", "x W", "h"), node("Add", "h h", "y")], V),
    "its weights are shared": ([node("Gemm", "x W", "h"), node("Gemm", "h W", "y")], V),
    "(Add) is not supported: its weights are shared": (
        [node("Gemm", "x W b", "h"), node("MatMul", "h U", "g"), node("Add", "g b", "y")],
        {**V, "U": normal(3, 3)},
    ),
    "training_mode must be false": (
        [node("Dropout", "x r t", "d"), node("MatMul", "d W", "y")],
        {**V, "r": np.float32(0.5), "t": np.array(True)},
    ),
    "axis must be 1, not 2": ([node("Flatten", "x", "f", axis=2), node("MatMul", "f W", "y")], V),
    "the shape must be (0, -1)": ([node("Reshape", "x s", "f"), node("MatMul", "f W", "y")], {**V, "s": np.array([3, -1])}),
    "(Reshape) is not supported: the shape must be": (
        [node("Reshape", "x s", "f"), node("MatMul", "f W", "y")],
        {**V, "s": np.array([0, 3, 1])},
    ),
    "(Shape)": ([node("Shape", "x", "s"), node("Reshape", "x s", "f"), node("MatMul", "f W", "y")], V),
    "the output 'y' is not supported": ([node("Constant", "", "y", value=numpy_helper.from_array(np.ones(3, dtype=np.float32)))], V),
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
        ("Conv", {"auto_pad": "SAME_UPPER"}, "auto_pad must be NOTSET, not SAME_UPPER"),
        ("AveragePool", {"kernel_shape": [2, 2], "pads": [1, 1, 1, 1]}, "pads must be 0"),
        ("AveragePool", {"kernel_shape": [2, 2], "ceil_mode": 1}, "ceil_mode must be 0"),
        ("AveragePool", {"kernel_shape": [2, 2], "auto_pad": "VALID"}, "auto_pad must be NOTSET, not VALID"),
        ("AveragePool", {"kernel_shape": [2, 2], "dilations": [2, 2]}, "dilations must be 1"),
        ("MaxPool", {"kernel_shape": [2, 2]}, "(MaxPool)"),
        ("GlobalAveragePool", {}, "(GlobalAveragePool)"),
    ],
)
def test_windows_that_are_not_supported_are_named(kind, attributes, words, tmp_path):
    nodes = [node(kind, "x K" if kind == "Conv" else "x", "p", **attributes), node("Flatten", "p", "y")]
    refused(words, saved(tmp_path, nodes, (3, 6, 6), IMAGE, opset=19))


def test_only_windows_over_two_axes_are_read(tmp_path):
    nodes = [node("Conv", "x K", "c"), node("Flatten", "c", "y")]
    refused("its W must be a constant with 4 axes", saved(tmp_path, nodes, (3, 6), {"K": normal(2, 3, 3)}))


def test_graphs_that_are_not_supported_are_named(tmp_path):
    nodes, shape, weights = MODELS["gemm"]
    refused("opset 6 is not supported; it must be at least 7", saved(tmp_path, nodes, shape, weights, opset=6))
    refused("1 inputs and 2 outputs are not", saved(tmp_path, [*nodes, node("Relu", "y", "z")], shape, weights, output="y z"))
    refused("input 'x' has no fixed shape", saved(tmp_path, nodes, ("features",), weights))
    refused("input 'x' has no fixed shape", saved(tmp_path, nodes, (), weights))
    refused("(Gemm) is not supported: no layer does the same", saved(tmp_path, [node("Gemm", "x W", "y", domain="own")], shape, weights))


def test_layers_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(InvalidInputError, match=r"Dense\(4, 3\) does not fit an input of shape \(5,\)"):
        Network.from_onnx(saved(tmp_path, MODELS["gemm"][0], (5,), DENSE))
    nodes = [node("MatMul", "x W", "h"), node("Reshape", "h s", "y")]
    with pytest.raises(InvalidInputError, match="'flatten1' reshapes a sample to"):
        Network.from_onnx(saved(tmp_path, nodes, (4,), {"W": normal(4, 6), "s": np.array([-1, 3])}))


def test_weights_must_be_finite(tmp_path):
    with pytest.raises(InvalidInputError, match=r"dense1_weight.*nan"):
        Network.from_onnx(saved(tmp_path, MODELS["matmul"][0], (3,), {"W": np.full((3, 2), np.nan)}))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x07\x12"], ids=["empty", "text", "cut"])
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
