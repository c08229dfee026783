"""Whatever is given for an ONNX model: it is read, with the outputs of onnx, or an AgtoptError says
what is wrong."""

import io
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from agtopt import AgtoptError, InvalidInputError, Network, UnsupportedError
from agtopt.readers.onnx_parameters import TRACED
from tests.readers.evaluate import outputs
from tests.readers.onnx_graphs import model, node
from tests.readers.onnx_strategies import chains, wild_models

PARTS = {"K": np.ones((2, 1, 2, 2)), "k": np.ones(2), "W": np.ones((1, 8)), "b": np.ones(1)}
CHAIN = [
    node("Conv", "x K k", "c"),
    node("Relu", "c", "r"),
    node("Flatten", "r", "f"),
    node("Gemm", "f W b", "y", transB=1),
]
MODEL = model(CHAIN, (1, 3, 3), PARTS)
FILE = MODEL.SerializeToString()


def read(source):
    """The network, or None where an error of agtopt's own, on one line, said what is wrong."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Network.from_onnx(source)
        except AgtoptError as error:
            words = str(error)
    assert "\n" not in words
    return None


def check(made):
    """What is read has the outputs of the whole model, at any number of samples that it allows."""
    network = read(made)
    if network is not None:
        fixed = made.graph.input[0].type.tensor_type.shape.dim[0].dim_value
        for batch in [fixed] if fixed > 0 else [1, 2, 4, 5]:
            x = np.random.default_rng(batch).normal(size=(batch, *network.input_shape))
            np.testing.assert_allclose(
                outputs(network, x),
                ReferenceEvaluator(made).run(None, {"x": x})[0],
                rtol=1e-9,
                atol=1e-9,
            )


@settings(max_examples=80, deadline=None)
@given(made=chains())
def test_what_exporters_may_write_is_read_as_onnx_runs_it(made):
    check(made)


@settings(max_examples=80, deadline=None)
@given(made=wild_models())
def test_nonsense_is_refused_by_name(made):
    check(made)


@settings(max_examples=80, deadline=None)
@given(content=st.binary(max_size=200))
def test_bytes_are_refused_by_name(content):
    read(content)


@settings(max_examples=80, deadline=None)
@given(
    places=st.lists(st.integers(0, 8 * len(FILE) - 1), max_size=4), length=st.integers(0, len(FILE))
)
def test_broken_files_are_refused_by_name(places, length):
    content = bytearray(FILE)
    for place in places:
        content[place // 8] ^= 1 << place % 8
    read(bytes(content if places else content[:length]))


@pytest.mark.parametrize("word", [b"tests", b"Relu", b"W", b"words", b"own"])
def test_text_that_is_no_text_is_named(word):
    made = model(CHAIN, (1, 3, 3), PARTS)
    made.graph.node[0].metadata_props.add(key=TRACED, value="words")
    with pytest.raises(InvalidInputError, match="it has text that is not UTF-8"):
        Network.from_onnx(made.SerializeToString().replace(word, b"\xff" * len(word)))


@pytest.mark.parametrize(
    "source",
    [None, 7, ["model.onnx"], io.BytesIO(FILE), MODEL.graph, np.ones(3), {}],
    ids=lambda source: type(source).__name__,
)
def test_what_is_no_model_is_named(source):
    with pytest.raises(
        InvalidInputError,
        match=(
            f"{type(source).__name__} is not allowed; it must be the path of a file, its bytes, or "
            "an onnx"
        ),
    ):
        Network.from_onnx(source)


def test_a_path_its_bytes_and_a_model_are_read_alike(tmp_path):
    (tmp_path / "model.onnx").write_bytes(FILE)
    for source in (tmp_path / "model.onnx", str(tmp_path / "model.onnx"), FILE, MODEL):
        assert Network.from_onnx(source).nodes == ("conv2d1", "relu1", "flatten1", "dense1")
    assert MODEL.SerializeToString() == FILE


def test_paths_that_the_system_refuses_are_named():
    for path in ("a\0b", "a" * 5000, "", "/", "\udcff"):
        with pytest.raises(AgtoptError):
            Network.from_onnx(path)


def test_weights_in_a_file_of_their_own_need_the_path(tmp_path):
    onnx.save(
        MODEL,
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    assert Network.from_onnx(tmp_path / "model.onnx").size == 2 * 4 + 2 + 8 + 1
    with pytest.raises(AgtoptError):
        Network.from_onnx((tmp_path / "model.onnx").read_bytes())


def test_weights_beside_the_working_folder_are_not_taken_for_those_of_bytes(tmp_path, monkeypatch):
    onnx.save(
        MODEL,
        tmp_path / "model.onnx",
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UnsupportedError, match="has tensors in files of their own; give the path of the model"
    ):
        Network.from_onnx(Path("model.onnx").read_bytes())


def test_functions_of_the_model_are_written_out():
    body = [node("Gemm", "x W b", "h", transB=1), node("Relu", "h", "y")]
    function = helper.make_function(
        "own", "Block", ["x", "W", "b"], ["y"], body, [helper.make_opsetid("", 17)]
    )
    made = model(
        [node("Block", "x W b", "y", domain="own")], (3,), {"W": np.ones((2, 3)), "b": np.ones(2)}
    )
    made.functions.append(function)
    assert Network.from_onnx(made).nodes == ("dense1", "relu1")


def test_sparse_initializers_are_refused():
    made = model([node("Gemm", "x W b", "y", transB=1)], (3,), {"W": np.ones((2, 3))})
    values = helper.make_tensor("b", TensorProto.FLOAT, [1], [1.0])
    made.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, helper.make_tensor("i", TensorProto.INT64, [1], [0]), [2])
    )
    with pytest.raises(UnsupportedError, match="sparse initializers are not supported"):
        Network.from_onnx(made)


@pytest.mark.parametrize(
    ("nodes", "shape"),
    [
        ([node("Flatten", "x", "y")], (2**40,)),
        ([node("Conv", "x K k", "c", pads=[2**20] * 4), node("Flatten", "c", "y")], (1, 3, 3)),
        (
            [
                node("Conv", "x K k", "c", pads=[2**20] * 4, strides=[2**21] * 2),
                node("Flatten", "c", "y"),
            ],
            (1, 3, 3),
        ),
    ],
)
def test_a_few_bytes_cannot_ask_for_gigabytes(nodes, shape):
    with pytest.raises(UnsupportedError, match=r"entries for a batch; at most 67,108,864 are read"):
        Network.from_onnx(model(nodes, shape, PARTS))


def test_constants_along_axes_of_their_own_cannot_ask_for_gigabytes():
    axes = {f"c{i}": np.ones([9 if i == j else 1 for j in range(12)]) for i in range(12)}
    nodes = [node("Max", " ".join(axes), "m"), node("Gemm", "x W m", "y")]
    with pytest.raises(
        UnsupportedError, match=r"'m' \(Max\) is not supported: it computes with constants"
    ):
        Network.from_onnx(model(nodes, (1,), {"W": np.ones((1, 1)), **axes}))


def test_an_outer_sum_of_constants_cannot_ask_for_gigabytes():
    column, row = np.ones((2**16, 1)), np.ones((1, 2**16))
    nodes = [node("Gemm", "x W", "s"), node("Add", "s c", "y")]
    with pytest.raises(UnsupportedError, match=r"'y' \(Add\).*its bias has shape \(65536, 1\)"):
        Network.from_onnx(model(nodes, (1,), {"W": row, "c": column}, batch=1))
