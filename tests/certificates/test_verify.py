"""A record is checked from the problem alone: what was tampered with fails, what rests on a
solver's word is called so."""

import json
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from pydantic import BaseModel

import agtopt
from agtopt import InvalidInputError, MissingFileError, UnsupportedError
from agtopt.certificates import Record, certify_end_to_end, verify
from agtopt.certificates.claims import NOT_CHECKED
from agtopt.certificates.record import WitnessRecord
from agtopt.certificates.verify import UNCHECKED
from agtopt.certificates.witness import Witness
from agtopt.drivers import Settings
from tests.conftest import MODELS


@pytest.fixture(scope="module")
def problem():
    return agtopt.load(MODELS / "removal-hinge")


@pytest.fixture(scope="module")
def x(problem):
    return np.random.default_rng(0).normal(size=(20, *problem.network.input_shape))


def verdicts(checks):
    """Of all that is checked."""
    return {check.name: check.verdict for check in checks if check.verdict != UNCHECKED}


def tampered(record, **changes):
    """By somebody who knows how the digest is made."""
    made = Record.model_validate({**record.model_dump(), **changes})
    return made.model_copy(update={"digest": made.contents})


def failed(record, problem, folder=None):
    return {
        name
        for name, verdict in verdicts(verify(record, problem, folder)).items()
        if verdict == "fails"
    }


@pytest.fixture(scope="module")
def proved(problem, x, tmp_path_factory):
    """An LP domain and mixed-integer margins, both with proofs."""
    folder = tmp_path_factory.mktemp("proofs")
    reach = agtopt.bound(
        problem, "LP", conditional=False, tighten=False, rigour="proved", proofs=folder
    )
    found = certify_end_to_end(reach, x, conditional=False, rigour="proved", proofs=folder)
    assert found.stable.sum() > agtopt.certify(reach, x).stable.sum()
    assert len(found.rows) > 0
    return Record.of(reach, found), folder


@pytest.fixture(scope="module")
def swift():
    """A record that is checked without models, with certified, refuted and unknown points."""
    generator = np.random.default_rng(3)
    y = np.where(np.arange(40) % 2, 1.0, -1.0)
    data = agtopt.Dataset(generator.normal(size=(40, 2)) * 1.5 + 0.7 * y[:, None], y)
    training = agtopt.Training("hinge", batch_size=20, learning_rate=0.1)
    problem = agtopt.Problem(
        agtopt.Network.dense([2, 1]), data, agtopt.Bounded(1, nu=1, q=0), training
    )
    reach = agtopt.bound(problem, "IBP")
    found = agtopt.certify(
        reach, generator.normal(size=(400, 2)) * 2, attack=agtopt.attack(problem)
    )
    chosen = np.concatenate(
        [
            np.flatnonzero(np.array(found.verdicts) == verdict)[:4]
            for verdict in ("certified", "refuted", "unknown")
        ]
    )
    queries = found.queries.points[chosen]
    return problem, Record.of(
        reach, agtopt.certify(reach, queries, found.nominal[chosen], attack=agtopt.attack(problem))
    )


@pytest.mark.parametrize("method", ["IBP", "CROWN", "AFFINE"])
def test_intervals_are_found_again(problem, x, method, tmp_path):
    reach = agtopt.bound(problem, method)
    record = Record.of(reach, agtopt.certify(reach, x, attack=agtopt.attack(problem)))
    record.save(tmp_path / "record.json")
    again = Record.load(tmp_path / "record.json")
    assert again == record
    assert set(verdicts(verify(again, problem)).values()) == {"holds"}
    assert len(record.witnesses) > 0


def test_proofs_prove_the_domain_and_the_margins_again(proved, problem, tmp_path, monkeypatch):
    """Without a solver: none may be opened."""
    record, folder = proved
    record.save(tmp_path / "record.json")

    def refused(*arguments):
        raise AssertionError("a solver was opened")

    monkeypatch.setattr("agtopt.drivers.stage.open_session", refused)
    found = verdicts(verify(Record.load(tmp_path / "record.json"), problem, folder))
    assert set(found.values()) == {"holds"}
    assert {
        "problem",
        "adversary",
        "nominal run",
        "attacks",
        "witnesses",
        "domain",
        "stability",
    } <= set(found)


