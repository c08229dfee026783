"""Problems that differ anywhere differ in their fingerprint; the same problem, written and read
again, keeps it."""

from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import cached_property
from math import inf
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

import agtopt
from agtopt import Bounded, Removal, Substitution, Training, UnsupportedError
from agtopt.drivers import OBBT, Settings
from agtopt.problem import Datasets, Layer, Loss, Moving
from agtopt.problem.encoding import digest
from agtopt.problem.fingerprint import mismatch
from agtopt.report.cells import Cell

X = np.random.default_rng(0).normal(size=(30, 2))
y = np.where(np.arange(30) % 2, 1.0, -1.0)


def problem(perturbation=None, **training):
    settings = {"epochs": 2, "batch_size": 10, "learning_rate": 0.3, **training}
    return agtopt.Problem(
        agtopt.Network.dense([2, 1]),
        agtopt.Dataset(X, y),
        perturbation or Bounded(2, nu=1, q=0),
        Training("hinge", **settings),
    )


def same(first, second):
    """Whether two values are equal, entry by entry and in shape; a list is a tuple, and numbers are
    compared by value."""
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return (
            type(first) is type(second)
            and first.dtype == second.dtype
            and first.shape == second.shape
            and first.tobytes() == second.tobytes()
        )
    if isinstance(first, bool) or isinstance(second, bool) or first is None or second is None:
        return first is second
    if isinstance(first, (int, float)) and isinstance(second, (int, float)):
        return first == second
    return type(first) is type(second) and first == second


SHAPES, ENTRIES = npst.array_shapes(max_dims=2, max_side=3), st.sampled_from([0.0, 1.0, 12.0])
ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.binary(max_size=4),
    npst.arrays(np.float64, SHAPES, elements=ENTRIES),
)
VALUES = st.recursive(
    ATOMS, lambda parts: st.lists(parts, max_size=3) | st.tuples(parts, parts), max_leaves=6
)


@given(VALUES, VALUES)
def test_values_have_one_digest_exactly_where_they_are_equal(first, second):
    assert (digest(first) == digest(second)) == same(first, second)


@given(st.lists(st.integers(0, 30), max_size=4), st.data())
def test_pieces_that_join_to_the_same_text_are_told_apart(numbers, data):
    """(1, 23) and (12, 3); ("ab", "c") and ("a", "bc")."""
    text = "".join(map(str, numbers))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert (digest(pieces) == digest([str(number) for number in numbers])) == (
        pieces == [str(number) for number in numbers]
    )


def test_numbers_count_by_value_and_other_types_apart():
    assert len({digest(value) for value in (1, 1.0, np.int64(1), np.float32(1))}) == 1
    assert (
        len(
            {
                digest(value)
                for value in (1, True, "1", b"1", (1,), np.ones(1), np.ones(()), {"1": 1}, None)
            }
        )
        == 9
    )
    assert digest(2**53) != digest(2**53 + 1)
    assert len({digest(value) for value in (inf, -inf, 0.1, np.nextafter(0.1, 1))}) == 4
    assert digest({2, 1}) == digest({1, 2}) != digest((1, 2))
    assert digest(Path("a")) == digest("a")


def test_a_mapped_array_has_the_digest_of_its_copy(tmp_path):
    values = np.random.default_rng(0).normal(size=(7, 3))
    np.save(tmp_path / "x.npy", values)
    assert (
        digest(np.load(tmp_path / "x.npy", mmap_mode="r"))
        == digest(values)
        == digest(np.asfortranarray(values))
    )
    assert digest(values) != digest(values.ravel()) != digest(values.reshape(3, 7))


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Named:
    values: object = ()

    @cached_property
    def length(self):
        return 3


@dataclass(frozen=True)
class Renamed:
    values: object = ()


def test_dataclasses_and_members_go_in_with_their_type():
    named = Named((1, 2))
    assert named.length == 3
    assert digest(named) == digest(Named([1, 2])) != digest(Renamed((1, 2)))
    assert digest(Colour.RED) != digest(Colour.BLUE)


