import numpy as np
import pytest

from agtopt import InvalidInputError
from agtopt.problem.architectures import conv_small, convolutions, pilotnet


def test_pilotnet_is_that_of_the_paper():
    network = pilotnet()
    shapes = [network.shapes[node] for node in convolutions(network)]
    assert shapes == [(24, 31, 98), (36, 14, 47), (48, 5, 22), (64, 3, 20), (64, 1, 18)]
    dense = [network.shapes[node] for node in network.nodes if node.startswith("dense")]
    assert dense == [(100,), (50,), (10,), (1,)]
    assert network.size == 252219  # as published


@pytest.mark.parametrize(
    ("shape", "width"),
    [((3, 33, 100), 0.25), ((1, 8, 8), 0.5), ((3, 1, 1), 2.0), ((1, 2, 40), 0.01)],
)
def test_small_images_keep_the_layers(shape, width):
    network = pilotnet(shape, width)
    assert len(convolutions(network)) == 5
    assert network.outputs == 1
    assert [node for node in network.nodes if node.startswith("dense")] == [
        f"dense{k}" for k in range(1, 5)
    ]


def test_conv_small():
    network = conv_small(outputs=4)
    assert [network.shapes[node] for node in convolutions(network)] == [(16, 13, 13), (32, 10, 10)]
    assert network.outputs == 4


def test_initial_weights_are_drawn_with_a_seed():
    first, again, other = (conv_small((1, 9, 9), seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.initial["conv2d2_weight"], again.initial["conv2d2_weight"])
    assert (first.initial["conv2d2_weight"] != other.initial["conv2d2_weight"]).any()
    weight = first.initial["conv2d2_weight"]
    assert np.abs(weight).max() <= np.sqrt(6 / np.prod(weight.shape[1:]))
    assert not first.initial["dense1_bias"].any()


@pytest.mark.parametrize(
    "arguments",
    [{"input_shape": (28, 28)}, {"width": 0.0}, {"input_shape": (1, 0, 5)}, {"seed": -1}],
)
def test_what_is_not_allowed_is_refused(arguments):
    with pytest.raises(InvalidInputError):
        pilotnet(**arguments)