def test_windows_templates_and_obbt_are_replayed(problem, x, tmp_path):
    template = agtopt.Polytope(np.eye(problem.network.size)[:2] + np.eye(problem.network.size)[1:3])
    options = {
        "window": 2,
        "domain": template,
        "obbt": agtopt.OBBT(20),
        "rigour": "proved",
        "proofs": tmp_path,
    }
    reach = agtopt.bound(problem, "LP", conditional=False, **options)
    record = Record.of(reach, agtopt.certify(reach, x))
    assert set(verdicts(verify(record, problem, tmp_path)).values()) == {"holds"}


def test_a_solvers_word_is_called_so(problem, x):
    reach = agtopt.bound(problem, "MILP", conditional=False)
    record = Record.of(reach, agtopt.certify(reach, x))
    found = verdicts(verify(record, problem))
    assert (found["domain"], found["stability"]) == ("not proved", "not proved")
    assert found["attacks"] == "holds"
    assert (
        verdicts(verify(Record.of(reach, agtopt.certify(reach, x)), problem, "nowhere"))["domain"]
        == "not proved"
    )


def each(values, change):
    return [change(value) for value in values]


def first(values, change):
    return [change(values[0]), *values[1:]]


CLAIMS = {
    "problem": [
        (lambda r: "0" * 64, "problem"),
        (lambda r: "v2-" + "0" * 64, "problem"),
        (lambda r: "", "problem"),
    ],
    "perturbation": [
        (lambda r: "at most 99 samples removed", "adversary"),
        (lambda r: "", "adversary"),
    ],
    "method": [
        (lambda r: "IBP", "record"),
        (lambda r: r.method.replace("LP,", "MILP,"), "record"),
        (lambda r: r.method.split(",")[0], "record"),
        (lambda r: "LP in parts, MILP end to end", "record"),
        (lambda r: "magic", "record"),
    ],
    "settings": [
        (lambda r: None, "record"),
    ],
    "settings.method": [(lambda v: "MILP", "record")],
    "settings.window": [(lambda v: 0, "record"), (lambda v: 1, "domain")],
    "settings.first": [(lambda v: 1, "domain")],
    "settings.directions": [(lambda v: [[1.0] * 9], "domain")],
    "end_to_end": [(lambda r: None, "record")],
    "end_to_end.method": [(lambda v: "LP", "record")],
    "end_to_end.window": [(lambda v: 1, "record")],
    "end_to_end.stride": [(lambda v: 1, "record")],
    "end_to_end.tighten": [(lambda v: False, "record"), (lambda v: "LP", "record")],
    "end_to_end.directions": [(lambda v: [[1.0] * 9], "record")],
    "end_to_end.obbt": [(lambda v: {"solves": 5, "rounds": 1, "kind": "LP"}, "record")],
    "end_to_end.first": [(lambda v: 1, "record")],
    "end_to_end.conditional": [(lambda v: True, "stability")],
    "domain": [(lambda r: "Affine", "record"), (lambda r: "Polytope", "record")],
    "lower": [
        (lambda r: r.upper, "nominal run"),
        (lambda r: [0.4 * a + 0.6 * b for a, b in zip(r.lower, r.upper, strict=True)], "attacks"),
        (lambda r: each(r.lower, lambda v: v + 1e-4), "domain"),
        (lambda r: first(r.lower, lambda v: np.nan), "record"),
        (lambda r: first(r.lower, lambda v: np.inf), "record"),
        (lambda r: r.lower[:-1], "record"),
    ],
    "upper": [
        (lambda r: each(r.upper, lambda v: v - 1e-4), "domain"),
        (lambda r: [0.5 * (a + b) for a, b in zip(r.lower, r.upper, strict=True)], "domain"),
        (lambda r: first(r.upper, lambda v: np.nan), "record"),
        (lambda r: [*r.upper, 0.0], "record"),
    ],
    "points": [
        (lambda r: r.points[:-1], "record"),
        (lambda r: [], "record"),
        (lambda r: first(r.points, lambda p: [np.nan] * len(p)), "record"),
        (lambda r: first(r.points, lambda p: [np.inf] * len(p)), "record"),
        (lambda r: first(r.points, lambda p: each(p, lambda v: v + 1e-9)), "record"),
        (lambda r: first(r.points, lambda p: p[:-1]), "record"),
        (lambda r: r.points[::-1], "record"),
    ],
    "lowest": [
        (lambda r: each(r.lowest, lambda p: each(p, lambda v: v + 1e-9)), "record"),
        (lambda r: each(r.lowest, lambda p: each(p, lambda v: v - 9.0)), "stability"),
        (lambda r: first(r.lowest, lambda p: [np.nan] * len(p)), "record"),
        (lambda r: r.lowest[::-1], "record"),
        (lambda r: r.lowest[1:], "record"),
    ],
    "highest": [
        (lambda r: each(r.highest, lambda p: each(p, lambda v: v - 1e-9)), "record"),
        (lambda r: each(r.highest, lambda p: each(p, lambda v: v + 9.0)), "stability"),
        (lambda r: first(r.highest, lambda p: [-np.inf] * len(p)), "record"),
        (lambda r: r.highest[::-1], "record"),
    ],
    "labels": [
        (lambda r: r.nominal[1:], "record"),
        (lambda r: [0.5] * len(r.nominal), "record"),
        (lambda r: [np.nan] * len(r.nominal), "record"),
        (lambda r: [*r.nominal, 1.0], "record"),
    ],
    "nominal": [
        (lambda r: each(r.nominal, lambda c: -c), "record"),
        (lambda r: first(r.nominal, lambda c: 7), "record"),
        (lambda r: r.nominal[1:], "record"),
    ],
    "stable": [
        (lambda r: [True] * len(r.stable), "record"),
        (lambda r: [False] * len(r.stable), "record"),
        (lambda r: r.stable[1:], "record"),
    ],
    "reachable": [
        (lambda r: each(r.reachable, lambda row: row[:1]), "record"),
        (lambda r: each(r.reachable, lambda row: []), "record"),
        (lambda r: each(r.reachable, lambda row: [-1, 1]), "record"),
        (lambda r: each(r.reachable, lambda row: [*row, row[0]]), "record"),
        (lambda r: first(r.reachable, lambda row: [0]), "record"),
    ],
    "witnesses": [
        (lambda r: [*r.witnesses, r.witnesses[0]], "record"),
    ],
    "witnesses.query": [
        (lambda v: 0, "record"),
        (lambda v: -1, "record"),
        (lambda v: 10**6, "record"),
    ],
    "witnesses.predicted": [(lambda v: -v, "record")],
    "witnesses.point": [
        (lambda v: [9.0] * len(v), "witnesses"),
        (lambda v: [np.nan] * len(v), "witnesses"),
        (lambda v: v[:-1], "witnesses"),
    ],
    "witnesses.changes": [(lambda v: [], "witnesses"), (lambda v: v * 2, "record")],
    "witnesses.changes.sample": [(lambda v: -1, "record")],
    "witnesses.changes.removed": [(lambda v: True, "witnesses")],
    "witnesses.changes.features": [
        (lambda v: [value + 1e-3 for value in v], "witnesses"),
        (lambda v: [np.nan for value in v], "witnesses"),
    ],
    "witnesses.changes.label": [(lambda v: [9.0], "witnesses")],
}
UNFORGEABLE = {"format", "digest"}
"""One has one value only, the other is made of all fields."""
RIGOUR = {"rigour", "settings.rigour", "end_to_end.rigour"}
"""What is not claimed proved is not proved again, and what is claimed so is proved or called not
so."""


