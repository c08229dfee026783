"""Formats and devices: S1 and S3 in float32, nothing that lands on a device by default, and what is
refused."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import agtopt
from agtopt import Bounded, Dataset, InvalidInputError, Network, Problem, Training, UnsupportedError
from agtopt.intervals.arithmetic import both
from agtopt.intervals.checkpoint import checkpointed_steps
from agtopt.intervals.interval import IntervalOperations
from agtopt.intervals.propagation import interval_steps
from agtopt.intervals.scale.numerics import FLOAT64, Numerics
from tests.instances import corrupted
from tests.intervals.exact import assert_encloses, exact, in_float32, tensor_range
from tests.matrix import CELLS, cell_problem
from tests.peers.workloads import workloads
from tests.reference import torch_states

FLOAT32 = Numerics(torch.float32)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
DEVICES = ["cpu", *["cuda"] * torch.cuda.is_available()]
"""GPUs are tested where there are some."""


@given(NUMBERS, NUMBERS)
def test_float32_encloses_numbers_as_closely_as_it_can(first, second):
    low, high = min(first, second), max(first, second)
    found = FLOAT32.enclose(np.array([low]), np.array([high]))
    assert float(found.lower) <= low <= high <= float(found.upper)
    assert float(torch.nextafter(found.lower, torch.tensor(torch.inf))) > low
    assert float(torch.nextafter(found.upper, torch.tensor(-torch.inf))) < high
    with np.errstate(over="ignore"):
        held = float(np.float32(first)) == first
    assert FLOAT32.enclose(np.array([first])).is_point == held


def test_what_float32_holds_stays_a_point():
    assert FLOAT32.enclose(np.array([0.5, 3.0, 2.0**-149])).is_point
    assert not FLOAT32.enclose(np.array([0.5, 0.1])).is_point
    assert FLOAT64.enclose(np.array([0.1])).is_point


SHORTEN = {FLOAT32: in_float32, FLOAT64: lambda value: value}
"""How a random range is put into a format."""


def operations(numerics):
    ops = IntervalOperations()
    ops.numerics = numerics
    return ops


@pytest.mark.parametrize(
    "forms",
    [
        ("any", "any"),
        ("point", "point"),
        ("nonnegative", "any"),
        ("any", "point"),
        ("narrow", "narrow"),
    ],
)
@pytest.mark.parametrize("outputs", [2, 5], ids=["few", "many"])
@pytest.mark.parametrize("windows", [1, 3], ids=["dense", "convolution"])
@pytest.mark.parametrize("numerics", SHORTEN, ids=["float32", "float64"])
def test_products_with_their_shift_hold_the_exact_ones(numerics, windows, outputs, forms):
    """S3, in rational arithmetic: whether the shift is a column of the factors or added to the
    result."""
    ops, shorten, rng = operations(numerics), SHORTEN[numerics], np.random.default_rng(outputs)
    for case in range(40):
        spread = (2, 18)[case % 2]
        x, w, b = (
            shorten(tensor_range(rng, shape, form, spread))
            for shape, form in (
                ((3, 4, windows), forms[0]),
                ((outputs, 4), forms[1]),
                ((1, outputs, 1), "any"),
            )
        )
        if windows == 1:
            found = ops.contract(
                "ni,oi->no",
                both(x, lambda end: end[..., 0]),
                w,
                "",
                both(b, lambda end: end[..., 0]),
            )
            found = both(found, lambda end: end.unsqueeze(-1))
        else:
            found = ops.contract("nkl,ok->nol", x, w, "", b)
        (xl, xu), (wl, wu), (bl, bu) = exact(x), exact(w), exact(b)
        ends = {}
        for n, o, place in np.ndindex(3, outputs, windows):
            corners = [
                [p[n, i, place] * q[o, i] for p in (xl, xu) for q in (wl, wu)] for i in range(4)
            ]
            ends[n, o, place] = (
                sum(map(min, corners)) + bl[0, o, 0],
                sum(map(max, corners)) + bu[0, o, 0],
            )
        assert_encloses(
            found, {k: end[0] for k, end in ends.items()}, {k: end[1] for k, end in ends.items()}
        )


@pytest.mark.parametrize(
    ("numerics", "size"), [(FLOAT32, 1e30), (FLOAT64, 1e200)], ids=["float32", "float64"]
)
def test_products_are_finite_where_only_squares_overflow(numerics, size):
    ops = operations(numerics)
    x, w = ops.constant(np.array([[size, -size]])), ops.constant(np.array([[2.0, 0.5]]))
    found = ops.contract("ni,oi->no", x, w)
    assert 1.499 * size < float(found.lower) < 1.5 * size * (1 + 1e-4)
    assert 1.5 * size * (1 - 1e-4) < float(found.upper) < 1.501 * size


def test_sums_scales_and_updates_in_float32_hold_the_exact_ones():
    """Factors are rounded to float32 as well."""
    single, rng = operations(FLOAT32), np.random.default_rng(0)
    for _ in range(300):
        first, second = (in_float32(tensor_range(rng, (4,), "any", 18)) for _ in range(2))
        (a, b), (c, d) = exact(first), exact(second)
        assert_encloses(
            single.add(first, second), {k: a[k] + c[k] for k in a}, {k: b[k] + d[k] for k in b}
        )
        factor = float(rng.normal())
        ends = [{k: Fraction(factor) * end[k] for k in end} for end in (a, b)][
            :: 1 if factor >= 0 else -1
        ]
        assert_encloses(single.scale(factor, first), *ends)
        rate = float(rng.uniform(0.001, 2))
        moved = (
            {k: a[k] - Fraction(rate) * d[k] for k in a},
            {k: b[k] - Fraction(rate) * c[k] for k in b},
        )
        assert_encloses(single.update([(1.0, first), (-rate, second)]), *moved)


@pytest.mark.parametrize("linear", [False, True], ids=["IBP", "CROWN"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_float32_domains_hold_those_of_float64_and_training_in_both(cell, linear):
    """S1 and S3: every admissible run, in exact arithmetic and in that of float32."""
    problem = cell_problem(cell)
    wide = list(interval_steps(problem, linear=linear, numerics=FLOAT32))
    for narrow, box in zip(interval_steps(problem, linear=linear), wide, strict=True):
        assert np.all(box.lower <= narrow.lower)
        assert np.all(narrow.upper <= box.upper)
    for dataset in [problem.dataset, *corrupted(problem, 5)]:
        for dtype in (torch.float32, torch.float64):
            for box, state in zip(wide, torch_states(problem, dataset, dtype)[1:], strict=True):
                assert box.contains(state)


@pytest.mark.parametrize(
    "name",
    [
        "moons-bce-feat20",
        "moons-ce-label5",
        "moons-bce-unlearn5",
        "moons-bce-privacy5",
        "reg-shallow",
    ],
)
def test_float32_widens_by_the_rounding_of_its_sums(name):
    """3,000 to 10,000 samples: their sum may be off by as many units in the last place."""
    problem = workloads()[name].problem
    narrow, wide = (
        [*interval_steps(problem, numerics=numerics)][-1] for numerics in (FLOAT64, FLOAT32)
    )
    assert np.all((wide.lower <= narrow.lower) & (narrow.upper <= wide.upper))
    assert narrow.width() < wide.width() < 2.0 * narrow.width()


def test_training_in_float32_leaves_the_point_of_float64():
    """Why its rounding has to be covered: without an adversary the float64 domain is all but a
    point."""
    problem = Problem(
        Network.dense([2, 4, 1], seed=0),
        Dataset(np.random.default_rng(0).normal(size=(50, 2)), np.arange(50) % 2.0),
        Bounded(0),
        Training("binary-cross-entropy", epochs=5, learning_rate=0.5),
    )
    state = torch_states(problem, dtype=torch.float32)[-1]
    assert not agtopt.bound(problem, "IBP").domain.contains(state)
    assert agtopt.bound(problem, "IBP", dtype="float32").domain.contains(state)


@pytest.mark.parametrize("linear", [False, True], ids=["IBP", "CROWN"])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_no_tensor_is_made_on_the_default_device(cell, linear, monkeypatch):
    """What would be left behind on the CPU of a machine with a GPU lands on the device without
    numbers here: nothing comes of it."""
    problem = cell_problem(cell)
    expected = [box.lower for box in interval_steps(problem, linear=linear)]
    monkeypatch.setattr(torch, "from_numpy", torch.tensor)
    with torch.device("meta"):
        found = [
            box.lower
            for box in interval_steps(
                problem, linear=linear, numerics=Numerics(device=torch.device("cpu"))
            )
        ]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["IBP", "CROWN"])
def test_devices_agree_to_rounding(device, dtype, kind):
    for name in ("moons-bce-feat20", "moons-ce-unlearn5", "moons-ce-privacy5"):
        load = workloads()[name].problem
        problem = replace(
            load, dataset=Dataset(load.dataset.features[:200], load.dataset.labels[:200])
        )
        here, there = (
            agtopt.bound(problem, kind, device=where, dtype=dtype).domain
            for where in ("cpu", device)
        )
        np.testing.assert_allclose(
            there.lower,
            here.lower,
            rtol=1e-3 if dtype == "float32" else 1e-9,
            atol=1e-4 if dtype == "float32" else 1e-12,
        )
        np.testing.assert_allclose(
            there.upper,
            here.upper,
            rtol=1e-3 if dtype == "float32" else 1e-9,
            atol=1e-4 if dtype == "float32" else 1e-12,
        )


@pytest.mark.parametrize("cell", CELLS[::4], ids=str)
def test_whole_batches_as_a_gpu_takes_them_change_nothing_but_rounding(cell, monkeypatch):
    problem = cell_problem(cell)
    expected = list(interval_steps(problem))
    monkeypatch.setattr(Numerics, "cached", False)
    for pieces, whole in zip(expected, interval_steps(problem), strict=True):
        np.testing.assert_allclose(whole.lower, pieces.lower, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(whole.upper, pieces.upper, rtol=1e-12, atol=1e-13)


def test_a_float32_run_goes_on_to_the_identical_domain(flips, tmp_path):
    steps = checkpointed_steps(flips, tmp_path, numerics=FLOAT32)
    next(steps)
    steps.close()
    whole, resumed = (
        list(interval_steps(flips, numerics=FLOAT32)),
        list(checkpointed_steps(flips, tmp_path, numerics=FLOAT32)),
    )
    for first, second in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(first.lower, second.lower)
        np.testing.assert_array_equal(first.upper, second.upper)
    with pytest.raises(InvalidInputError, match="other settings"):
        list(checkpointed_steps(flips, tmp_path))


def test_products_that_round_their_factors_are_refused(flips, monkeypatch):
    """TensorFloat-32 and bfloat16 have errors that no margin here covers."""
    plain = torch.matmul
    monkeypatch.setattr(
        torch, "matmul", lambda a, b: plain(a.bfloat16().to(a.dtype), b.bfloat16().to(b.dtype))
    )
    with pytest.raises(UnsupportedError, match="set_float32_matmul_precision"):
        agtopt.bound(flips, "IBP", dtype="float32")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dtype": "float16"}, "'float64', 'float32'"),
        ({"device": "gpu"}, "'cpu', 'cuda'"),
        ({"device": "mps"}, "'cpu', 'cuda'"),
        ({"device": 3.5}, "must be a str"),
        (
            {"device": f"cuda:{torch.cuda.device_count()}"},
            f"finds {torch.cuda.device_count()} CUDA",
        ),
    ],
)
def test_unknown_formats_and_devices_are_refused_at_once(flips, settings, message):
    with pytest.raises(InvalidInputError, match=message):
        agtopt.bound(flips, "IBP", **settings)


def test_models_are_built_on_the_cpu(flips):
    with pytest.raises(InvalidInputError, match="IBP, CROWN or AFFINE"):
        agtopt.bound(flips, "LP", dtype="float32")


@pytest.mark.parametrize("frozen", [(), ("dense1",)])
def test_every_step_in_float32_holds_a_run_in_float32(frozen, monkeypatch):
    """Also the first, which begins at other numbers than in float64, and what stands still, also
    where the call was cut short."""
    rng = np.random.default_rng(0)
    problem = Problem(
        Network.dense([2, 3, 1], seed=1),
        Dataset(rng.normal(size=(6, 2)), np.array([1.0, -1.0] * 3)),
        Bounded(1, eps=0.1),
        Training("hinge", epochs=2, batch_size=3, frozen=frozen),
    )
    single = problem.initial.astype(np.float32).astype(np.float64)
    still = np.array(
        [name.startswith(frozen or "none") for name in problem.network.parameter_names]
    )

    def cut(*_, **__):
        raise KeyboardInterrupt
        yield

    whole = agtopt.bound(problem, "IBP", dtype="float32")
    monkeypatch.setattr("agtopt.drivers.horizon.interval_steps", cut)
    for reach in (whole, agtopt.bound(problem, "IBP", dtype="float32")):
        for start in (problem.initial, single):
            assert reach.steps[0].contains(start)
            for step in reach.steps:
                assert np.all(step.lower[still] <= start[still])
                assert np.all(start[still] <= step.upper[still])
        width = reach.steps[0].upper - reach.steps[0].lower
        assert np.all(width <= 2.0**-22 * np.abs(problem.initial))
