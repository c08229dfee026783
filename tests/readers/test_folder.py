"""Problem folders: exact round trips, and one-line errors."""

import re
import shutil
import tomllib
from dataclasses import MISSING, dataclass, fields, replace
from typing import ClassVar

import networkx as nx
import numpy as np
import pytest

import agtopt
from agtopt import (
    Bounded,
    Dataset,
    Dense,
    Flatten,
    InvalidInputError,
    MissingFileError,
    Network,
    Problem,
    ReLU,
    Training,
    UnsupportedError,
)
from agtopt.problem import (
    Add,
    AvgPool2d,
    Conv2d,
    Hinge,
    Layer,
    LeakyReLU,
    Loss,
    Removal,
    Substitution,
)
from agtopt.problem.loss import LOSSES
from agtopt.readers import schema
from agtopt.readers.folder import LAYERS, PERTURBATIONS
from tests.conftest import MODELS
from tests.instances import COMBINATIONS, random_problem
from tests.readers.evaluate import outputs


def drawn(graph, input_shape, seed=0):
    """A network over these layers with normal weights, some of them at the ends of the floats."""
    rng = np.random.default_rng(seed)
    shapes = {
        f"{node}_{role}": s
        for node, layer in graph.nodes(data="layer")
        if layer
        for role, s in layer.parameter_shapes().items()
    }
    initial = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    first = next(iter(initial.values())).reshape(-1)
    first[:2] = -0.0, 5e-324
    return Network(graph, input_shape, initial)


def dag(*edges, **layers):
    graph = nx.DiGraph()
    graph.add_node("input")
    for name, layer in layers.items():
        graph.add_node(name, layer=layer)
    graph.add_edges_from(edge.split(">") for edge in edges)
    return graph


def convolutional():
    layers = [
        Conv2d(1, 2, (2, 3), padding=(1, 0)),
        LeakyReLU(0.1 + 0.2),
        AvgPool2d(2, stride=(1, 2)),
        Flatten(),
        Dense(12, 2, bias=False),
    ]
    return Network.chain(
        layers,
        (1, 3, 6),
        [np.ones(shape) for layer in layers for shape in layer.parameter_shapes().values()],
    )


def residual():
    """The names, the order of an Add's inputs and the order of the parameters are all unusual."""
    network = drawn(
        dag(
            "input>stem", "stem>a", "stem>relu7", "relu7>sum", "input>sum", "a>sum",
            "sum>dense1", "dense1>add2", "sum>add2", "add2>head",
            stem=Dense(3, 3), relu7=ReLU(), a=Dense(3, 3, bias=False), sum=Add(),
            dense1=Dense(3, 3), add2=Add(), head=Dense(3, 2),
        ),
        (3,),
    )  # fmt: skip
    return replace(network, initial=dict(reversed(network.initial.items())))


NETWORKS = {
    "convolutional": convolutional(),
    "residual": residual(),
    "named chain": drawn(
        dag("input>first", "first>second", first=Dense(2, 2), second=LeakyReLU()), (2,)
    ),
    "numbers in disorder": drawn(
        dag(
            "input>relu2",
            "relu2>relu1",
            "relu1>dense5",
            relu2=ReLU(),
            relu1=ReLU(),
            dense5=Dense(1, 2),
        ),
        (1,),
    ),
}
TRAININGS = [
    {"epochs": 2, "learning_rate": 0.1 + 0.2, "decay": 1 / 3, "floor": 1e-9},
    {
        "batch_size": 3,
        "drop_last": True,
        "seed": 5,
        "clip": 0.7,
        "momentum": 0.9,
        "weight_decay": 1e-4,
    },
    {"batches": [[0, 2], [1, 3, 5]], "clip": 2.0},
]
PERTURBATIONS_SAVED = {
    "bounded": Bounded(2, eps=0.1 + 0.2, p=2, vulnerable=[4, 1]),
    "separate": Bounded(eps=0.5, p=1, nu=1, q=0, n_features=1, n_labels=2, flips=[(0, 1)]),
    "numpy": Bounded(
        np.int64(1), eps=np.float64(0.1), nu=np.float32(1.0), q=0, vulnerable=np.array([0, 2])
    ),
    "removal": Removal(1, vulnerable=[0]),
    "substitution by numbers": Substitution(1, features=(-1, 0.1 + 0.2), labels=[1]),
    "substitution by half a line": Substitution(1, features=(-np.inf, 2.0)),
    "substitution by anything": Substitution(1, vulnerable=()),
    "substitution by arrays": Substitution(2, features=(-2.5, np.full((3,), 1 / 3))),
}


