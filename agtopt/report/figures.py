"""The data of the pictures, computed apart from drawing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from agtopt.attacks import Attack
from agtopt.certificates import certify
from agtopt.domains import Interval, Polytope, intersect, minima
from agtopt.drivers import Reach
from agtopt.errors import InvalidInputError, SoundnessError, UnsupportedError
from agtopt.problem import Problem
from agtopt.problem.checks import whole
from agtopt.tolerances import AGREEMENT, UNIT_ROUNDOFF
from agtopt.training.concrete import outputs, trajectory

Array = NDArray[np.float64]
Features = Callable[[Array], Array]
Extent = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Regions:
    """Where in a plane of inputs the prediction is certified; it is known at the grid points only.

    Attributes
    ----------
    problem : Problem
    method : str
        How the domain was found.
    extent : tuple of float
        First and last a, first and last b, in the units of the inputs.
    a, b : array, shape (nx,) and (ny,)
        Coordinates of the grid.
    predicted : array of int, shape (ny, nx)
        Class that the model trained on the nominal data predicts.
    stable : array of bool, shape (ny, nx)
        Whether no admissible change of the training data changes that class.
    score : array, shape (ny, nx)
        Output of the model trained on the nominal data; its decision boundary is where it is zero.
    """

    problem: Problem
    method: str
    extent: Extent
    a: Array
    b: Array
    predicted: NDArray[np.int64]
    stable: NDArray[np.bool_]
    score: Array

    @property
    def certified_fraction(self) -> float:
        """Fraction of the grid points whose prediction is certified."""
        return float(np.mean(self.stable))


@dataclass(frozen=True, eq=False)
class ParameterIntervals:
    """Parameter intervals of several methods, scaled so that the reference interval of every
    parameter is [−1, 1].

    The reference is the attained hull, or the narrowest of the intervals where no attack is given;
    a parameter whose reference has no width is only shifted.

    Attributes
    ----------
    names : tuple of str
        Parameters, length p.
    labels : tuple of str
        Methods, widest first, length k.
    lower, upper : array, shape (k, p)
        Scaled ends, without unit.
    attained : array, shape (runs, p)
        Scaled attained parameters, without unit; no rows where no attack is given.
    centre, scale : array, shape (p,)
        ``parameter = centre + scale · scaled``, in the units of the parameters.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    lower: Array
    upper: Array
    attained: Array
    centre: Array
    scale: Array


def grid(extent: Extent, resolution: int) -> tuple[Array, Array, Array]:
    """A regular grid of points.

    Parameters
    ----------
    extent : tuple of float
        First and last a, first and last b.
    resolution : int
        Points per axis, at least 2.

    Returns
    -------
    a, b : array, shape (resolution,)
    points : array, shape (resolution², 2)
        b varies slowest, so that values reshape to (ny, nx).

    Raises
    ------
    InvalidInputError
        If the extent is not finite or not increasing.
    """
    first_a, last_a, first_b, last_b = extent
    if not (np.isfinite(extent).all() and first_a < last_a and first_b < last_b):
        raise InvalidInputError(
            f"extent: {extent} is not allowed; it must be (first a, last a, first b, last b), "
            f"finite and increasing"
        )
    size = whole("resolution", resolution, 2)
    a, b = np.linspace(first_a, last_a, size), np.linspace(first_b, last_b, size)
    return a, b, np.stack(np.meshgrid(a, b), axis=-1).reshape(-1, 2)


def scores(problem: Problem, theta: Array, inputs: Array) -> Array:
    """Outputs of many models at many inputs.

    Parameters
    ----------
    problem : Problem
        Its network has one output.
    theta : array, shape (runs, p)
    inputs : array, shape (m, *input_shape)

    Returns
    -------
    array, shape (runs, m)

    Raises
    ------
    UnsupportedError
        If the network has several outputs: there is no single boundary then.
    InvalidInputError
        If the inputs have the wrong shape.
    """
    network = problem.network
    if network.outputs != 1:
        raise UnsupportedError(
            f"plot: {network.outputs} outputs have no single decision boundary; only networks with "
            f"1 are drawn"
        )
    if inputs.shape[1:] != network.input_shape:
        raise InvalidInputError(
            f"features: shape {inputs.shape} does not fit; it must be (m, "
            f"{', '.join(map(str, network.input_shape))})"
        )
    return outputs(problem, theta, inputs)[..., 0]


