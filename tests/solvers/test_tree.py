"""A proof that is kept: the same after a file, checked without a solver, and never too tight
whatever was done to it."""

import pickle
from dataclasses import replace

import highspy
import numpy as np
import pyomo.environ as pyo
import pytest
from scipy.sparse import csc_matrix

import agtopt
from agtopt import AgtoptError, SoundnessError
from agtopt.errors import InvalidInputError, MissingFileError
from agtopt.solvers import tree as trees
from agtopt.solvers.highs import Arrays
from agtopt.solvers.proof import ProofSession
from agtopt.solvers.tree import ALONE, BOUND, EMPTY, LEAF, OPEN, Leaf, Tree, shifted
from tests.instances import random_problem
from tests.solvers.milp import random_milp


def solved(seed, start):
    model, _ = random_milp(seed, binaries=12, rows=8, solved=False)
    session = ProofSession(model)
    result = session.solve(start=start)
    return session.tree, result, model


@pytest.fixture(scope="module")
def proofs():
    """Trees with leaves of all kinds, results whose incumbents are attained (to a solver's
    tolerance), and models."""
    found = [solved(seed, start=seed % 2 == 1) for seed in range(12)]
    leaves = [leaf for tree, _, _ in found for leaf in tree.leaves]
    assert {leaf.kind for leaf in leaves} == {OPEN, BOUND, EMPTY}
    assert sum(len(leaf.rows) > 0 for leaf in leaves) > 50
    return found


def refused(attempt, attained):
    """Whether a changed proof is refused; if not, it must be right."""
    try:
        bound = attempt()
    except AgtoptError:
        return True
    assert bound <= attained + 1e-6 * (1 + abs(attained))
    return False


def test_a_file_brings_the_tree_back_and_no_solver_is_asked(proofs, tmp_path, monkeypatch):
    monkeypatch.setattr(highspy, "Highs", lambda: pytest.fail("a solver was opened"))
    for tree, result, model in proofs:
        tree.save(tmp_path / "proof.npz")
        again = Tree.load(tmp_path / "proof.npz")
        assert again.bound() == tree.bound() == result.bound
        assert again.matches(model)
        assert again.arrays.columns == [column.name for column in tree.arrays.columns]
        assert [leaf.kind for leaf in again.leaves] == [leaf.kind for leaf in tree.leaves]
        again.save(str(tmp_path / "twice"))
        assert Tree.load(tmp_path / "twice").bound() == result.bound


def test_duals_that_are_zero_are_not_kept(proofs, tmp_path):
    for tree, _, _ in proofs:
        assert all(
            np.all(leaf.duals != 0.0) and len(leaf.duals) == len(leaf.rows) for leaf in tree.leaves
        )
        tree.save(tmp_path / "proof.npz")
        with np.load(tmp_path / "proof.npz") as file:
            assert len(file["duals"]) == sum(np.count_nonzero(leaf.duals) for leaf in tree.leaves)


def test_a_tree_is_of_one_model_and_one_objective(proofs):
    tree, _, model = proofs[0]
    assert tree.matches(model)
    assert not tree.matches(proofs[1][2])
    assert not replace(tree, constant=tree.constant + 1e-9).matches(model)
    assert not replace(tree, cost=tree.cost * 2).matches(model)
    arrays = tree.arrays
    for name in ("row_lower", "row_upper", "lower", "upper"):
        values = getattr(arrays, name).copy()
        values[np.flatnonzero(np.isfinite(values))[0]] += 1e-9
        assert not replace(tree, arrays=replace(arrays, **{name: values})).matches(model)
    assert not replace(
        tree, arrays=replace(arrays, matrix=csc_matrix(arrays.matrix * 1.5))
    ).matches(model)
    assert not replace(tree, arrays=replace(arrays, integer=~arrays.integer)).matches(model)


def test_leaves_and_nodes_that_are_lost_or_too_many_are_refused(proofs):
    for tree, _, _ in proofs[:6]:
        for k in range(len(tree.leaves)):
            with pytest.raises(SoundnessError, match="S5"):
                replace(tree, leaves=tree.leaves[:k] + tree.leaves[k + 1 :]).bound()
        with pytest.raises(SoundnessError, match="S5"):
            replace(tree, leaves=(*tree.leaves, ALONE)).bound()
        with pytest.raises(SoundnessError, match="S5"):
            replace(tree, nodes=np.append(tree.nodes, LEAF)).bound()
        for k in range(len(tree.nodes)):
            with pytest.raises(SoundnessError, match="S5"):
                replace(tree, nodes=np.delete(tree.nodes, k)).bound()
    # What is missing without a leaf that is missing too.
    tree = next(tree for tree, _, _ in proofs if len(tree.leaves) > 1)
    with pytest.raises(SoundnessError, match="do not cover"):
        replace(tree, nodes=tree.nodes[:-1], leaves=tree.leaves[:-1]).bound()
    with pytest.raises(SoundnessError, match="do not cover"):
        replace(tree, nodes=np.zeros(0, dtype=np.intp), leaves=()).bound()