def same_perturbation(one, other):
    """Substitution holds arrays and is compared field by field."""
    assert type(one) is type(other)
    for field in fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if field.name == "features" and a is not None:
            assert [end.shape for end in a] == [end.shape for end in b]
            assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
        else:
            assert a == b


def same_bits(one, other):
    assert one.shape == other.shape
    assert one.dtype == other.dtype == np.float64
    assert one.tobytes() == other.tobytes()


def same_problem(twin, problem):
    same_bits(twin.initial, problem.initial)
    same_bits(twin.dataset.features, problem.dataset.features)
    same_bits(twin.dataset.labels, problem.dataset.labels)
    same_bits(twin.learning_rates, problem.learning_rates)
    same_perturbation(twin.perturbation, problem.perturbation)
    assert twin.training == problem.training
    assert twin.name == problem.name
    one, other = twin.network, problem.network
    assert one.nodes == other.nodes
    assert one.parameter_names == other.parameter_names
    assert one.shapes == other.shapes
    assert [(one.layer(n), one.inputs_of(n)) for n in one.nodes] == [
        (other.layer(n), other.inputs_of(n)) for n in other.nodes
    ]
    same_bits(outputs(one, problem.dataset.features), outputs(other, problem.dataset.features))


@pytest.mark.parametrize(("depth", "loss", "reach"), COMBINATIONS)
def test_round_trip_is_exact(depth, loss, reach, tmp_path):
    for seed in range(4):
        problem = random_problem(seed, depth, loss, reach)
        same_problem(agtopt.load(agtopt.save(problem, tmp_path / str(seed), "random")), problem)


@pytest.mark.parametrize(
    ("name", "training"),
    [(name, training) for name in NETWORKS for training in range(len(TRAININGS))],
)
def test_every_network_and_training_survives(name, training, tmp_path):
    network, options = NETWORKS[name], TRAININGS[training]
    features = np.random.default_rng(1).normal(size=(7, *network.input_shape))
    frozen = list(network.initial)[:1]
    problem = Problem(
        network,
        Dataset(features, np.arange(7) % 2),
        Removal(1),
        Training("cross-entropy", **options, frozen=frozen),
        name="näme",
    )
    same_problem(agtopt.load(agtopt.save(problem, tmp_path)), problem)


@pytest.mark.parametrize("case", PERTURBATIONS_SAVED)
def test_every_perturbation_survives(case, tmp_path):
    features = np.random.default_rng(1).normal(size=(7, 3))
    training = Training("multi-hinge", batch_size=3, clip=1.0)
    problem = Problem(
        residual(), Dataset(features, np.arange(7) % 2), PERTURBATIONS_SAVED[case], training
    )
    folder = agtopt.save(problem, tmp_path)
    same_problem(agtopt.load(folder), problem)
    with np.load(folder / "arrays.npz") as archive:
        assert ("perturbation_lower" in archive.files) == (case == "substitution by arrays")


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_survives(loss, tmp_path):
    few = 1 if LOSSES[loss].outputs[1] == 1 else 2
    labels = np.full((4, 2), 0.1) if loss == "squared" else np.ones(4)
    problem = Problem(
        Network.dense([2, few]),
        Dataset(np.ones((4, 2)), labels),
        Bounded(1, eps=0.1),
        Training(loss),
    )
    same_problem(agtopt.load(agtopt.save(problem, tmp_path)), problem)