def adversary(**constants):
    """One class for each call, all of one name, as a notebook cell that is edited makes them."""

    def feature_box(self, problem, features):
        return features - self.reach, features + self.reach

    made = {
        "__annotations__": dict.fromkeys(constants, ClassVar[object]),
        "__module__": __name__,
        "moves_features": property(lambda self: True),
        "feature_box": feature_box,
        "admits": lambda self, problem, other, tolerance=1e-9: True,
        "sample": lambda self, problem, size, generator: Datasets(problem.dataset, size),
        "describe": lambda self: "mine",
    }
    return dataclass(frozen=True)(type("Mine", (Moving,), {**made, **constants}))(1)


def test_what_a_class_says_for_all_its_instances_goes_in():
    """Two adversaries of one name, whose reach is a constant of the class."""
    near, far = problem(adversary(reach=0.1)), problem(adversary(reach=3.0))
    assert near.fingerprint != far.fingerprint
    assert near.fingerprint == problem(adversary(reach=0.1)).fingerprint
    assert len({digest(adversary(**each)) for each in CONSTANTS}) == len(CONSTANTS)
    with pytest.raises(UnsupportedError, match=r"Mine in value\.reach is of builtins\.object"):
        digest(adversary(reach=object()))


CONSTANTS = [
    {"reach": 0.1},
    {"reach": np.full(2, 0.1)},
    {"reach": [0.1, 0.2]},
    {"reach": {"a": 0.1}},
    {"reach": 0.1, "kinks": ()},
    {"span": 0.1},
    {},
]


def test_a_layer_and_a_loss_with_other_constants_are_others():
    for base in (Layer, Loss):
        first, second = (
            dataclass(frozen=True)(type("Own", (base,), {"kinks": kinks, "__module__": "mine"}))()
            for kinks in ((), (1.0,))
        )
        assert digest(first) != digest(second)


def test_another_adversarys_checkpoint_is_refused_where_only_a_constant_differs(tmp_path):
    agtopt.bound(problem(adversary(reach=0.1)), "IBP", checkpoint=tmp_path)
    with pytest.raises(agtopt.InvalidInputError, match="another problem"):
        agtopt.bound(problem(adversary(reach=3.0)), "IBP", checkpoint=tmp_path)


def test_what_has_no_encoding_is_refused_by_its_place():
    with pytest.raises(UnsupportedError, match=r"value\.values\[1\] is of builtins\.object"):
        digest(Named((1, object())))
    hidden = Named()
    object.__setattr__(hidden, "strength", 3)
    with pytest.raises(UnsupportedError, match="strength outside its dataclass fields"):
        digest(hidden)


VARIANTS = [
    problem(),
    *(
        problem(Bounded(2, nu=1, q=0, vulnerable=v))
        for v in [(1, 23), (12, 3), (1, 2, 3), (12, 23), ()]
    ),
    *(problem(Bounded(2, nu=1, q=0, flips=f)) for f in [[(1, -1)], [(-1, 1)]]),
    *(
        problem(Bounded(eps=e, nu=1, q=0, n_features=a, n_labels=b))
        for e, a, b in [(0.1, 1, 2), (0.1, 2, 1), (1.1, 1, 2)]
    ),
    *(problem(Bounded(1, eps=0.1, p=p)) for p in (1, 2, inf)),
    *(problem(Removal(n, v)) for n, v in [(1, None), (2, None), (1, (1,)), (1, (11,))]),
    *(
        problem(Substitution(1, features=f))
        for f in [(-1.0, [1.0, 2.0]), ([-1.0, 1.0], 2.0), (-1.0, 1.0)]
    ),
    *(problem(Substitution(1, features=(-1.0, 1.0), labels=c)) for c in [(1,), (-1,), (-1, 1)]),
    *(
        problem(epochs=1, batch_size=None, batches=b)
        for b in [[[1, 23]], [[12, 3]], [[1], [23]], [[1, 2, 3]]]
    ),
    *(problem(frozen=f) for f in [("dense1_bias",), ("dense1_weight",)]),
    *(problem(**{name: 0.1}) for name in ("momentum", "weight_decay", "decay", "floor", "clip")),
    *(problem(seed=seed) for seed in (0, 1)),
]