def certified_regions(
    reach: Reach, features: Features, extent: Extent, resolution: int = 200
) -> Regions:
    """Certify every point of a grid; of a polytope, by linear programs where its box leaves the
    class open (some milliseconds a point).

    Parameters
    ----------
    reach : Reach
    features : callable
        Points (m, 2) to the network's inputs (m, *input_shape).
    extent : tuple of float
        First and last a, first and last b, in the units of the inputs.
    resolution : int
        Points per axis.

    Raises
    ------
    InvalidInputError
        If the loss predicts no class, or an argument does not fit.
    UnsupportedError
        If the network has several outputs.
    """
    problem = reach.problem
    a, b, points = grid(extent, resolution)
    inputs = np.asarray(features(points), dtype=np.float64)
    score = scores(problem, trajectory(problem)[-1][np.newaxis], inputs)
    certificates = certify(replace(reach, polytopes=()), inputs)
    stable, predicted, shape = certificates.stable, certificates.nominal, (len(b), len(a))
    assert predicted is not None  # `stable` has checked that the loss has classes
    if isinstance(reach.domain, Polytope) and not stable.all():
        stable[~stable] = certify(reach, inputs[~stable]).stable
    return Regions(
        problem,
        str(reach.method),
        extent,
        a,
        b,
        predicted.reshape(shape),
        stable.reshape(shape),
        score.reshape(shape),
    )


def boundary_scores(
    attack: Attack, features: Features, extent: Extent, most: int = 200, resolution: int = 200
) -> tuple[Array, Array, Array]:
    """Outputs of the attained models on a grid; each decision boundary is where one of them is
    zero.

    Parameters
    ----------
    attack : Attack
    features : callable
        Points (m, 2) to the network's inputs (m, *input_shape).
    extent : tuple of float
        First and last a, first and last b, in the units of the inputs.
    most : int
        Models that are evaluated: of more than these distinct ones, a selection spread evenly over
        them in lexicographic order.
    resolution : int
        Points per axis.

    Returns
    -------
    a, b : array, shape (nx,) and (ny,)
    score : array, shape (models, ny, nx)
    """
    a, b, points = grid(extent, resolution)
    theta = np.unique(attack.theta, axis=0)
    chosen = np.unique(
        np.linspace(0, len(theta) - 1, min(whole("most", most, 1), len(theta))).round().astype(int)
    )
    score = scores(attack.problem, theta[chosen], np.asarray(features(points), dtype=np.float64))
    return a, b, score.reshape(-1, len(b), len(a))


def common_names(reaches: Mapping[str, Reach], attack: Attack | None = None) -> tuple[str, ...]:
    """Names of the parameters that all results share.

    Raises
    ------
    InvalidInputError
        If there is no reach, or one is of another network.
    """
    problems = [reach.problem for reach in reaches.values()] + (
        [] if attack is None else [attack.problem]
    )
    if not reaches:
        raise InvalidInputError("plot: no reach is given; give at least one")
    names = problems[0].network.parameter_names
    for problem in problems:
        if problem.network.parameter_names != names:
            raise InvalidInputError(
                f"plot: {problem.name!r} has other parameters; compare results for one network"
            )
    return names


