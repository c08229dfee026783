"""What a problem.toml may say; a misspelt key is an error."""

from math import inf
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _LayerSchema(_Strict):
    """Its name, by default ``dense1``, ``relu1``, …, and the layers whose outputs it takes, by
    default the one before."""

    name: str | None = None
    sources: list[str] | None = None


Pair = int | list[int]


class DenseSchema(_LayerSchema):
    """`agtopt.Dense`."""

    type: Literal["dense"]
    inputs: int
    outputs: int
    bias: bool = True


class Conv2dSchema(_LayerSchema):
    """`agtopt.problem.Conv2d`."""

    type: Literal["conv2d"]
    in_channels: int
    out_channels: int
    kernel_size: Pair
    stride: Pair = 1
    padding: Pair = 0
    bias: bool = True


class AvgPool2dSchema(_LayerSchema):
    """`agtopt.problem.AvgPool2d`."""

    type: Literal["avgpool2d"]
    kernel_size: Pair
    stride: Pair | None = None


class ReLUSchema(_LayerSchema):
    """`agtopt.ReLU`."""

    type: Literal["relu"]


class LeakyReLUSchema(_LayerSchema):
    """`agtopt.problem.LeakyReLU`."""

    type: Literal["leakyrelu"]
    slope: float = 0.01


class FlattenSchema(_LayerSchema):
    """`agtopt.Flatten`."""

    type: Literal["flatten"]


class AddSchema(_LayerSchema):
    """`agtopt.problem.Add`."""

    type: Literal["add"]


LayerSchema = Annotated[
    DenseSchema
    | Conv2dSchema
    | AvgPool2dSchema
    | ReLUSchema
    | LeakyReLUSchema
    | FlattenSchema
    | AddSchema,
    Field(discriminator="type"),
]


class NetworkSchema(_Strict):
    """`agtopt.Network`: each layer after those it takes; the weights are the arrays
    ``<name>_<role>``.

    `parameters` is the order in which they are flattened, by default that of the layers.
    """

    input_shape: list[int]
    layers: list[LayerSchema]
    parameters: list[str] | None = None


class BoundedSchema(_Strict):
    """`agtopt.Bounded`."""

    type: Literal["bounded"]
    n: int | None = None
    eps: float = 0.0
    p: float = inf
    nu: float = 0.0
    q: float = inf
    vulnerable: list[int] | None = None
    flips: list[list[int]] | None = None
    n_features: int | None = None
    n_labels: int | None = None


class RemovalSchema(_Strict):
    """`agtopt.problem.Removal`."""

    type: Literal["removal"]
    n: int
    vulnerable: list[int] | None = None


class SubstitutionSchema(_Strict):
    """`agtopt.problem.Substitution`; a box of arrays lies in arrays.npz, as ``perturbation_lower``
    and ``perturbation_upper``."""

    type: Literal["substitution"]
    n: int
    vulnerable: list[int] | None = None
    features: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    labels: list[float] | None = None


PerturbationSchema = Annotated[
    BoundedSchema | RemovalSchema | SubstitutionSchema, Field(discriminator="type")
]


class TrainingSchema(_Strict):
    """`agtopt.Training`."""

    loss: str
    epochs: int = 1
    batch_size: int | None = None
    learning_rate: float = 0.1
    decay: float = 0.0
    seed: int | None = None
    batches: list[list[int]] | None = None
    drop_last: bool = False
    clip: float | None = None
    momentum: float = 0.0
    weight_decay: float = 0.0
    floor: float = 0.0
    frozen: list[str] = []


class ProblemSchema(_Strict):
    """A whole problem.toml; the arrays ``features``, ``labels`` and the weights lie in arrays.npz
    beside it."""

    name: str
    description: str = ""
    network: NetworkSchema
    perturbation: PerturbationSchema
    training: TrainingSchema
