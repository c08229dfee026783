"""Scripts that start workers: without a main guard one error and nothing else, with it and in shells they run."""

import subprocess
import sys

import pytest

from tests.conftest import MODELS
from tests.docs.pages import blocks

WORK = """
with agtopt.processes(2) as pool:
    print("doubled", pool.submit(abs, -2).result())
"""
BOUND = f"""
with agtopt.processes(2) as pool:
    agtopt.bound(agtopt.load({str(MODELS / "removal-hinge")!r}), "LP", executor=pool, conditional=False)
"""


def script(tmp_path, text, method="spawn"):
    path = tmp_path / "script.py"
    start = f'import agtopt, multiprocessing\nmultiprocessing.set_start_method("{method}", force=True)\n'
    path.write_text(start + text, encoding="utf-8")
    return path


def run(*arguments, cwd):
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, timeout=60, cwd=cwd)


def indented(text):
    return text.replace("\n", "\n    ")


def check_refused(done):
    *_, last = done.stderr.splitlines()
    assert (done.returncode, done.stdout, done.stderr.count("Traceback")) == (1, "", 1)
    assert last.startswith("agtopt.errors.InvalidInputError: executor: a worker process ended before its first call (exit code 1)")
    assert 'put what the script does under `if __name__ == "__main__":`' in last


def test_a_script_without_a_guard_ends_with_one_error_that_names_it(tmp_path):
    check_refused(run(script(tmp_path, BOUND), cwd=tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_so_does_a_module_whatever_the_way_to_start_processes(tmp_path, method):
    script(tmp_path, WORK, method)
    check_refused(run("-m", "script", cwd=tmp_path))


def test_a_script_that_workers_cannot_import_ends_with_one_error_besides_what_they_print(tmp_path):
    """They fail before they reach the line that starts workers."""
    done = run(script(tmp_path, "import pathlib\npathlib.Path('made').mkdir()" + BOUND), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("FileExistsError: ") <= 2
    assert done.stderr.count("InvalidInputError: ") == 1
    assert "what the worker printed says why it ended" in done.stderr.splitlines()[-1]


def test_workers_of_others_that_import_the_script_are_told(tmp_path):
    """A pool of the standard library imports it, and would start workers of agtopt in turn."""
    pool = "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor(1).submit(abs, 1).exception()"
    done = run(script(tmp_path, f"if multiprocessing.current_process().name == 'MainProcess':\n    {indented(pool)}" + WORK), cwd=tmp_path)
    assert "InvalidInputError: executor: worker processes cannot start while their script is imported: every worker imports" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_the_guard_of_the_readme_runs(tmp_path, method):
    code = next(code for kind, code in blocks("README.md") if kind == "python" and "__main__" in code)
    problem = f"problem = agtopt.load({str(MODELS / 'removal-hinge')!r})\n"
    done = run(script(tmp_path, f"{problem}{code}    print(reach.domain.width() > 0)\n", method), cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


def test_code_without_a_file_needs_no_guard(tmp_path):
    """As in a notebook, there is no script that workers could import."""
    done = run("-c", "import agtopt" + WORK, cwd=tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("doubled 2\n", "", 0)