@pytest.mark.parametrize("seed", range(20))
def test_random_graphs_survive(seed, tmp_path):
    rng = np.random.default_rng(seed)
    graph, names = dag(), ["input"]
    for k in range(int(rng.integers(3, 12))):
        layer = [Dense(2, 2), ReLU(), Add(), LeakyReLU(0.3)][
            rng.integers(0, 4) if len(names) > 3 else 0
        ]
        many = int(rng.integers(2, 4)) if isinstance(layer, Add) else 1
        name = f"{rng.choice(['dense', 'relu', 'x'])}{100 - k if seed % 2 else k}"
        graph.add_node(name, layer=layer)
        graph.add_edges_from(
            (source, name) for source in rng.choice(names, many, replace=False).tolist()
        )
        names.append(name)
    loose = [name for name in names if graph.out_degree(name) == 0]
    graph.add_node("end", layer=Add() if len(loose) > 1 else ReLU())
    graph.add_edges_from((name, "end") for name in loose)
    network = drawn(graph, (2,), seed)
    initial = {
        name: network.initial[name] for name in rng.permutation(list(network.initial)).tolist()
    }
    problem = Problem(
        replace(network, initial=initial),
        Dataset(rng.normal(size=(3, 2)), np.ones((3, 2))),
        Removal(0),
        Training("squared"),
    )
    same_problem(agtopt.load(agtopt.save(problem, tmp_path)), problem)


@pytest.mark.parametrize("name", ["half-moons", "tiny-mlp"])
def test_chains_are_saved_without_names_and_sources(name, tmp_path):
    before = tomllib.loads((MODELS / name / "problem.toml").read_text())
    after = tomllib.loads(
        (
            agtopt.save(agtopt.load(MODELS / name), tmp_path, before["description"])
            / "problem.toml"
        ).read_text()
    )
    assert after["network"] == before["network"]
    assert after["perturbation"] == before["perturbation"]
    assert before["training"].items() <= after["training"].items()


def test_the_inputs_of_an_add_keep_their_order():
    network = residual()
    assert network.inputs_of("sum") == ("relu7", "input", "a")
    assert next(iter(network.initial)) == "head_bias"


@dataclass(frozen=True)
class Halve(Layer):
    pass


@dataclass(frozen=True)
class OwnHinge(Hinge):
    name: ClassVar[str] = "hinge"


@dataclass(frozen=True)
class Named(Loss):
    name: ClassVar[str] = "own"


class OwnRemoval(Removal):
    pass


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"network": Network.chain([Dense(2, 1), Halve()], (2,), [np.ones((1, 2)), [0.0]])},
            "layer 'halve1': Halve .*Dense, Conv2d",
        ),
        ({"training": Training(OwnHinge())}, "training.loss: OwnHinge.* squared, hinge"),
        ({"training": Training(Named())}, "training.loss: Named"),
        (
            {"perturbation": type("Removal", (Removal,), {})(1)},
            "perturbation: Removal cannot be saved",
        ),
        ({"perturbation": OwnRemoval(1)}, "perturbation: OwnRemoval .*Bounded, Removal"),
    ],
)
def test_what_a_file_cannot_say_is_not_saved(changes, words, tmp_path):
    problem = Problem(
        Network.dense([2, 1]),
        Dataset(np.ones((3, 2)), np.ones(3)),
        Bounded(1, eps=0.1),
        Training("squared"),
    )
    with pytest.raises(UnsupportedError, match=words) as caught:
        agtopt.save(replace(problem, **changes), tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "kind", [*LAYERS.values(), *PERTURBATIONS.values(), Training], ids=lambda kind: kind.__name__
)
def test_the_schema_has_the_fields_and_defaults_of_the_classes(kind):
    entries = dict(getattr(schema, f"{kind.__name__}Schema").model_fields)
    for other in ("type", "name", "sources"):
        entries.pop(other, None)
    assert set(entries) == {field.name for field in fields(kind)}
    for field in fields(kind):
        default = entries[field.name].default
        assert entries[field.name].is_required() == (field.default is MISSING)
        assert (
            entries[field.name].is_required()
            or (tuple(default) if isinstance(default, list) else default) == field.default
        )


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(MODELS / "tiny-mlp", tmp_path / "model")


