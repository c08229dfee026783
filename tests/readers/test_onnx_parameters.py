"""What exporters merge, share, compute and drop is told from each other, said or refused."""

import re
import warnings

import numpy as np
import pytest
from onnx import TensorProto, helper

from agtopt import Bounded, Dataset, Network, Problem, Training, UnsupportedError
from agtopt.readers.onnx_parameters import TRACED
from tests.readers.onnx_graphs import model, node

RNG = np.random.default_rng(0)
W, V, B, ZERO = RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3)), RNG.normal(size=3), np.zeros(3)


def traced(made, call, *parameters):
    """The node with PyTorch's word on where it came from."""
    words = (
        f"%a : [num_users=1] = call_function[target=torch.ops.aten.{call}.default](args = (%x, "
        f"{', '.join(parameters)}), kwargs = {{}})"
    )
    made.metadata_props.add(key=TRACED, value=words)
    return made


def said(made):
    """The network, and what was said of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        network = Network.from_onnx(made)
    assert all(entry.category is UserWarning and entry.filename == __file__ for entry in caught)
    return network, [str(entry.message) for entry in caught]


def two(first, second, weights, *before, producer="pytorch"):
    """Two dense layers with a rectifier between them."""
    nodes = [
        *before,
        node("Gemm", f"x {first}", "h", transB=1),
        node("Relu", "h", "r"),
        node("Gemm", f"r {second}", "y", transB=1),
    ]
    return model(nodes, (3,), weights, producer=producer)


def test_layers_with_tensors_of_their_own_are_read_without_a_word():
    network, words = said(two("W b", "V c", {"W": W, "b": B, "V": V, "c": 2 * B}))
    assert network.size == 24
    assert words == []


def test_biases_of_their_own_that_start_at_zero_are_read_without_a_word():
    assert said(two("W b", "V c", {"W": W, "b": ZERO, "V": V, "c": ZERO}))[1] == []


MERGED = {
    "by the older exporter": two(
        "a.weight a.bias",
        "b.weight b.bias",
        {"a.weight": W, "a.bias": B},
        node("Identity", "a.weight", "b.weight"),
        node("Identity", "a.bias", "b.bias"),
    ),
    "by the default exporter": model(
        [
            traced(node("Gemm", "x W b", "h", transB=1), "linear", "%p_a_weight", "%p_a_bias"),
            traced(node("Gemm", "h W b", "y", transB=1), "linear", "%p_b_weight", "%p_b_bias"),
        ],
        (3,),
        {"W": W, "b": B},
    ),
}


@pytest.mark.parametrize("case", MERGED)
def test_equal_parameters_that_were_merged_are_each_read_and_named(case):
    network, words = said(MERGED[case])
    assert network.size == 24
    np.testing.assert_array_equal(network.initial["dense2_weight"], W.astype(np.float32))
    (only,) = words
    assert "dense1_weight and dense2_weight, dense1_bias and dense2_bias: equal in the file" in only


def test_a_bias_of_equal_entries_that_was_merged_is_read_and_named():
    network, (only,) = said(two("W b", "V b", {"W": W, "b": ZERO, "V": V}, producer="anyone"))
    assert network.size == 24
    assert "dense1_bias and dense2_bias: equal in the file" in only


def test_tensors_that_an_exporter_may_have_written_twice_are_named():
    assert (
        "dense1_weight and dense2_weight: equal"
        in said(two("W b", "V c", {"W": W, "b": B, "V": W.T, "c": 2 * B}))[1][0]
    )


SHARED = {
    "one initializer": two("W b", "W c", {"W": W, "b": B, "c": 2 * B}),
    "one bias": two("W b", "V b", {"W": W, "b": B, "V": V}),
    "transposed": two("W b", "t c", {"W": W, "b": B, "c": 2 * B}, node("Transpose", "W", "t")),
    "an Identity for each use, as tf2onnx writes": two(
        "W b", "i c", {"W": W, "b": B, "c": 2 * B}, node("Identity", "W", "i"), producer="tf2onnx"
    ),
    "transposed by the older exporter, whose Identity may stand for either": model(
        [
            node("Identity", "onnx::MatMul_1", "onnx::MatMul_2"),
            node("MatMul", "x onnx::MatMul_1", "h"),
            node("MatMul", "h onnx::MatMul_2", "y"),
        ],
        (3,),
        {"onnx::MatMul_1": W},
        producer="pytorch",
    ),
    "by PyTorch's word": model(
        [
            traced(node("Gemm", "x W b", "h", transB=1), "linear", "%p_a_weight", "%p_a_bias"),
            traced(node("Gemm", "h W c", "y", transB=1), "linear", "%p_a_weight", "%p_b_bias"),
        ],
        (3,),
        {"W": W, "b": B, "c": 2 * B},
    ),
    "by PyTorch's word, though written twice": model(
        [
            traced(node("Gemm", "x W b", "h", transB=1), "linear", "%p_a_weight", "%p_a_bias"),
            traced(node("Gemm", "h V c", "y"), "linear", "%p_a_weight", "%p_a_bias"),
        ],
        (3,),
        {"W": W, "b": B, "V": W.T, "c": B},
    ),
    "within one layer": model([node("Gemm", "x W W", "y", transB=1)], (1,), {"W": np.ones((1, 1))}),
}


@pytest.mark.parametrize("case", SHARED)
def test_weights_that_are_or_may_be_shared_are_refused(case):
    with pytest.raises(
        UnsupportedError,
        match=r"its weights are shared with another layer .* or equal ones were merged",
    ):
        Network.from_onnx(SHARED[case])


COMPUTED = {
    "a batch normalisation folded in by the default exporter": [
        traced(
            node("Gemm", "x W b", "y"),
            "_native_batch_norm_legit_no_training",
            "%p_1_weight",
            "%p_1_bias",
            "%b_1_running_mean",
        )
    ],
    "a weight norm": [traced(node("Gemm", "x W b", "y"), "linear", "%mul", "%p_0_bias")],
    "a buffer": [
        traced(node("MatMul", "x W", "h"), "linear", "%p_a_weight"),
        traced(node("Add", "h b", "y"), "add", "%linear", "%b_off"),
    ],
    "what the older exporter folded": [node("Gemm", "x onnx::Gemm_9 b", "y")],
}


@pytest.mark.parametrize("case", COMPUTED)
def test_what_pytorch_says_is_no_parameter_is_refused(case):
    made = model(COMPUTED[case], (3,), {"W": W, "b": B, "onnx::Gemm_9": W}, producer="pytorch")
    with pytest.raises(
        UnsupportedError,
        match="PyTorch computed its weights from other parameters, or they are none",
    ):
        Network.from_onnx(made)


def test_one_layer_in_two_nodes_takes_its_parameters_twice():
    nodes = [node("MatMul", "x W", "h"), node("Add", "h b", "y")]
    made = [traced(part, "linear", "%p_a_weight", "%p_a_bias") for part in nodes]
    assert said(model(made, (3,), {"W": W, "b": B}))[0].size == 12


def test_a_matrix_that_the_older_exporter_transposed_is_named():
    words = said(
        model(
            [node("MatMul", "x onnx::MatMul_4", "y")],
            (3,),
            {"onnx::MatMul_4": W},
            producer="pytorch",
        )
    )[1]
    assert "dense1_weight ('onnx::MatMul_4'): computed by PyTorch's exporter" in words[0]
    assert "dense1: without a bias" in words[1]


def test_layers_without_a_bias_are_named_and_described():
    network, (only,) = said(two("W", "V c", {"W": W, "V": V, "c": B}))
    assert re.search(r"ONNX model: dense1: without a bias in the file.*from_torch", only)
    assert network.unbiased == ("dense1",)
    problem = Problem(
        network,
        Dataset(np.zeros((2, 3)), np.zeros((2, 3))),
        Bounded(n=1, eps=0.1),
        Training("squared"),
    )
    assert "(21 parameters, no bias in dense1)" in problem.describe()


def in_format(kind, values):
    made = model([node("Gemm", "x W b", "y", transB=1)], (3,))
    made.graph.initializer.extend(
        helper.make_tensor(name, kind, v.shape, v.ravel())
        for name, v in (("W", values), ("b", values[0, :1]))
    )
    made.graph.input[0].type.tensor_type.elem_type = kind
    return made


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE])
def test_weights_keep_their_values(kind):
    values = np.array([[0.5, -1.25, 3.0]])
    network = Network.from_onnx(in_format(kind, values))
    np.testing.assert_array_equal(network.initial["dense1_weight"], values)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_formats_in_which_nothing_is_bounded_are_refused(kind):
    with pytest.raises(UnsupportedError, match=r"float16.*one of float32, float64"):
        Network.from_onnx(in_format(kind, np.array([[0.5, -1.25, 3.0]])))
