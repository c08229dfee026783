"""The comparison: its table, what it shares, how it goes on, and where it runs."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from importlib import import_module

import numpy as np
import pandas as pd
import pytest

import agtopt
from agtopt import InvalidInputError, SolverUnavailableError
from agtopt.drivers import Run
from agtopt.report.cells import Cell, run_work
from agtopt.report.store import Store
from tests.instances import random_problem

# `agtopt.report.compare` is the function.
compare = import_module("agtopt.report.compare")
TIMES = ["seconds", "building", "solving"]


@pytest.fixture
def other():
    return replace(random_problem(3, 1, "hinge", "flips", samples=5, steps=3, n=1), name="other")


def untimed(comparison):
    return comparison.table.drop(columns=TIMES)


def test_table_has_one_row_per_method_and_window(flips):
    found = agtopt.compare(flips, ["IBP", agtopt.LP, "milp"], windows=[1, None])
    table = found.table
    assert list(zip(table["method"], table["window"], strict=True)) == [
        ("IBP", "full"),
        ("LP", "1"),
        ("LP", "full"),
        ("MILP", "1"),
        ("MILP", "full"),
    ]
    assert found.inner.exact
    inner = found.inner.domain.width()
    np.testing.assert_allclose(table["width"], [result.domain.width() for result in found.results])
    np.testing.assert_allclose(table["to_attained"], table["width"] / inner)
    np.testing.assert_allclose(table["to_enumerated"], table["width"] / inner)
    np.testing.assert_allclose(table["to_ibp"], table["width"] / table["width"][0])
    assert np.all(np.diff(table["width"][[0, 2, 4]]) <= 1e-9)
    assert set(table["status"]) == {"optimal"}
    assert set(table["instance"]) == {flips.name}
    assert list(table["solver"]) == ["", *["default"] * 4]
    assert (table["bounds"] == 2 * flips.network.size).all()


def test_cells_say_what_they_cost_and_how_large_they_are(flips):
    table = agtopt.compare(flips, ["IBP", "LP", "MILP"], conditional=False).table.set_index(
        "method"
    )
    assert table.loc[["LP", "MILP"], "solves"].gt(0).all()
    assert (table["building"] + table["solving"] <= table["seconds"] + 1e-9).all()
    assert table.loc[["LP", "MILP"], ["building", "solving"]].gt(0).all(axis=None)
    assert (table.loc["MILP", "binaries"], table.loc["LP", "binaries"]) == (
        table["binaries"].max(),
        0,
    )
    model = agtopt.compile(flips, "MILP", conditional=False).size
    assert 0 < table.loc["MILP", "linear"] <= model.linear
    assert table.loc["IBP", ["binaries", "continuous", "linear", "quadratic"]].isna().all()
    assert table.loc["LP", "rigour"] == "proved"
    assert table.loc["MILP", "rigour"] == "solver tolerance"
    assert table.loc["MILP", "proved"] < table.loc["LP", "proved"] == 2 * flips.network.size


def test_the_largest_window_counts(tiny_mlp):
    """The window from the initial point is smaller than those from boxes."""
    found = agtopt.compare(tiny_mlp, ["MILP"], windows=[1])
    (reach,) = found.results
    second = agtopt.compile(tiny_mlp, "MILP", 1, 2, reach.states[1], reach.known)
    assert found.table.loc[0, "linear"] == second.size.linear
    assert (
        second.size.linear > agtopt.compile(tiny_mlp, "MILP", 0, 1, known=reach.known).size.linear
    )


def test_without_enumeration_the_attack_is_the_measure(tiny_mlp):
    table = agtopt.compare(tiny_mlp, ["LP"]).table
    assert table["to_enumerated"].isna().all()
    assert (table["to_attained"] >= 1).all()
    assert table.loc[0, "to_ibp"] == pytest.approx(
        table.loc[0, "width"] / agtopt.bound(tiny_mlp, "IBP").domain.width()
    )


@pytest.mark.parametrize(
    ("methods", "windows", "solvers"),
    [
        ([], [None], [None]),
        (["LP"], [], [None]),
        (["LP"], [None], []),
        (["LP", "FOO"], [None], [None]),
        ("LP", [None], [None]),
    ],
)
def test_nothing_or_nonsense_is_refused(flips, methods, windows, solvers):
    with pytest.raises(InvalidInputError):
        agtopt.compare(flips, methods, windows, solvers)


def test_problems_are_told_apart_by_name(flips, other):
    with pytest.raises(InvalidInputError, match="same name"):
        agtopt.compare([flips, replace(other, name=flips.name)], ["IBP"])
    found = agtopt.compare([flips, other], ["IBP", "LP"])
    assert list(found.table["instance"]) == [flips.name, flips.name, "other", "other"]
    assert [instance.problem for instance in found.instances] == [flips, other]
    for problem, row in zip((flips, flips, other, other), found.table.itertuples(), strict=True):
        assert row.to_attained == pytest.approx(row.width / agtopt.attack(problem).domain.width())
    with pytest.raises(InvalidInputError, match="instances"):
        _ = found.inner


def test_a_solver_that_does_not_take_a_kind_is_a_row(tiny_mlp):
    found = agtopt.compare(tiny_mlp, ["LP", "QCP"], windows=[1], solvers=["highs"])
    assert len(found.results) == 1
    assert found.table["status"].tolist()[0] == "optimal"
    assert found.table["status"].tolist()[1].startswith("refused: solver: 'highs' cannot prove")
    assert np.isnan(found.table.loc[1, "width"])
    with pytest.raises(SolverUnavailableError, match="foo"):
        agtopt.compare(tiny_mlp, ["LP"], solvers=["highs", "foo"])


def test_cells_with_the_same_models_are_solved_once(flips, monkeypatch):
    runs = []
    monkeypatch.setattr(
        compare, "run_work", lambda work, bar=None: runs.append(work.cell) or run_work(work, bar)
    )
    found = agtopt.compare(flips, ["MILP", "MIQCP"], windows=[flips.steps, flips.steps + 4, None])
    assert len(found.table) == 6
    assert len(runs) == 1
    assert [str(reach.method) for reach in found.results] == ["MILP"] * 3 + ["MIQCP"] * 3
    assert found.table["width"].nunique() == 1


def test_problems_are_attacked_once(flips, monkeypatch):
    attacks = []
    monkeypatch.setattr(
        compare, "attack", lambda problem: attacks.append(problem) or agtopt.attack(problem)
    )
    monkeypatch.setattr("agtopt.drivers.knowledge.attack", lambda *_: pytest.fail("attacked again"))
    agtopt.compare(flips, ["LP", "MILP"], windows=[1, None])
    assert attacks == [flips]


def test_a_run_refuses_an_attack_on_another_problem(flips, other):
    with pytest.raises(InvalidInputError, match="another problem"):
        Run.begin(flips, agtopt.Settings("LP"), inner=agtopt.attack(other))


def test_finished_cells_are_not_solved_again(flips, other, tmp_path, monkeypatch):
    first = agtopt.compare(
        [flips, other], ["IBP", "LP"], windows=[1, None], resume=tmp_path / "kept"
    )
    monkeypatch.setattr(compare, "run_work", lambda *_: pytest.fail("solved again"))
    again = agtopt.compare(
        [flips, other], ["IBP", "LP"], windows=[1, None], resume=tmp_path / "kept"
    )
    pd.testing.assert_frame_equal(again.table, first.table)
    for one, two in zip(first.results, again.results, strict=True):
        np.testing.assert_array_equal(one.domain.lower, two.domain.lower)
        assert one.table().equals(two.table())


@pytest.mark.parametrize(
    "changed",
    [{"conditional": False}, {"time_limit": 3.0}, {"tighten": False}, {"obbt": agtopt.OBBT(3)}],
)
def test_other_settings_are_other_cells(flips, changed):
    def key(**how):
        return Cell(flips, agtopt.LP, agtopt.Settings(agtopt.LP, **how)).key

    assert key() != key(**changed)
    assert key() == key()


def test_another_problem_of_the_same_name_is_another_cell(flips, tmp_path):
    flatter = replace(
        flips, training=replace(flips.training, learning_rate=flips.training.learning_rate / 2)
    )
    first = agtopt.compare(flips, ["LP"], resume=tmp_path)
    second = agtopt.compare(flatter, ["LP"], resume=tmp_path)
    assert (
        second.table.loc[0, "width"]
        == agtopt.bound(flatter, "LP").domain.width()
        != first.table.loc[0, "width"]
    )


def test_a_broken_file_is_named(flips, tmp_path):
    agtopt.compare(flips, ["LP"], resume=tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InvalidInputError, match=file.name):
        agtopt.compare(flips, ["LP"], resume=tmp_path)


def test_a_file_of_another_cell_is_refused(flips, tmp_path):
    agtopt.compare(flips, ["LP"], resume=tmp_path)
    (file,) = tmp_path.iterdir()
    milp = Cell(flips, agtopt.MILP, agtopt.Settings(agtopt.MILP))
    file.rename(tmp_path / f"{milp.twin.key}.npz")
    with pytest.raises(InvalidInputError, match="another cell"):
        Store.at(tmp_path).find(milp.twin, agtopt.attack(flips))


def test_a_kept_domain_that_excludes_a_run_is_refused(flips, tmp_path):
    agtopt.compare(flips, ["LP"], resume=tmp_path)
    (file,) = tmp_path.iterdir()
    with np.load(file) as found:
        arrays = {name: found[name] for name in found.files}
    arrays["upper"][-1, 0] = arrays["lower"][-1, 0]
    np.savez(file, **arrays)
    with pytest.raises(agtopt.SoundnessError, match=r"S9.*step 2"):
        agtopt.compare(flips, ["LP"], resume=tmp_path)


def test_the_folder_must_be_possible(flips, tmp_path):
    (tmp_path / "file").touch()
    for place, error in (("file", InvalidInputError), ("no/where", agtopt.MissingFileError)):
        with pytest.raises(error, match="resume"):
            agtopt.compare(flips, ["IBP"], resume=tmp_path / place)


@pytest.mark.parametrize("after", range(1, 5))
def test_ctrl_c_shows_what_is_there_and_the_rest_follows(other, tmp_path, monkeypatch, after):
    """Interrupted after any model: what was solved is there, nothing of it is solved again, and the
    end is the same."""
    asked = {"methods": ["IBP", "LP", "MILP"], "windows": [1, None], "conditional": False}
    expected = agtopt.compare(other, **asked)
    step, steps = Run.step, []

    def stopped(run, bar=None):
        if len(steps) == after:
            raise KeyboardInterrupt
        steps.append(run.stages[run.done])
        step(run, bar)

    monkeypatch.setattr(Run, "step", stopped)
    found = agtopt.compare(other, **asked, resume=tmp_path)
    assert found.interrupted
    assert 1 < len(found.table) < len(expected.table)
    assert found.table["status"].tolist()[-1] == "interrupted"
    for reach, (_, last) in zip(found.results, expected.cells, strict=False):
        assert np.all(reach.domain.lower <= last.reach.domain.lower + 1e-6)
        assert np.all(reach.domain.upper >= last.reach.domain.upper - 1e-6)
    monkeypatch.setattr(
        Run, "step", lambda run, bar=None: steps.append(run.stages[run.done]) or step(run, bar)
    )
    done = agtopt.compare(other, **asked, resume=tmp_path)
    assert not done.interrupted
    assert len(steps) == 4 * other.steps
    pd.testing.assert_frame_equal(untimed(done), untimed(expected))
    assert not list(tmp_path.glob("*.run.npz"))


def test_ctrl_c_before_the_first_cell_begins_none(flips, other, monkeypatch):
    """It came while intervals were bounded, whose driver gives what it has by then."""
    honest, asked = compare.bound, []

    def stopped(problem, kind):
        asked.append(problem)
        return replace(honest(problem, kind), interrupted=len(asked) == 2)

    monkeypatch.setattr(compare, "bound", stopped)
    monkeypatch.setattr(compare, "run_work", lambda *_: pytest.fail("a cell begins"))
    found = agtopt.compare([flips, other, replace(other, name="third")], ["IBP", "LP"])
    assert (found.interrupted, found.cells, len(asked)) == (True, (), 2)
    assert found.table.empty


def test_ctrl_c_while_workers_solve_keeps_what_they_gave(flips, tmp_path, monkeypatch):
    class Slow(ThreadPoolExecutor):
        """Gives the first result, and never the others."""

        calls = 0

        def submit(self, fn, /, *args, **kwargs):
            self.calls += 1
            future = Future()
            if self.calls == 1:
                future.set_result(fn(*args, **kwargs))
            return future

    def interrupted(futures, *how):
        if not any(future.done() for future in futures):
            raise KeyboardInterrupt
        return wait(futures, *how)

    monkeypatch.setattr("agtopt.drivers.execute.wait", interrupted)
    found = agtopt.compare(flips, ["LP", "MILP"], executor=Slow(1), resume=tmp_path)
    assert found.interrupted
    assert found.table["method"].tolist() == ["MILP"], "the longest cells begin"
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.undo()
    assert len(agtopt.compare(flips, ["LP", "MILP"], resume=tmp_path).table) == 2


def test_cells_run_side_by_side(flips, other):
    asked = {"methods": ["IBP", "LP", "MILP"], "windows": [1, None]}
    expected = agtopt.compare([flips, other], **asked)
    with ThreadPoolExecutor(2) as pool:
        found = agtopt.compare([flips, other], **asked, executor=pool)
    pd.testing.assert_frame_equal(untimed(found), untimed(expected))
    assert found.cells[0][1].reach.problem is flips


@pytest.mark.slow
def test_cells_run_in_processes_and_resume(flips, tmp_path):
    with agtopt.processes(2) as pool:
        found = agtopt.compare(
            flips, ["LP", "MILP"], windows=[1, None], executor=pool, resume=tmp_path
        )
    pd.testing.assert_frame_equal(
        untimed(found),
        untimed(agtopt.compare(flips, ["LP", "MILP"], windows=[1, None], resume=tmp_path)),
    )


def test_a_lost_cell_is_a_row_and_is_not_kept(flips, tmp_path):
    class Failing(ThreadPoolExecutor):
        def submit(self, fn, /, *args, **kwargs):
            future = Future()
            future.set_exception(MemoryError())
            return future

    with pytest.warns(UserWarning, match="lost"):
        found = agtopt.compare(flips, ["LP"], executor=Failing(1), resume=tmp_path)
    assert found.table["status"].tolist() == ["refused: no worker gave a result (twice)"]
    assert not list(tmp_path.iterdir())


def test_a_bound_that_is_wrong_stops_everything(flips, monkeypatch):
    def lying(*_):
        raise agtopt.SoundnessError("S9: wrong")

    monkeypatch.setattr(Run, "step", lying)
    with pytest.raises(agtopt.SoundnessError, match="S9"):
        agtopt.compare(flips, ["LP"])


def test_limits_by_kind(tiny_mlp):
    found = agtopt.compare(tiny_mlp, ["LP", "MILP"], windows=[1], time_limit={"milp": 3.0})
    assert [cell.settings.time_limit for cell, _ in found.cells] == [None, 3.0]
    with pytest.raises(InvalidInputError, match="FOO"):
        agtopt.compare(tiny_mlp, ["LP"], time_limit={"FOO": 1.0})
