"""ONNX models that tests write themselves."""

import numpy as np
import onnx
from onnx import helper, numpy_helper


def node(kind, inputs, output, **attributes):
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def model(
    nodes, shape, weights=None, opset=17, batch="samples", output="y", dtype=np.float32, **other
):
    """A model with one input x and one output y; `weights` by name."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    initializers = [
        numpy_helper.from_array(
            np.asarray(value, dtype=dtype if np.asarray(value).dtype == np.float64 else None), name
        )
        for name, value in (weights or {}).items()
    ]
    inputs = other.get("inputs") or [helper.make_tensor_value_info("x", kind, [batch, *shape])]
    results = [
        helper.make_tensor_value_info(name, kind, ["samples", "outputs"]) for name in output.split()
    ]
    graph = helper.make_graph(nodes, "graph", inputs, results, initializers)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(
        graph, opset_imports=opsets, ir_version=8, producer_name=other.get("producer", "tests")
    )


def saved(path, *arguments, **options):
    """The model as a file."""
    file = path / "model.onnx"
    onnx.save(model(*arguments, **options), file)
    return file


def attribute(value):
    """The value of a constant's attribute."""
    return numpy_helper.from_array(np.asarray(value))