@pytest.mark.parametrize("missing", ["problem.toml", "arrays.npz", None])
def test_missing_files_are_named(folder, missing):
    path = folder / missing if missing else folder / "nowhere"
    if missing:
        path.unlink()
    with pytest.raises(MissingFileError, match=re.escape(path.name)) as caught:
        agtopt.load(folder if missing else path)
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("eps =", "epps =", "epps"),
        ("epochs =", "epoch =", "epoch"),
        ("[training]", "[trainning]", "train"),
        ("n = 1", "n = 99", "perturbation.n: 99"),
        ("n = 1", "n = 'one'", "perturbation.n"),
        ("n = 1", "n = 1.5", "perturbation.n"),
        ("n = 1", "n = true", "perturbation.n"),
        ("eps = 0.1", "eps = -0.1", "eps"),
        ("eps = 0.1", "eps = nan", "eps"),
        ('loss = "squared"', 'loss = "mse"', "mse"),
        ("p = inf", "p = 3", "perturbation.p"),
        ('type = "bounded"', 'type = "removal"', "perturbation.eps: Extra inputs"),
        (
            'type = "bounded"',
            'type = "erasure"',
            "perturbation: .*erasure.*'bounded', 'removal', 'substitution'",
        ),
        ("n = 1", "n = 1\nflips = [[0, 1]]", "perturbation.flips"),
        ("n = 1", "n = 1\nflips = [[0, 1, 2]]", "perturbation.flips"),
        ("n = 1", "n = 1\nn_labels = 1", "n_labels 1"),
        ("epochs = 2", "epochs = 2\nclip = 0.0", "training.clip"),
        ("epochs = 2", "epochs = 2\nmomentum = 1.0", "training.momentum"),
        ("epochs = 2", "epochs = 2\nfrozen = 'dense1'", "training.frozen"),
        ("epochs = 2", "epochs = 2\nfrozen = ['dense3']", "training.frozen.*'dense3' is neither"),
        ("inputs = 2, ", "inputs = 2, output = 4, ", "network.layers.0.output: Extra inputs"),
        ('type = "relu"', 'type = "relu", slope = 0.1', "network.layers.1.slope: Extra inputs"),
        ('type = "relu"', 'type = "leakyrelu", slope = 2.0', "LeakyReLU.slope: 2.0"),
        (
            'type = "relu"',
            'type = "relu", sources = ["dense7"]',
            "'relu1' takes 'dense7'; before it there are input, dense1",
        ),
        (
            'type = "relu"',
            'type = "relu", sources = ["dense2"]',
            "'relu1' takes 'dense2'; before it there are input, dense1",
        ),
        (
            'type = "relu"',
            'type = "relu", sources = []',
            "one output layer is needed, found .*'dense1', 'dense2'",
        ),
        (
            'type = "relu"',
            'type = "relu", sources = ["input"]',
            r"one output layer is needed.*dense1",
        ),
        ('type = "relu"', 'type = "relu", name = "dense1"', "two nodes are named 'dense1'"),
        ('type = "relu"', 'type = "relu", name = "input"', "two nodes are named 'input'"),
        ('type = "relu"', 'type = "add", sources = ["dense1", "dense1"]', "one of them twice"),
        (
            'type = "relu"',
            'type = "conv2d", in_channels = 1, out_channels = 1, kernel_size = [2, 2, 2]',
            "Conv2d.kernel_size",
        ),
        (
            "[network]",
            "[network]\nparameters = ['dense1_weight']",
            "network.parameters: .*must name each of",
        ),
        ("[network]", "[network]\nparameters = []", "network.parameters: .*must name each of"),
        ("outputs = 4", "outputs = 5", "dense"),
        ('type = "relu"', 'type = "tanh"', "tanh"),
        ("name =", "name", "TOML"),
        ('loss = "squared"', 'loss = "hinge"', "labels"),
        ("batch_size = 8", "batch_size = 80", "batch_size: 80"),
    ],
)
def test_a_wrong_entry_is_one_line_that_names_it(folder, old, new, words):
    text = (folder / "problem.toml").read_text()
    assert old in text
    (folder / "problem.toml").write_text(text.replace(old, new, 1))
    with pytest.raises((InvalidInputError, agtopt.UnsupportedError), match=words) as caught:
        agtopt.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"no zip", b"\x80\x04]q\x00.", (MODELS / "tiny-mlp" / "arrays.npz").read_bytes()[:300]],
    ids=["empty", "text", "pickle", "truncated"],
)
def test_arrays_that_cannot_be_read(folder, content):
    (folder / "arrays.npz").write_bytes(content)
    with pytest.raises(InvalidInputError, match="arrays"):
        agtopt.load(folder)


