"""Where a bound or a model excludes what a training run attains: the instance is saved, and a
SoundnessError says where (S4, S9)."""

import json
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

from agtopt.compiler import CompiledModel
from agtopt.compiler.export import holds_functions
from agtopt.domains import excluded
from agtopt.drivers.task import Task
from agtopt.errors import InfeasibleError, SaveError, SoundnessError
from agtopt.files import saving, write_text
from agtopt.problem import Dataset
from agtopt.solvers import PROVED
from agtopt.solvers.objective import objective_unit
from agtopt.tolerances import AGREEMENT, FEASIBILITY, INTEGRALITY, RELATIVE_GAP, ROUNDING


def check_known(task: Task) -> None:
    """Compare the bound that holds before any solve with what is attained.

    Raises
    ------
    SoundnessError
        If it excludes that.
    """
    if excluded(task.known, task.attained, task.sense, room_of(task.rigour), task.unit):
        raise SoundnessError(
            f"S9: the bound {task.known} on {_words(task)} excludes {task.attained}, which a "
            f"training run attains"
        )


def check_found(task: Task, bound: float, rigour: str, model: CompiledModel) -> None:
    """Compare the bound of a model with what is attained.

    Raises
    ------
    SoundnessError
        If it excludes that; the instance is saved.
    """
    room = room_of(task.rigour if rigour == PROVED else rigour)
    if excluded(bound, task.attained, task.sense, room, objective_unit(model.pyomo.objective.expr)):
        raise SoundnessError(
            f"S9: the {model.kind} bound {bound} on {_words(task)} excludes {task.attained}, "
            f"which a training run attains; the instance {saved_instance(task, model)}"
        )


def check_run(task: Task, dataset: Dataset, model: CompiledModel) -> None:
    """Whether a model holds the training run on a dataset: its boxes, rows and cuts together.

    Raises
    ------
    InfeasibleError
        If it does not; the instance is saved.
    """
    model.assign(dataset)
    violation = model.violation()
    if not violation <= AGREEMENT:
        raise InfeasibleError(
            f"S9: the {model.kind} of steps {task.stage.start}…{task.stage.stop} does not hold an "
            f"admissible training run, which violates "
            f"it by {violation:.3g}; the instance {saved_instance(task, model)}"
        )


def room_of(rigour: str) -> float:
    """What a bound may exclude of a run: rounding, or what is granted to the word of a solver."""
    return ROUNDING if rigour == PROVED else AGREEMENT


def _words(task: Task) -> str:
    return task.objective.name + (
        f" after step {task.stage.stop}" if task.objective.address is None else ""
    )


def saved_instance(task: Task, model: CompiledModel) -> str:
    """Where the model is saved, beside what a solver was asked; a full disk does not hide the
    contradiction."""
    try:
        return f"is saved in {_write_instance(task, model)}"
    except SaveError as error:
        return f"is not kept: {error}"


def _write_instance(task: Task, model: CompiledModel) -> Path:
    stage = task.stage
    with saving("the instance"):
        folder = Path(mkdtemp(prefix="agtopt-unsound-"))
    options = {
        "kind": str(model.kind),
        "steps": [stage.start, stage.stop],
        "objective": task.objective.name,
        "sense": task.sense,
        "attained": task.attained,
        "solver": stage.solver or "default",
        "time_limit": stage.time_limit,
        "feasibility": FEASIBILITY,
        "integrality": INTEGRALITY,
        "relative_gap": RELATIVE_GAP,
        "packages": {name: version(name) for name in ("pyomo", "highspy", "pyscipopt")},
    }
    write_text(folder / "options.json", json.dumps(options, indent=2))
    return model.write(folder / ("instance.nl" if holds_functions(model.pyomo) else "instance.mps"))