def edited(value, path, change):
    """A field of a record where one field of its own is another; in lists of every entry."""
    if not path:
        return change(value)
    if isinstance(value, list):
        return [edited(entry, path, change) for entry in value]
    return {**value, path[0]: edited(value[path[0]], path[1:], change)}


def changed(record, field, change):
    name, *path = field.split(".")
    value = edited(record.model_dump()[name], path, change) if path else change(record)
    return tampered(record, **{name: value})


def leaves(model, above=""):
    """Every field of a model, and of the models in it, by its path."""
    for name, field in model.model_fields.items():
        yield above + name
        if name in {"settings", "end_to_end"}:
            yield from (f"{name}.{entry}" for entry in Settings("LP").to_dict())
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from leaves(kind, f"{above}{name}.")


@pytest.mark.parametrize(
    ("field", "change", "check"),
    [(field, *claim) for field, claims in CLAIMS.items() for claim in claims],
)
def test_what_was_tampered_with_fails(proved, problem, swift, field, change, check):
    """In every field and every direction, also where the digest is forged."""
    if field.partition(".")[0] in {"method", "settings", "end_to_end"}:
        record, folder = proved
        assert check in failed(changed(record, field, change), problem, folder)
    else:
        small, record = swift
        assert failed(record, small) == set()
        assert check in failed(changed(record, field, change), small)


