"""What a problem.toml may say; a misspelt key is an error."""

from math import inf
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class DenseSchema(_Strict):
    """A fully connected layer."""

    type: Literal["dense"]
    inputs: int
    outputs: int
    bias: bool = True


class ReLUSchema(_Strict):
    """A rectifier."""

    type: Literal["relu"]


class FlattenSchema(_Strict):
    """A flattening."""

    type: Literal["flatten"]


LayerSchema = Annotated[DenseSchema | ReLUSchema | FlattenSchema, Field(discriminator="type")]


class NetworkSchema(_Strict):
    """Layers one behind the other; their weights are the arrays ``<node>_<role>``."""

    input_shape: list[int]
    layers: list[LayerSchema]


class BoundedSchema(_Strict):
    """`agtopt.Bounded`."""

    type: Literal["bounded"]
    n: int
    eps: float = 0.0
    p: float = inf
    nu: float = 0.0
    q: float = inf
    vulnerable: list[int] | None = None


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


class ProblemSchema(_Strict):
    """A whole problem.toml; the arrays ``features``, ``labels`` and the weights lie in arrays.npz beside it."""

    name: str
    description: str = ""
    network: NetworkSchema
    perturbation: BoundedSchema
    training: TrainingSchema
