"""Scripts that start workers: without a main guard they end with one error, with it they run."""

import subprocess
import sys

import pytest

from tests.conftest import MODELS
from tests.docs.pages import blocks

START = """
import multiprocessing
multiprocessing.set_start_method("METHOD", force=True)
"""
WORK = f"""
import agtopt
problem = agtopt.load({str(MODELS / "removal-hinge")!r})
with agtopt.processes(1) as pool:
    agtopt.bound(problem, "LP", executor=pool, conditional=False)
"""
ONCE = """
import pathlib
pathlib.Path("made").mkdir()
"""
POOL_OF_ANOTHER = """
import concurrent.futures, multiprocessing, sys
if multiprocessing.current_process().name == "MainProcess":
    pool = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    pool.submit(abs, 1).exception()
    sys.exit()
"""


def run(folder, text):
    path = folder / "script.py"
    path.write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, timeout=120, cwd=folder
    )


@pytest.mark.parametrize(
    "method", [pytest.param("spawn"), pytest.param("forkserver", marks=pytest.mark.slow)]
)
def test_a_script_without_a_guard_ends_with_one_error_that_names_it(tmp_path, method):
    done = run(tmp_path, START.replace("METHOD", method) + WORK)
    *_, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout, done.stderr.count("Traceback")) == (1, "", 1), done.stderr
    assert last.startswith(
        "agtopt.errors.InvalidInputError: executor: a worker process ended before its first call "
        "(exit code 1)"
    )
    assert 'put what the script does under `if __name__ == "__main__":`' in last


def test_a_script_that_workers_cannot_import_ends_with_one_error_besides_theirs(tmp_path):
    """They fail before they reach the line that starts workers, as many as were started by then."""
    done = run(tmp_path, ONCE + WORK)
    assert (done.returncode, done.stderr.count("InvalidInputError: ")) == (1, 1), done.stderr
    assert 1 <= done.stderr.count("FileExistsError: ") <= 2, done.stderr
    assert "what the worker printed says why it ended" in done.stderr.splitlines()[-1]


def test_workers_of_others_that_import_the_script_are_told(tmp_path):
    """A pool of the standard library imports it, and would start workers of agtopt in turn."""
    done = run(tmp_path, POOL_OF_ANOTHER + WORK)
    assert (
        "InvalidInputError: executor: worker processes cannot start while their script is "
        "imported: every worker imports" in done.stderr
    )


@pytest.mark.slow
def test_the_guard_of_the_readme_runs(tmp_path):
    code = next(
        code for kind, code in blocks("README.md") if kind == "python" and "__main__" in code
    )
    setting = f"import agtopt\nproblem = agtopt.load({str(MODELS / 'removal-hinge')!r})\n"
    done = run(tmp_path, f"{setting}{code}    print(reach.domain.width() > 0)\n")
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)