@pytest.mark.parametrize("field", ["settings.rigour", "end_to_end.rigour"])
def test_what_is_not_said_to_be_proved_is_not_proved_again(proved, problem, field):
    record, folder = proved
    found = verdicts(verify(changed(record, field, lambda v: "solver tolerance"), problem, folder))
    assert found["rigour"] == "not proved"
    assert "not proved" in (found["domain"], found["stability"])


def test_every_field_is_tampered_with_or_called_unchecked(swift):
    problem, record = swift
    assert set(CLAIMS) | set(NOT_CHECKED) | UNFORGEABLE | RIGOUR == set(leaves(Record))
    words = next(check for check in verify(record, problem) if check.verdict == UNCHECKED)
    assert all(name in words.detail for name in NOT_CHECKED)


def test_which_domain_a_verdict_was_taken_over_is_found_again(swift):
    """What the form certifies is not said of the box, nor what the box certifies of a form."""
    problem, x = swift[0], np.random.default_rng(0).normal(size=(200, 2)) * 2
    reach = agtopt.bound(problem, "AFFINE")
    record = Record.of(reach, agtopt.certify(reach, x))
    assert record.domain == "Affine"
    assert set(verdicts(verify(record, problem)).values()) == {"holds"}
    box = replace(reach, affines=())
    plain = Record.of(box, agtopt.certify(box, x))
    assert plain.domain == "Interval"
    assert set(verdicts(verify(plain, problem)).values()) == {"holds"}
    assert sum(record.stable) > sum(plain.stable)
    assert failed(tampered(record, domain="Interval"), problem) == {"stability"}
    assert failed(tampered(record, domain="Polytope"), problem) == {"record"}
    ibp = agtopt.bound(problem, "IBP")
    forged = tampered(Record.of(ibp, agtopt.certify(ibp, x)), domain="Affine")
    assert failed(forged, problem) == {"record"}


def test_a_slip_in_any_field_is_seen_by_the_digest(swift):
    problem, record = swift
    changes = {
        "name": "other",
        "seconds": 0.0,
        "versions": {},
        "rigour": "solver tolerance",
        "witnesses": record.witnesses[1:],
        "digest": "",
    }
    for name, value in changes.items():
        assert failed(record.model_copy(update={name: value}), problem) == {"contents"}


def test_a_claimed_proof_is_shown_or_called_unproved(problem, x):
    reach = agtopt.bound(problem, "MILP", conditional=False)
    record = Record.of(reach, agtopt.certify(reach, x))
    assert record.rigour == "solver tolerance"
    assert verdicts(verify(tampered(record, rigour="proved"), problem))["rigour"] == "not proved"
    interval = agtopt.bound(problem, "IBP")
    assert (
        verdicts(verify(Record.of(interval, agtopt.certify(interval, x)), problem))["rigour"]
        == "holds"
    )
    with pytest.raises(ValueError, match="rigour"):
        tampered(record, rigour="trust me")


def test_the_points_of_a_refuted_claim_cannot_be_moved_into_the_box_of_a_stable_one(swift):
    """All eight checks held of it: nothing asked whether a point lies in its own box."""
    problem, record = swift
    refuted = record.witnesses[0].query
    stable = next(
        k
        for k, holds in enumerate(record.stable)
        if holds and record.nominal[k] == record.nominal[refuted]
    )
    changes = {
        name: [list(row) if isinstance(row, list) else row for row in getattr(record, name)]
        for name in ("lowest", "highest", "stable", "reachable")
    }
    for values in changes.values():
        values[refuted] = values[stable]
    forged = tampered(
        record, **changes, witnesses=[w for w in record.witnesses if w.query != refuted]
    )
    assert failed(forged, problem) == {"record"}


@pytest.mark.parametrize("make", [
    lambda problem: agtopt.bound(problem, "IBP", dtype="float32"),
    lambda problem: agtopt.bound(problem, "CROWN", dtype="float32"),
])  # fmt: skip
def test_domains_in_float32_are_found_again(problem, x, make):
    reach = make(problem)
    record = Record.of(reach, agtopt.certify(reach, x))
    assert record.method.endswith("in float32")
    assert set(verdicts(verify(record, problem)).values()) == {"holds"}


