r"""What a branch and bound leaves behind: a proof that can be checked again without any solver (S5,
S9).

A node splits its box into :math:`x_j = 0` and :math:`x_j = 1` for a binary :math:`x_j`, and the box
of each child is propagated (`propagation`). A leaf holds duals y. Whatever y is, the bound of
Neumaier and Shcherbina over the leaf's box is valid; where propagation empties the box, or y bounds
the zero objective by a positive number, the leaf holds no point. The nodes are listed from the
root, each before its two subtrees, that of 0 first. Whatever numbers stand in such a list, its
leaves cover all values of the binaries, so the least bound of a leaf is a bound of the whole: to
change the list or the duals costs width, or the proof, but never soundness.
"""

from dataclasses import dataclass
from functools import cached_property
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, vstack

from agtopt.domains.safe_bound import safe_bound, shifted
from agtopt.errors import MissingFileError, SoundnessError
from agtopt.files import opened, write_arrays
from agtopt.solvers.activities import Box, LinearRows, Places, propagate
from agtopt.solvers.highs import Arrays

Array = NDArray[np.float64]
Split = tuple[int, float]

LEAF = -1
"""Stands in the list of nodes for a leaf, where other nodes have the column that they split."""

OPEN, BOUND, EMPTY = range(3)
"""What the duals of a leaf prove: a bound over its parent's box, a bound over its own box, or that
this holds no point."""

FORMAT = 2


@dataclass(frozen=True, eq=False)
class Leaf:
    """What closes a node: what its duals prove, the rows whose duals are not zero, and those."""

    kind: int
    rows: Places
    duals: Array

    @classmethod
    def of(cls, kind: int, duals: Array) -> "Leaf":
        """A leaf that keeps the duals of all rows that are not zero, and their rows."""
        rows = np.flatnonzero(duals)
        return cls(kind, rows, duals[rows])


ALONE = Leaf(BOUND, np.zeros(0, dtype=np.intp), np.zeros(0))
"""No duals: the bounds of the columns alone."""


@dataclass(frozen=True, eq=False)
class Checker:
    r"""A model, and what can be proved of the nodes of a tree over it; no solver has a part in it.

    Attributes
    ----------
    arrays : Arrays
    cost : array, shape (columns,)
    cutoff : float
        Points of a higher cost are left out by propagation: with the row :math:`c^T x \le` cutoff,
        what is proved of the rest is proved of the whole up to the cutoff.
    """

    arrays: Arrays
    cost: Array
    cutoff: float

    @property
    def whole(self) -> Box:
        """The box of the model."""
        return Box(self.arrays.lower, self.arrays.upper)

    @cached_property
    def binary(self) -> NDArray[np.bool_]:
        """Columns that can be split."""
        a = self.arrays
        return np.asarray(a.integer & (a.lower >= 0.0) & (a.upper <= 1.0))

    @cached_property
    def _rows(self) -> LinearRows:
        a = self.arrays
        matrix = csc_matrix(vstack([a.matrix, csc_matrix(self.cost[np.newaxis])]))
        low, high = self._sides
        return LinearRows.of(matrix, np.append(low, -inf), np.append(high, self.cutoff), a.integer)

    @cached_property
    def _sides(self) -> tuple[Array, Array]:
        return self.arrays.true_sides

    @cached_property
    def _by_row(self) -> csr_matrix:
        return csr_matrix(self.arrays.matrix)

    @cached_property
    def _no_rows(self) -> csc_matrix:
        return csc_matrix(self._by_row[:0])

    def entered(self, parent: Box | None, split: Split | None) -> Box | None:
        """The propagated box of a node; None where it is empty. Without a split it is the root, and
        `parent` the box of the model."""
        if parent is None or split is None:
            return None if parent is None else propagate(self._rows, parent)
        part = parent.fixing(*split)
        return None if part is None else propagate(self._rows, part, np.array([split[0]]))

    def bound(self, leaf: Leaf, box: Box) -> float:
        """What the duals of a leaf prove over a box: +∞ where that is empty.

        Raises
        ------
        SoundnessError
            If the leaf says that the box is empty and the duals do not prove it.
        """
        used = csc_matrix(self._by_row[leaf.rows]) if len(leaf.rows) else self._no_rows
        low, high = self._sides
        sides = low[leaf.rows], high[leaf.rows]
        cost = np.zeros_like(self.cost) if leaf.kind == EMPTY else self.cost
        value = safe_bound(cost, used, *sides, *box, leaf.duals)
        if leaf.kind != EMPTY:
            return value
        if not value > 0.0:
            raise SoundnessError("S5: a leaf of the tree is not proved empty")
        return inf