def test_a_single_array_is_no_archive(folder):
    with (folder / "arrays.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InvalidInputError, match="arrays"):
        agtopt.load(folder)


def test_objects_are_never_unpickled(folder):
    with np.load(folder / "arrays.npz") as archive:
        arrays = dict(archive)
    np.savez(
        folder / "arrays.npz",
        **arrays | {"features": np.array([{}] * len(arrays["labels"]), dtype=object)},
    )
    with pytest.raises(InvalidInputError, match="pickle"):
        agtopt.load(folder)


def test_a_missing_array_is_named(folder):
    with np.load(folder / "arrays.npz") as archive:
        arrays = dict(archive)
    for missing in ("labels", "dense1_bias"):
        np.savez(
            folder / "arrays.npz",
            **{name: value for name, value in arrays.items() if name != missing},
        )
        with pytest.raises(InvalidInputError, match=missing):
            agtopt.load(folder)


BOUNDED = re.compile(r"\[perturbation\].*?(?=\n\[)", re.DOTALL)


@pytest.mark.parametrize(
    ("entry", "ends", "words"),
    [
        ("features = [0.0, 1.0]", ("lower", "upper"), "give two numbers, or both of the arrays"),
        ("", ("lower",), "perturbation_lower and perturbation_upper"),
        ("features = [0.0, 1.0, 2.0]", (), "perturbation.features: List should have at most 2"),
        ("features = [1.0, 0.0]", (), "perturbation.features: the box is empty"),
        ("features = ['a', 'b']", (), "perturbation.features.0"),
        ("eps = 0.1", (), "perturbation.eps: Extra inputs"),
        ("labels = 'all'", (), "perturbation.labels"),
    ],
)
def test_a_wrong_box_is_named(folder, entry, ends, words):
    text = (folder / "problem.toml").read_text()
    (folder / "problem.toml").write_text(
        BOUNDED.sub(f'[perturbation]\ntype = "substitution"\nn = 1\n{entry}\n', text)
    )
    with np.load(folder / "arrays.npz") as archive:
        arrays = dict(archive)
    np.savez(
        folder / "arrays.npz", **arrays, **{f"perturbation_{end}": np.zeros(2) for end in ends}
    )
    with pytest.raises(InvalidInputError, match=words) as caught:
        agtopt.load(folder)
    assert "\n" not in str(caught.value)


def test_a_surplus_array_is_named(folder):
    with np.load(folder / "arrays.npz") as archive:
        arrays = dict(archive)
    np.savez(folder / "arrays.npz", **arrays, perturbation_lower=np.zeros(2))
    with pytest.raises(InvalidInputError, match="perturbation_lower"):
        agtopt.load(folder)


def test_the_order_of_the_arrays_in_the_file_does_not_matter(folder, tiny_mlp):
    with np.load(folder / "arrays.npz") as archive:
        arrays = dict(archive)
    np.savez(folder / "arrays.npz", **dict(sorted(arrays.items())))
    same_problem(agtopt.load(folder), tiny_mlp)


def test_a_problem_that_is_not_utf8(folder):
    (folder / "problem.toml").write_bytes(b'name = "\xff"\n')
    with pytest.raises(InvalidInputError, match=re.escape("problem.toml")):
        agtopt.load(folder)