def test_parts_and_samples_rest_on_the_word_of_the_record(problem, x):
    for reach, method in (
        (agtopt.bound_parts(problem, "IBP", 3), "IBP in parts"),
        (agtopt.bound_samplewise(problem, "LP"), "LP by samples"),
    ):
        record = Record.of(reach, agtopt.certify(reach, x))
        assert record.method == method
        found = verdicts(verify(record, problem))
        assert found["domain"] == found["stability"] == "not proved"
        assert "fails" not in found.values()


def test_proofs_of_another_budget_are_no_proofs(proved, problem, x, tmp_path):
    """The same parameters, objectives and file names; one number differs."""
    _, folder = proved
    other = replace(problem, perturbation=agtopt.Removal(1))
    reach = agtopt.bound(
        other, "LP", conditional=False, tighten=False, rigour="proved", proofs=tmp_path
    )
    record = Record.of(reach, agtopt.certify(reach, x))
    assert verdicts(verify(record, other, tmp_path))["domain"] == "holds"
    assert verdicts(verify(record, other, folder))["domain"] == "fails"


def test_a_box_that_is_claimed_a_little_too_small_is_not_proved(proved, problem):
    """Not even by as little as rounding."""
    record, folder = proved
    shrunk = tampered(record, upper=[value - 1e-12 for value in record.upper])
    found = verdicts(verify(shrunk, problem, folder))
    assert found["domain"] == "not proved"
    assert found["stability"] == "holds"  # of the box that was found again


def test_proofs_of_another_problem_or_broken_ones_fail(proved, problem, x, tmp_path):
    record, folder = proved
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    victim = next(path for path in sorted(tmp_path.iterdir()) if "margin" not in path.name)
    whole = victim.read_bytes()
    victim.write_bytes(whole[: len(whole) // 2])
    assert verdicts(verify(record, problem, tmp_path))["domain"] == "fails"
    victim.unlink()
    assert verdicts(verify(record, problem, tmp_path))["domain"] == "fails"
    other = next(path for path in sorted(tmp_path.iterdir()) if "margin" not in path.name)
    victim.write_bytes(other.read_bytes())
    assert verdicts(verify(record, problem, tmp_path))["domain"] == "fails"


def test_records_of_other_things_are_refused(problem, x, half_moons_reach, tmp_path):
    reach = agtopt.bound(problem, "IBP")
    with pytest.raises(InvalidInputError, match="another problem"):
        Record.of(half_moons_reach, agtopt.certify(reach, x))
    regression = agtopt.bound(agtopt.load(MODELS / "l2-squared"), "IBP")
    with pytest.raises(UnsupportedError, match="predicts no class"):
        Record.of(regression, agtopt.certify(regression, regression.problem.dataset.features))
    with pytest.raises(MissingFileError, match="does not exist"):
        Record.load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(InvalidInputError, match="no certificate"):
        Record.load(tmp_path / "bad.json")
    text = json.loads(Record.of(reach, agtopt.certify(reach, x)).model_dump_json())
    (tmp_path / "more.json").write_text(json.dumps({**text, "trust": True}))
    with pytest.raises(InvalidInputError, match="trust"):
        Record.load(tmp_path / "more.json")
    with pytest.raises(MissingFileError, match="folder"):
        Record.of(reach, agtopt.certify(reach, x)).save(tmp_path / "none" / "record.json")


def test_a_forged_witness_that_moves_by_many_small_radii_fails():
    """With an absolute tolerance of 1e-9 `admits` took a move of 90 radii of 1e-11, and a point
    that intervals certify was recorded as refuted."""
    features, labels = np.array([[1e-10], [-1e-10]]), np.array([1.0, -1.0])
    network = agtopt.Network.chain([agtopt.Dense(1, 1, bias=False)], (1,), [[[-0.8e-10]]])
    problem = agtopt.Problem(
        network,
        agtopt.Dataset(features, labels),
        agtopt.Bounded(1, eps=1e-11),
        agtopt.Training("hinge", learning_rate=1.0),
    )
    reach = agtopt.bound(problem, "IBP")
    certificates = agtopt.certify(reach, [[1.0]])
    assert certificates.verdicts == ["certified"]
    moved = features.copy()
    moved[0] -= 9e-10
    witness = Witness(agtopt.Dataset(moved, labels), np.array([1.0]), -1)
    assert witness.replay(problem) == -1
    honest = agtopt.Record.of(reach, certificates)
    forged = tampered(
        honest,
        stable=[False],
        reachable=[[-1, 1]],
        witnesses=[WitnessRecord.of(0, witness, problem.dataset)],
    )
    assert "witnesses" in failed(forged, problem)
