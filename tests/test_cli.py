"""The command line: tables on stdout; an error is one line on stderr and exit code 2."""

import re
import subprocess
import sys
from importlib import import_module

import highspy
import numpy as np
import pandas as pd
import pytest

from agtopt import cli
from agtopt.cli import screen, telling
from agtopt.drivers import horizon, stage
from agtopt.solvers import SOLVERS
from tests.conftest import MODELS

TINY, MOONS = str(MODELS / "tiny-mlp"), str(MODELS / "half-moons")


@pytest.fixture
def agtopt(monkeypatch, capsys):
    """Run one command in this process: (exit code, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["agtopt", *map(str, arguments)])
        monkeypatch.setattr(screen, "console", screen.Console(width=200, markup=False, emoji=False))
        with pytest.raises(SystemExit) as done:
            cli.main()
        return done.value.code or 0, *capsys.readouterr()

    return run


def test_bound_writes_what_it_shows(agtopt, tmp_path, tiny_mlp):
    code, out, _ = agtopt(
        "bound", TINY, "--kind", "lp", "--window", 1, "--output", tmp_path / "b.csv"
    )
    assert code == 0
    assert "LP: width" in out
    frame = pd.read_csv(tmp_path / "b.csv")
    assert tuple(frame["parameter"]) == tiny_mlp.network.parameter_names
    assert np.all(frame["lower"] <= frame["upper"])
    assert all(name in out for name in tiny_mlp.network.parameter_names)


def test_compare_shows_every_method_and_what_is_attained(agtopt, tmp_path):
    code, out, _ = agtopt(
        "compare",
        TINY,
        "--kinds",
        "IBP, LP,milp",
        "--windows",
        "1,full",
        "--output",
        tmp_path / "c.csv",
    )
    assert code == 0
    frame = pd.read_csv(tmp_path / "c.csv")
    assert list(frame["method"]) == ["IBP", "LP", "LP", "MILP", "MILP"]
    assert list(frame["window"]) == ["full", "1", "full", "1", "full"]
    assert set(frame["instance"]) == {"tiny-mlp"}
    ibp, *rest = frame["width"]
    assert all(width <= ibp for width in rest)
    assert np.all(frame["to_attained"] >= 1)
    assert "attained by attacks" in out


def test_compare_takes_limits_by_kind(agtopt):
    """A kind without a product to keep is solved once: MIQCP of a linear model is its MILP."""
    linear = str(MODELS / "removal-hinge")
    options = (
        "--kinds",
        "LP,QCP,milp,MIQCP",
        "--time-limit",
        "5,qcp=0.2",
        "--tighten",
        "LP",
        "--obbt",
        20,
    )
    code, out, _ = agtopt("compare", linear, *options)
    assert code == 0
    widths = {
        line.split()[0]: line.split()[2:]
        for line in out.splitlines()
        if line.strip().startswith(("LP", "QCP", "MILP", "MIQCP"))
    }
    assert set(widths) == {"LP", "QCP", "MILP", "MIQCP"}
    assert widths["MILP"] == widths["MIQCP"]
    code, _, error = agtopt("compare", linear, "--time-limit", "5,fast")
    assert code == 2
    assert "time_limit" in error


def test_compare_takes_several_folders_and_goes_on(agtopt, tmp_path):
    asked = (
        "compare",
        TINY,
        str(MODELS / "removal-hinge"),
        "--kinds",
        "IBP,LP,QCP",
        "--solvers",
        "highs",
        "--windows",
        "1, full",
    )
    code, out, _ = agtopt(*asked, "--resume", tmp_path / "kept", "--output", tmp_path / "c.json")
    assert code == 0
    assert "tiny-mlp: 2-4-1" in out
    assert "enumerated exactly" in out
    assert "QCP, window 1, solver highs: refused: solver: 'highs' cannot prove" in out
    first = pd.read_json(tmp_path / "c.json")
    assert len(first) == 2 * (1 + 2 * 2)
    files = sorted((tmp_path / "kept").iterdir())
    code, _, _ = agtopt(*asked, "--resume", tmp_path / "kept", "--output", tmp_path / "d.json")
    assert code == 0
    assert (tmp_path / "d.json").read_text() == (tmp_path / "c.json").read_text()
    assert sorted((tmp_path / "kept").iterdir()) == files


def test_compare_interrupted_says_how_to_go_on(agtopt, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("agtopt.drivers.run.Run.step", stop)
    code, out, _ = agtopt("compare", TINY, "--kinds", "IBP,LP", "--resume", tmp_path / "kept")
    assert code == 0
    assert "interrupted: 2 cells are shown; go on with --resume" in out


def test_compare_interrupted_at_once_shows_nothing(agtopt, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("agtopt.report.compare"), "run_work", stop)
    code, out, _ = agtopt("compare", TINY, "--kinds", "IBP,LP")
    assert code == 0
    assert "interrupted: 0 cells are shown" in out


def test_certify_half_moons(agtopt, tmp_path):
    code, out, _ = agtopt("certify", MOONS, "--kind", "IBP", "--output", tmp_path / "p.csv")
    assert code == 0
    assert "of 128 predictions" in out
    assert "accuracy: certified 0.0000, attacked" in out
    assert len(pd.read_csv(tmp_path / "p.csv")) == 128


def test_certify_points_of_a_file(agtopt, tmp_path):
    np.savez(tmp_path / "p.npz", X=np.zeros((3, 9)))
    code, out, _ = agtopt("certify", MOONS, "--kind", "IBP", "--points", tmp_path / "p.npz")
    assert code == 0
    assert "of 3 predictions" in out


def test_memory_and_the_method_that_fits(agtopt):
    code, _, error = agtopt("bound", MOONS, "--kind", "LP", "--memory", "0.001")
    assert code == 2
    assert "memory: the LP of steps 0…14 would take" in error
    code, out, _ = agtopt("bound", MOONS, "--kind", "auto", "--memory", "0.001")
    assert code == 0
    assert "CROWN: width" in out


def test_a_certificate_is_recorded_and_verified(agtopt, tmp_path):
    folder, record, proofs = str(MODELS / "removal-hinge"), tmp_path / "c.json", tmp_path / "proofs"
    made = (
        "certify",
        folder,
        "--kind",
        "LP",
        "--no-conditional",
        "--end-to-end",
        "MILP",
        "--proofs",
        proofs,
        "--record",
        record,
    )
    assert agtopt(*made)[0] == 0
    code, out, _ = agtopt("verify", record, folder, "--proofs", proofs)
    assert code == 0
    assert "stability" in out
    assert "fails" not in out
    code, out, _ = agtopt("verify", record, folder)
    assert code == 0
    assert "not proved" in out
    code, out, _ = agtopt("verify", record, TINY)
    assert code == 1
    assert "another problem" in out


def test_backdoors_on_the_command_line(agtopt):
    plain = agtopt("certify", MOONS, "--kind", "MILP")[1]
    moved = agtopt("certify", MOONS, "--kind", "MILP", "--eps", "0.05")[1]
    certified = [int(re.search(r"(\d+) certified", out)[1]) for out in (plain, moved)]
    assert certified[0] > certified[1] > 0


@pytest.mark.parametrize("sense", ["min", "max"])
def test_export(agtopt, tmp_path, sense):
    code, out, _ = agtopt(
        "export",
        TINY,
        "--kind",
        "miqcp",
        "--to",
        tmp_path / "m.mps",
        "--parameter",
        "dense1_weight[3,0]",
        "--sense",
        sense,
    )
    assert code == 0
    assert "MIQCP" in out
    assert "quadratic" in out
    assert "parameter(2)_dense1_weight(3_0)" in (tmp_path / "m.mps").read_text()


def test_solvers_and_info(agtopt):
    code, out, _ = agtopt("solvers")
    assert code == 0
    assert all(name in out for name in SOLVERS)
    code, out, _ = agtopt("info", MOONS)
    assert code == 0
    assert "admissible datasets: 129" in out
    code, out, _ = agtopt("info", TINY)
    assert "infinitely many" in out


BAD = [
    (["bound", "nowhere"], "nowhere"),
    (["bound", TINY, "--kind", "FOO"], "FOO"),
    (["bound", TINY, "--kind", "LP", "--solver", "foo"], "foo"),
    (["bound", TINY, "--kind", "QCP", "--solver", "highs"], "highs"),
    (["bound", TINY, "--kind", "LP", "--window", "0"], "window"),
    (["bound", TINY, "--kind", "LP", "--time-limit", "-1"], "time_limit"),
    (["bound", TINY, "--kind", "IBP", "--output", "nowhere/b.csv"], "nowhere"),
    (["compare", TINY, "--kinds", "IBP,FOO"], "FOO"),
    (["compare", TINY, "--kinds", "IBP", "--windows", "a"], "'a'"),
    (["compare", TINY, "--kinds", "LP", "--solvers", "foo"], "'foo'"),
    (["compare", TINY, "--kinds", "IBP", "--resume", "no/where"], "no"),
    (["compare", TINY, "--kinds", "IBP", "--output", "c.txt"], ".tex"),
    (["compare", TINY, TINY, "--kinds", "IBP"], "same name"),
    (["compare", TINY, "--kinds", "IBP", "--windows", "²"], "²"),
    (["certify", TINY, "--points", "nowhere.npz"], "nowhere.npz"),
    (
        [
            "certify",
            MOONS,
            "--kind",
            "IBP",
            "--points",
            str(MODELS / "half-moons" / "problem.toml"),
        ],
        "problem.toml",
    ),
    (
        ["certify", MOONS, "--kind", "IBP", "--points", str(MODELS / "half-moons" / "arrays.npz")],
        "'X'",
    ),
    (["export", TINY, "--to", "m.txt"], ".txt"),
    (["export", TINY, "--to", "nowhere/m.lp"], "nowhere"),
    (["export", TINY, "--to", "m.lp", "--parameter", "w"], "'w'"),
    (["export", TINY, "--to", "m.lp", "--sense", "up"], "'up'"),
    (["export", TINY, "--to", "m.lp", "--kind", "IBP"], "IBP"),
    (["info", str(MODELS)], "problem.toml"),
]


@pytest.mark.parametrize(
    ("arguments", "words"),
    BAD,
    ids=[" ".join(arguments[0:1] + arguments[2:]) for arguments, _ in BAD],
)
def test_bad_input_is_one_line_and_code_2(agtopt, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = agtopt(*arguments)
    assert code == 2
    assert err.startswith("agtopt: ")
    assert words in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [["bound", "nowhere"], ["info", "no\nwhere"]])
def test_no_traceback_from_a_real_process(arguments):
    done = subprocess.run(
        [sys.executable, "-m", "agtopt.cli", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert re.search("where", done.stderr)


def test_ctrl_c_is_130(agtopt, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(telling, "load", stop)
    assert agtopt("info", TINY)[0] == 130


def test_export_of_a_whole_set(agtopt, tmp_path):
    folder = str(MODELS / "labels-squared")
    code, out, _ = agtopt(
        "export",
        folder,
        "--all",
        "--kind",
        "LP,milp",
        "--formats",
        "lp,.mps",
        "--to",
        tmp_path / "set",
    )
    assert code == 0
    models = [path for path in (tmp_path / "set").iterdir() if path.suffix in (".lp", ".mps")]
    assert f"{len(models)} models" in out
    assert len(models) % 8 == 0
    assert all((path.parent / f"{path.name}.names.csv").exists() for path in models)
    assert (tmp_path / "set" / "README.md").read_text().count("| `") == len(models)


@pytest.mark.parametrize(
    "options",
    [
        ("--parameter", "dense1_weight[0,0]"),
        ("--direction", "dense1_weight[0,0]=1 dense1_bias[0]=-0.5"),
        (),
    ],
)
def test_a_solution_comes_back(agtopt, tmp_path, options):
    highs, folder = highspy.Highs(), str(MODELS / "removal-hinge")
    highs.setOptionValue("output_flag", False)
    if not options:
        np.savez(tmp_path / "p.npz", X=np.array([[0.5, -0.5]]))
        options = ("--point", tmp_path / "p.npz")
    assert agtopt("export", folder, "--to", tmp_path / "m.mps", "--sense", "max", *options)[0] == 0
    highs.readModel(str(tmp_path / "m.mps"))
    highs.run()
    highs.writeSolution(str(tmp_path / "m.sol"), 0)
    code, out, _ = agtopt("import-solution", folder, tmp_path / "m.sol", "--sense", "max", *options)
    assert code == 0
    values = [
        float(re.search(rf"{words}: (\S+)", out)[1])
        for words in ("by the program", "in the model", "data attains")
    ]
    assert values == pytest.approx([-highs.getObjectiveValue()] * 3, abs=1e-5)


MISUSED = [
    (["export", TINY, "--all", "--to", "set", "--sense", "max"], "--all"),
    (["export", TINY, "--all", "--to", "no/where"], "'no'"),
    (["export", TINY, "--to", "m.lp", "--direction", "dense1_bias[0]"], "dense1_bias[0]"),
    (["export", TINY, "--to", "m.lp", "--direction", "w=1"], "'w'"),
    (["export", TINY, "--to", "m.lp", "--direction", "a=1", "--parameter", "w"], "one of"),
    (["export", TINY, "--to", "m.lp", "--point", "nowhere.npz"], "nowhere.npz"),
    (["import-solution", TINY, "nowhere.sol"], "nowhere.sol"),
]


@pytest.mark.parametrize(
    ("arguments", "words"), MISUSED, ids=[" ".join(arguments[2:]) for arguments, _ in MISUSED]
)
def test_a_misused_export_is_one_line_and_code_2(agtopt, arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = agtopt(*arguments)
    assert code == 2
    assert err.startswith("agtopt: ")
    assert words in err
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [("bound",), ("certify",), ("certify", "--end-to-end", "MILP")]
)
def test_solves_that_stopped_at_their_limit_are_counted(agtopt, arguments):
    command, *more = arguments
    _, out, _ = agtopt(
        command,
        MOONS,
        "--kind",
        "LP" if more else "MILP",
        "--no-conditional",
        "--window",
        2,
        "--time-limit",
        0.01,
        *more,
    )
    assert re.search(r"[1-9]\d* of \d+ bounds stopped at --time-limit: they hold", out)


def test_certify_says_that_it_was_interrupted(agtopt, monkeypatch):
    def stopped(*_, **__):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(horizon, "interval_steps", stopped)
    _, out, _ = agtopt("certify", TINY, "--kind", "IBP")
    assert "(interrupted)" in out
    _, out, _ = agtopt("bound", TINY, "--kind", "IBP")
    assert "(interrupted)" in out


def test_certify_asks_no_solver_after_an_interrupt(agtopt, monkeypatch):
    """Where the bounds were cut short, what they certify is shown."""

    def stopped(*_, **__):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(horizon, "interval_steps", stopped)
    monkeypatch.setattr(stage, "open_session", lambda *_: pytest.fail("a solver is asked"))
    _, out, _ = agtopt("certify", TINY, "--kind", "IBP", "--end-to-end", "LP")
    assert "(interrupted)" in out