def test_only_binaries_are_split():
    """x = 0 or x = 1 covers neither a continuous column nor an integer of a wider range."""
    model = pyo.ConcreteModel()
    model.x = pyo.Var(bounds=(0, 1))
    model.n = pyo.Var(domain=pyo.Integers, bounds=(0, 2))
    model.row = pyo.Constraint(expr=model.x + model.n >= 0)
    arrays = Arrays.of(model)
    for column in (0, 1, 2, -2, 10**9):
        with pytest.raises(SoundnessError, match="no binary"):
            Tree(
                arrays, np.ones(2), 0.0, np.inf, np.array([column, LEAF, LEAF]), (ALONE, ALONE)
            ).bound()
    assert Tree(
        arrays, np.ones(2), 0.0, np.inf, np.array([LEAF]), (ALONE,)
    ).bound() == pytest.approx(0.0, abs=1e-12)


def test_a_leaf_is_empty_only_if_that_is_proved(proofs):
    for tree, result, _ in proofs[::2]:
        for k, leaf in enumerate(tree.leaves):
            for liar in (
                Leaf(EMPTY, ALONE.rows, ALONE.duals),
                Leaf(EMPTY, leaf.rows, leaf.duals),
                Leaf(EMPTY, leaf.rows, -leaf.duals),
            ):
                refused(
                    replace(tree, leaves=(*tree.leaves[:k], liar, *tree.leaves[k + 1 :])).bound,
                    result.incumbent,
                )
    for tree, _, _ in proofs:
        with pytest.raises(SoundnessError, match="not proved empty"):
            replace(
                tree, leaves=tuple(Leaf(EMPTY, ALONE.rows, ALONE.duals) for _ in tree.leaves)
            ).bound()