def test_problems_that_differ_anywhere_differ():
    prints = [variant.fingerprint for variant in VARIANTS]
    assert len(set(prints)) == len(prints)
    assert replace(VARIANTS[0], name="other").fingerprint == VARIANTS[0].fingerprint


@pytest.mark.parametrize("variant", VARIANTS[:: len(VARIANTS) // 9])
def test_a_problem_keeps_its_fingerprint_on_disk(variant, tmp_path):
    agtopt.save(variant, tmp_path / "p")
    assert agtopt.load(tmp_path / "p").fingerprint == variant.fingerprint


def test_every_field_of_every_part_is_seen():
    """One field after the other is replaced, so that none can be forgotten."""
    base = problem(Bounded(1, eps=0.5, nu=1, q=0, flips=[(1, -1)], vulnerable=(0, 1)))
    others = {
        "n": 2,
        "eps": 0.25,
        "p": 2,
        "nu": 0,
        "q": inf,
        "vulnerable": (0, 2),
        "flips": None,
        "n_features": 1,
        "n_labels": 1,
    }
    assert set(others) == {field.name for field in fields(Bounded)}
    for name, value in others.items():
        changed = object.__new__(Bounded)
        for field in fields(Bounded):
            object.__setattr__(
                changed,
                field.name,
                value if field.name == name else getattr(base.perturbation, field.name),
            )
        assert digest(changed) != digest(base.perturbation)


@pytest.mark.parametrize("kind", ["IBP", "LP"])
def test_another_adversarys_checkpoint_is_refused(kind, tmp_path):
    first, second = VARIANTS[1], VARIANTS[2]
    agtopt.bound(first, kind, checkpoint=tmp_path)
    with pytest.raises(agtopt.InvalidInputError, match="another problem"):
        agtopt.bound(second, kind, checkpoint=tmp_path)
    agtopt.bound(first, kind, checkpoint=tmp_path)


def test_what_an_earlier_version_wrote_is_refused_with_the_reason():
    assert mismatch("0" * 64, VARIANTS[0].fingerprint) == (
        "an earlier version of agtopt wrote it, whose fingerprints do not tell all problems "
        "apart; make it again"
    )
    assert mismatch(VARIANTS[1].fingerprint, VARIANTS[0].fingerprint) == "it is of another problem"
    assert mismatch(VARIANTS[0].fingerprint, VARIANTS[0].fingerprint) is None


def test_descriptions_name_the_vulnerable_samples():
    assert "among 2 samples (1, 23)" in VARIANTS[1].perturbation.describe()
    assert VARIANTS[1].describe() != VARIANTS[2].describe()
    assert Removal(1, tuple(range(20))).describe() == (
        "at most 1 sample left out, among 20 samples (0, 1, 2, 3, 4, 5, 6, 7, …) (batches are "
        "not refilled)"
    )
    assert "among no samples" in Substitution(1, ()).describe()


def test_templates_that_differ_by_a_digit_are_other_settings():
    """A printed array hides its last digits, and the middle of a long one."""
    wide = np.random.default_rng(0).normal(size=(40, 40))
    near = wide.copy()
    near[20, 20] += 1e-12
    first, second = (Settings("LP", domain=agtopt.Polytope(rows)) for rows in (wide, near))
    assert str(first) == str(second)
    assert not first.agrees(second)
    assert first.agrees(Settings(agtopt.LP, domain=agtopt.Polytope(wide)))
    assert len({Cell(VARIANTS[0], agtopt.LP, settings).key for settings in (first, second)}) == 2
    assert Settings("LP", obbt=OBBT(kind=agtopt.LP)).agrees(Settings("LP", obbt=OBBT()))