@dataclass(frozen=True, eq=False)
class Tree:
    """A finished or interrupted branch and bound.

    Attributes
    ----------
    arrays : Arrays
        The model.
    cost, constant : array, shape (columns,), and float
        Its objective.
    cutoff : float
        Of points of a higher cost (without the constant) nothing but that is proved; infinite where
        none were left out.
    nodes : array of int
        From the root, each node before its subtrees: the column that it splits, or `LEAF`.
    leaves : tuple of Leaf
        In the same order.
    """

    arrays: Arrays
    cost: Array
    constant: float
    cutoff: float
    nodes: Places
    leaves: tuple[Leaf, ...]

    def bound(self) -> float:
        """The proved bound of the objective, computed anew: +∞ where no point is left.

        Raises
        ------
        SoundnessError
            If the leaves do not cover all values of the binaries, or one does not prove what it
            says.
        """
        checker = Checker(self.arrays, self.cost, self.cutoff)
        leaves, least = iter(self.leaves), self.cutoff
        pending: list[tuple[Box | None, Split | None]] = [(checker.whole, None)]
        for column in self.nodes.tolist():
            if not pending:
                raise SoundnessError("S5: the tree has nodes beside its root")
            parent, split = pending.pop()
            if column == LEAF:
                leaf = next(leaves, None)
                if leaf is None:
                    raise SoundnessError("S5: a leaf of the tree is missing")
                box = parent if leaf.kind == OPEN else checker.entered(parent, split)
                least = min(least, inf if box is None else checker.bound(leaf, box))
                continue
            if not 0 <= column < len(self.cost) or not checker.binary[column]:
                raise SoundnessError(f"S5: the tree splits column {column}, which is no binary")
            box = checker.entered(parent, split)
            pending += [(box, (column, 1.0)), (box, (column, 0.0))]
        if pending or next(leaves, None) is not None:
            raise SoundnessError(
                "S5: the leaves of the tree do not cover all values of the binaries"
            )
        return shifted(least, self.constant)

    def matches(self, model: Any) -> bool:
        """Whether the tree is of this model and its present objective: what `bound` proves, it
        proves of that model only."""
        arrays = Arrays.of(model)
        other = Tree(arrays, *arrays.objective(model), self.cutoff, self.nodes, self.leaves)
        mine, its = _packed(self), _packed(other)
        return all(np.array_equal(mine[name], its[name]) for name in mine)

    def save(self, path: str | Path) -> None:
        """Write everything that `bound` needs, as .npz without pickle.

        Raises
        ------
        MissingFileError
            If the folder does not exist.
        SaveError
            If it cannot be written.
        """
        if not Path(path).parent.is_dir():
            raise MissingFileError(f"path: the folder {Path(path).parent} does not exist")
        write_arrays(path, _packed(self), compressed=True)

    @classmethod
    def load(cls, path: str | Path) -> "Tree":
        """Read what `save` wrote. Nothing of it is believed: `bound` proves it again.

        Raises
        ------
        MissingFileError
            If the file does not exist.
        InvalidInputError
            If it is broken, or not such a file.
        """
        if not Path(path).is_file():
            raise MissingFileError(f"path: there is no file {path}")
        with opened(path, f"path: {path} is broken or holds no tree") as archive:
            archive.only(_TYPES)
            return _unpacked(
                {
                    name: archive.array(name, kinds=np.dtype(kind).kind)
                    for name, kind in _TYPES.items()
                }
            )


