"""A record is checked from the problem alone: what was tampered with fails, what rests on a solver's word is called so."""

import json

import numpy as np
import pytest

import agtopt
from agtopt import InvalidInputError, MissingFileError, UnsupportedError
from agtopt.certificates import Record, certify_end_to_end, verify
from tests.conftest import MODELS


@pytest.fixture(scope="module")
def problem():
    return agtopt.load(MODELS / "removal-hinge")


@pytest.fixture(scope="module")
def x(problem):
    return np.random.default_rng(0).normal(size=(20, *problem.network.input_shape))


def verdicts(checks):
    return {check.name: check.verdict for check in checks}


def tampered(record, **changes):
    return Record.model_validate({**record.model_dump(), **changes})


@pytest.fixture(scope="module")
def proved(problem, x, tmp_path_factory):
    """An LP domain and mixed-integer margins, both with proofs."""
    folder = tmp_path_factory.mktemp("proofs")
    reach = agtopt.bound(problem, "LP", conditional=False, tighten=False, rigour="proved", proofs=folder)
    found = certify_end_to_end(reach, x, conditional=False, rigour="proved", proofs=folder)
    assert found.stable.sum() > agtopt.certify(reach, x).stable.sum()
    assert len(found.rows) > 0
    return Record.of(reach, found), folder


@pytest.mark.parametrize("method", ["IBP", "CROWN"])
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
    assert {"problem", "adversary", "nominal run", "attacks", "witnesses", "domain", "stability"} <= set(found)


def test_windows_templates_and_obbt_are_replayed(problem, x, tmp_path):
    template = agtopt.Polytope(np.eye(problem.network.size)[:2] + np.eye(problem.network.size)[1:3])
    options = {"window": 2, "domain": template, "obbt": agtopt.OBBT(20), "rigour": "proved", "proofs": tmp_path}
    reach = agtopt.bound(problem, "LP", conditional=False, **options)
    record = Record.of(reach, agtopt.certify(reach, x))
    assert set(verdicts(verify(record, problem, tmp_path)).values()) == {"holds"}


def test_a_solvers_word_is_called_so(problem, x):
    reach = agtopt.bound(problem, "MILP", conditional=False)
    record = Record.of(reach, agtopt.certify(reach, x))
    found = verdicts(verify(record, problem))
    assert (found["domain"], found["stability"]) == ("not proved", "not proved")
    assert found["attacks"] == "holds"
    assert verdicts(verify(Record.of(reach, agtopt.certify(reach, x)), problem, "nowhere"))["domain"] == "not proved"


@pytest.mark.parametrize(
    ("field", "change", "check"),
    [
        ("stable", lambda record: [True] * len(record.stable), "stability"),
        ("reachable", lambda record: [row[:1] for row in record.reachable], "stability"),
        ("nominal", lambda record: [-label for label in record.nominal], "predictions"),
        ("lower", lambda record: record.upper, "nominal run"),
        ("upper", lambda record: [0.5 * (a + b) for a, b in zip(record.lower, record.upper, strict=True)], "domain"),
        ("problem", lambda record: "0" * 64, "problem"),
        ("perturbation", lambda record: "at most 99 samples removed", "adversary"),
        ("points", lambda record: record.points[:-1], "record"),
        ("witnesses", lambda record: [{**w.model_dump(), "query": 0} for w in record.witnesses], "witnesses"),
        ("witnesses", lambda record: [{**w.model_dump(), "changes": []} for w in record.witnesses], "witnesses"),
        ("witnesses", lambda record: [{**w.model_dump(), "point": [9.0] * len(w.point)} for w in record.witnesses], "witnesses"),
    ],
)
def test_what_was_tampered_with_fails(proved, problem, field, change, check):
    record, folder = proved
    found = verdicts(verify(tampered(record, **{field: change(record)}), problem, folder))
    assert found[check] == "fails"


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
