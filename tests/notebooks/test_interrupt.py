"""A notebook whose kernel is interrupted while a bound is searched: the cell ends with what holds,
and can be run again."""

import inspect
import threading
import time

import nbformat
import pytest
from jupyter_core.utils import run_sync
from nbclient import NotebookClient

from tests.conftest import MODELS

CELLS = [
    f"import agtopt\nproblem = agtopt.load({str(MODELS / 'half-moons')!r})\npool = POOL",
    "reach = agtopt.bound(problem, 'MILP', conditional=False, executor=pool, progress=True)",
    "assert reach.interrupted and 0 < len(reach.rows) < 280\n"
    "assert reach.domain.contains(agtopt.attack(problem).theta, 1e-9)\n"
    "assert reach.domain.width() <= agtopt.bound(problem, 'IBP').domain.width() * (1 + 1e-12)",
    "reach",
    "again = agtopt.bound(problem, 'LP', window=1, conditional=False, tighten=False, "
    "executor=pool)\n"
    "assert not again.interrupted and 'lost' not in set(again.table()['status'])\n"
    "if pool is not None:\n    pool.shutdown()",
]


def shown(cell):
    return [
        output["data"].get("text/plain", "")
        for output in cell.get("outputs", ())
        if "data" in output
    ]


@pytest.mark.slow
@pytest.mark.parametrize("pool", ["None", "agtopt.processes(1)"], ids=["alone", "workers"])
def test_an_interrupted_cell_keeps_what_is_certified(pool):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code.replace("POOL", pool)) for code in CELLS]
    )
    client, (load, bound, check, view, again) = (
        NotebookClient(notebook, timeout=120, kernel_name="python3"),
        notebook.cells,
    )
    seen = []

    def interrupt():
        """As soon as the bar has bounds to tell of."""
        for _ in range(1000):
            seen.extend(text for text in shown(bound) if "bounds" in text)
            if seen:
                break
            time.sleep(0.05)
        stop = client.km.interrupt_kernel
        (run_sync(stop) if inspect.iscoroutinefunction(stop) else stop)()

    with client.setup_kernel():
        client.execute_cell(load, 0)
        thread = threading.Thread(target=interrupt)
        thread.start()
        client.execute_cell(bound, 1)
        thread.join()
        client.execute_cell(check, 2)
        client.execute_cell(view, 3)
        client.execute_cell(again, 4)
    assert "/280 bounds, " in seen[0]
    assert "ipywidgets" not in str(bound)
    assert (
        "interrupted: what stands here holds all the same" in view.outputs[0]["data"]["text/html"]
    )