_TYPES: dict[str, Any] = {
    "format": np.int64,
    "data": np.float64,
    "indices": np.int64,
    "indptr": np.int64,
    "row_lower": np.float64,
    "row_upper": np.float64,
    "room": np.float64,
    "lower": np.float64,
    "upper": np.float64,
    "integer": np.bool_,
    "names": np.str_,
    "cost": np.float64,
    "constant": np.float64,
    "cutoff": np.float64,
    "nodes": np.int64,
    "kinds": np.int64,
    "lengths": np.int64,
    "rows": np.int64,
    "duals": np.float64,
}
"""The arrays of a file: the matrix by columns, its bounds, the objective, the nodes, and of the
leaves, one after the other, what they are, how many duals they have, and those."""


def _packed(tree: Tree) -> dict[str, NDArray[Any]]:
    a, leaves = tree.arrays, tree.leaves
    arrays = {
        "format": FORMAT,
        "data": a.matrix.data,
        "indices": a.matrix.indices,
        "indptr": a.matrix.indptr,
        "row_lower": a.row_lower,
        "row_upper": a.row_upper,
        "room": a.room,
        "lower": a.lower,
        "upper": a.upper,
        "integer": a.integer,
        "names": [column if isinstance(column, str) else column.name for column in a.columns],
        "cost": tree.cost,
        "constant": tree.constant,
        "cutoff": tree.cutoff,
        "nodes": tree.nodes,
        "kinds": [leaf.kind for leaf in leaves],
        "lengths": [len(leaf.rows) for leaf in leaves],
        "rows": np.concatenate([np.zeros(0), *(leaf.rows for leaf in leaves)]),
        "duals": np.concatenate([np.zeros(0), *(leaf.duals for leaf in leaves)]),
    }
    return {name: np.asarray(values).astype(_TYPES[name]) for name, values in arrays.items()}


def _unpacked(packed: dict[str, NDArray[Any]]) -> Tree:
    """The tree, or a ValueError or LookupError."""
    for name, kind in _TYPES.items():
        _demand(packed[name].dtype.type is kind, name)
        _demand(packed[name].ndim == (0 if name in ("format", "constant", "cutoff") else 1), name)
    _demand(packed["format"] == FORMAT, "format")
    rows, columns = len(packed["row_lower"]), len(packed["lower"])
    for name in ("upper", "integer", "names", "cost"):
        _demand(len(packed[name]) == columns, name)
    for name in ("row_upper", "room"):
        _demand(len(packed[name]) == rows, name)
    _demand(bool((packed["room"] >= 0.0).all()), "room")
    for name in ("data", "cost", "constant", "duals"):
        _demand(bool(np.isfinite(packed[name]).all()), name)
    for name in ("row_lower", "row_upper", "lower", "upper", "cutoff"):
        _demand(not np.isnan(packed[name]).any(), name)
    matrix = csc_matrix(
        (packed["data"], packed["indices"], packed["indptr"]), shape=(rows, columns)
    )
    matrix.check_format(full_check=True)
    sides, box = (packed["row_lower"], packed["row_upper"]), (packed["lower"], packed["upper"])
    arrays = Arrays(
        matrix,
        *sides,
        packed["room"],
        *box,
        packed["integer"],
        [str(name) for name in packed["names"]],
    )
    numbers = float(packed["constant"]), float(packed["cutoff"])
    return Tree(
        arrays, packed["cost"], *numbers, packed["nodes"].astype(np.intp), _leaves(packed, rows)
    )


def _leaves(packed: dict[str, NDArray[Any]], rows: int) -> tuple[Leaf, ...]:
    kinds, lengths, places, duals = (packed[name] for name in ("kinds", "lengths", "rows", "duals"))
    _demand(bool(np.isin(kinds, (OPEN, BOUND, EMPTY)).all()), "kinds")
    _demand(
        len(lengths) == len(kinds)
        and bool((lengths >= 0).all())
        and lengths.sum() == len(places) == len(duals),
        "lengths",
    )
    _demand(bool(((places >= 0) & (places < rows)).all()), "rows")
    ends = np.cumsum(lengths)
    return tuple(
        Leaf(int(kind), places[start:end].astype(np.intp), duals[start:end])
        for kind, start, end in zip(kinds, ends - lengths, ends, strict=True)
    )


def _demand(holds: bool, name: str) -> None:
    if not holds:
        raise ValueError(f"{name} is not as it must be")