def packed(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def tampered(arrays, rng):
    """One of the numbers that make the proof is another one; the model stays."""
    arrays = {name: values.copy() for name, values in arrays.items()}
    name = rng.choice(["nodes", "nodes", "kinds", "lengths", "rows", "duals", "duals", "cutoff"])
    values = arrays[name]
    if name == "cutoff":
        arrays[name] = np.asarray(
            rng.choice([np.nan, np.inf, -np.inf, rng.normal(), float(values) + rng.normal() / 10])
        )
    elif len(values):
        inner = np.flatnonzero(values != LEAF) if name == "nodes" else np.arange(len(values))
        k = rng.choice(inner) if len(inner) and rng.random() < 0.8 else rng.integers(len(values))
        dual = values[k] if name == "duals" else 0.0
        values[k] = {
            "nodes": rng.integers(-2, len(arrays["cost"]) + 2),
            "kinds": rng.integers(-1, 4),
            "lengths": rng.integers(-1, 4),
            "rows": rng.integers(-1, len(arrays["row_lower"]) + 1),
            "duals": rng.choice([-dual, 0.0, np.nan, np.inf, dual * rng.normal(), rng.normal()]),
        }[name]
    return arrays


def test_whatever_is_changed_the_bound_is_refused_or_right(proofs, tmp_path):
    rng, counts = np.random.default_rng(0), [0, 0]
    for tree, result, _ in proofs:
        tree.save(tmp_path / "proof.npz")
        arrays = packed(tmp_path / "proof.npz")
        for _ in range(40):
            np.savez(tmp_path / "changed.npz", **tampered(arrays, rng))
            counts[
                refused(lambda: Tree.load(tmp_path / "changed.npz").bound(), result.incumbent)
            ] += 1
    assert min(counts) > 75


def test_a_truncated_or_scratched_file_is_refused_or_right(proofs, tmp_path):
    tree, result, _ = proofs[0]
    tree.save(tmp_path / "proof.npz")
    whole, broken, rng = (
        (tmp_path / "proof.npz").read_bytes(),
        tmp_path / "broken.npz",
        np.random.default_rng(0),
    )
    for length in [0, 1, 10, *rng.integers(0, len(whole), 40), len(whole) - 1]:
        broken.write_bytes(whole[:length])
        with pytest.raises(InvalidInputError, match=r"broken\.npz is broken"):
            Tree.load(broken)
    count = 0
    for _ in range(300):
        scratched = bytearray(whole)
        for _ in range(rng.integers(1, 3)):
            scratched[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        broken.write_bytes(scratched)
        count += refused(lambda: Tree.load(broken).bound(), result.incumbent)
    assert count > 150


def test_files_of_other_kinds_are_refused(proofs, tmp_path):
    tree, _, _ = proofs[0]
    path = tmp_path / "proof.npz"
    with pytest.raises(MissingFileError, match="there is no file"):
        Tree.load(path)
    with pytest.raises(MissingFileError, match="does not exist"):
        tree.save(tmp_path / "nowhere" / "proof.npz")
    for content in (b"", b"text", pickle.dumps({"nodes": 1}), b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match="broken or holds no tree"):
            Tree.load(path)
    for values in ({"a": np.zeros(3)}, {"format": np.array([None, {}], dtype=object)}):
        np.savez(path, **values)
        with pytest.raises(InvalidInputError, match="broken or holds no tree"):
            Tree.load(path)
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(InvalidInputError, match="broken or holds no tree"):
        Tree.load(path)


def test_every_array_of_a_file_is_checked(proofs, tmp_path):
    tree, _, _ = proofs[1]
    path = tmp_path / "proof.npz"
    tree.save(path)
    arrays = packed(path)
    assert set(arrays) == set(trees._TYPES)
    for name, values in arrays.items():
        others = [
            None,
            values[..., np.newaxis],
            values.astype(complex) if values.dtype.kind != "U" else np.zeros(len(values)),
        ]
        if values.ndim:
            others += [np.append(values, values[:1]), values[:-1]]
        if values.dtype.kind == "f":
            others += [np.where(np.arange(values.size).reshape(values.shape) == 0, np.nan, values)]
        if name in ("format", "indices", "indptr", "lengths", "rows", "kinds"):
            others += [values + 7, values - 7]
        for other in others:
            np.savez(
                path,
                **{
                    key: value
                    for key, value in {**arrays, name: other}.items()
                    if value is not None
                },
            )
            with pytest.raises((InvalidInputError, SoundnessError)):
                Tree.load(path).bound()


def test_a_file_is_not_unpickled(proofs, tmp_path):
    tree, _, _ = proofs[0]
    tree.save(tmp_path / "proof.npz")
    names = np.array([Trap() for _ in tree.cost], dtype=object)
    np.savez(
        tmp_path / "trap.npz",
        allow_pickle=True,
        **{**packed(tmp_path / "proof.npz"), "names": names},
    )
    with pytest.raises(InvalidInputError, match="broken"):
        Tree.load(tmp_path / "trap.npz")


class Trap:
    """What fails when it is unpickled."""

    def __reduce__(self):
        return pytest.fail, ("a file was unpickled",)


def test_a_model_whose_numbers_are_none_is_not_proved_empty(proofs):
    tree, _, _ = proofs[0]
    lower = np.full_like(tree.arrays.lower, np.nan)
    refused(replace(tree, arrays=replace(tree.arrays, lower=lower)).bound, -np.inf)


def test_points_above_the_cutoff_are_not_claimed(proofs):
    counts = [0, 0]
    for tree, result, _ in proofs:
        for cutoff in (
            result.incumbent - tree.constant - 1.0,
            result.incumbent - tree.constant - 1e-3,
        ):
            counts[refused(replace(tree, cutoff=cutoff).bound, cutoff + tree.constant)] += 1
    assert counts[False] > 5


def test_a_constant_is_added_downward():
    assert shifted(1.0, 2.0**-60) <= 1.0
    assert shifted(0.1, 0.2) < 0.1 + 0.2
    assert shifted(-np.inf, 1.0) == -np.inf
    assert shifted(np.inf, 1.0) == np.inf
    assert shifted(0.3, 0.0) == 0.3


def test_a_proof_of_a_certified_window_is_kept(tmp_path):
    problem = random_problem(2, 1, "hinge", "flips", samples=7, steps=3, n=2)
    model = agtopt.compile(problem, "MILP", conditional=False)
    model.minimise(np.eye(problem.network.size)[0])
    session = ProofSession(model.pyomo)
    result = session.solve()
    session.tree.save(tmp_path / "proof.npz")
    tree = Tree.load(tmp_path / "proof.npz")
    assert tree.bound() == result.bound
    assert tree.bound() <= agtopt.attack(problem).domain.lower[0] + 1e-9
    model.minimise(-np.eye(problem.network.size)[0])
    assert not tree.matches(model.pyomo)