def parameter_intervals(
    reaches: Mapping[str, Reach], attack: Attack | None = None
) -> ParameterIntervals:
    """Scale the boxes of the final parameters of several methods for comparison.

    Parameters
    ----------
    reaches : mapping from str to Reach
        Results for one problem, by label.
    attack : Attack, optional
        Sets the scale and gives the attained points.

    Raises
    ------
    InvalidInputError
        If there is no reach, or one is of another network.
    """
    names = common_names(reaches, attack)
    ordered = sorted(reaches.items(), key=lambda item: -item[1].steps[-1].width())
    lower = np.stack([reach.steps[-1].lower for _, reach in ordered])
    upper = np.stack([reach.steps[-1].upper for _, reach in ordered])
    if attack is None:
        narrowest, every = np.argmin(upper - lower, axis=0), np.arange(len(names))
        low, high = lower[narrowest, every], upper[narrowest, every]
    else:
        low, high = attack.domain.lower, attack.domain.upper
    measured = np.isfinite(low) & np.isfinite(high)
    low, high = np.where(measured, low, 0.0), np.where(measured, high, 0.0)
    centre, scale = (low + high) / 2, np.where(high > low, (high - low) / 2, 1.0)
    attained = np.empty((0, len(names))) if attack is None else (attack.theta - centre) / scale
    return ParameterIntervals(
        names,
        tuple(name for name, _ in ordered),
        (lower - centre) / scale,
        (upper - centre) / scale,
        attained,
        centre,
        scale,
    )


def projection(domain: Interval | Polytope, i: int, j: int, directions: int = 64) -> Array:
    """A polygon that contains the projection of a domain onto the plane of two parameters.

    Parameters
    ----------
    domain : Interval or Polytope
    i, j : int
        Positions of the parameters, in the order of `Network.parameter_names`.
    directions : int
        Evenly spaced directions of the plane in which a polytope is bounded, besides the axes; a
        box is projected exactly.

    Returns
    -------
    array, shape (corners, 2)
        Corners in counterclockwise order; some may coincide where the projection is flat. Those of
        an unbounded domain are the corners of its box, which has infinite ends.

    Raises
    ------
    InvalidInputError
        If i and j are not two parameters, or there are fewer than 3 directions.
    SoundnessError
        If what is proved of its directions does not meet: the polytope is empty (S6).
    """
    first, second, count = whole("i", i, 0), whole("j", j, 0), whole("directions", directions, 3)
    if not (first != second and max(first, second) < len(domain)):
        raise InvalidInputError(
            f"projection: parameters {i} and {j} are not allowed; they must be two from 0 to "
            f"{len(domain) - 1}"
        )
    if isinstance(domain, Interval):
        return _rectangle(domain.lower[[first, second]], domain.upper[[first, second]])
    angles = 2.0 * np.pi * np.arange(count) / count
    normals = np.concatenate(
        [np.eye(2), -np.eye(2), np.stack([np.cos(angles), np.sin(angles)], axis=1)]
    )
    rows = np.zeros((len(normals), len(domain)))
    rows[:, [first, second]] = normals
    least = minima(domain, rows)
    everything = np.full(2, np.inf)
    ends = intersect(Interval(least[:2], everything), Interval(-everything, -least[2:4]))
    if domain.box is not None:
        ends = intersect(
            ends, Interval(domain.box.lower[[first, second]], domain.box.upper[[first, second]])
        )
    corners = _rectangle(ends.lower, ends.upper)
    if not np.isfinite(corners).all():
        return corners
    # Every cut moves corners by rounding: it is made that much further out.
    room = 16 * (len(normals) + 8) * UNIT_ROUNDOFF * np.max(np.abs(corners))
    for normal, end in zip(normals[4:], least[4:], strict=True):
        corners = _cut(corners, normal, end - room)
    return corners


def _rectangle(lower: Array, upper: Array) -> Array:
    return np.array([lower, (upper[0], lower[1]), upper, (lower[0], upper[1])])


def _cut(corners: Array, normal: Array, least: float) -> Array:
    """The part of a convex polygon where normal · corner ≥ least, by Sutherland and Hodgman
    (1974)."""
    if not np.isfinite(least):
        return corners
    heights = corners @ normal - least
    if heights.max() < 0.0:
        if heights.max() < -AGREEMENT * (1.0 + abs(least)):
            raise SoundnessError(
                f"S6: the polytope is empty; a direction of the plane would have to move by "
                f"{-heights.max():.3g}"
            )
        heights = heights - heights.max()
    kept = []
    for corner, height, following, next_height in zip(
        corners, heights, np.roll(corners, -1, axis=0), np.roll(heights, -1), strict=True
    ):
        if height >= 0.0:
            kept.append(corner)
        if (height < 0.0) != (next_height < 0.0):
            kept.append(corner + (following - corner) * (height / (height - next_height)))
    return np.array(kept)
