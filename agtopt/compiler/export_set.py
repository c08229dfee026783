"""Model files for other solvers with all that a person needs beside them: names, and a README."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agtopt.arguments import typed
from agtopt.attacks import Attack, attack
from agtopt.compiler.compile import compile
from agtopt.compiler.export import ENDINGS, WITH_FUNCTIONS, check_path, write_model
from agtopt.compiler.exported import Exported, ExportedSet
from agtopt.compiler.model import CompiledModel
from agtopt.compiler.readme import readme
from agtopt.compiler.target import Target, all_targets
from agtopt.errors import InvalidInputError, UnsupportedError
from agtopt.files import replaced, saving, write_text
from agtopt.kinds import Formulation, kind_named
from agtopt.names import digest
from agtopt.problem import Problem
from agtopt.problem.checks import instance, listed
from agtopt.spreadsheet import write_csv
from agtopt.training.concrete import trajectory


@typed()
def export(
    problem: Problem,
    folder: str | Path,
    kinds: Sequence[str | Formulation] = ("MILP",),
    targets: Sequence[str | Target] | None = None,
    endings: Sequence[str] = (".mps",),
    conditional: bool = True,
) -> ExportedSet:
    """Write every combination of kinds, objectives and formats, with names and one README, for any
    other solver.

    Parameters
    ----------
    problem : Problem
    folder : str or Path
        Made if its parent exists; files of the same name are replaced.
    kinds : sequence of str or Formulation
        LP, QCP, MILP, MIQCP or MINLP.
    targets : sequence of str or Target, optional
        What to minimise or maximise: the name of a parameter stands for both its minimum and its
        maximum; see also `parameter_target`, `direction_target` and `output_target`. By default
        every parameter that varies.
    endings : sequence of str
        ``.lp``, ``.mps``, ``.nl`` (AMPL) or ``.gms`` (GAMS).
    conditional : bool
        As in `agtopt.compile`.

    Returns
    -------
    ExportedSet
        A tuple of one `Exported` per file, with a ``table()``.

    Raises
    ------
    InvalidInputError
        If a kind, target or ending is not allowed, or two targets have the same name and sense.
    UnsupportedError
        If a format cannot hold a kind (exponentials in ``.lp`` or ``.mps``).
    """
    instance("problem", problem, Problem)
    listed("kinds", kinds, '["LP", "MILP"]')
    listed("endings", endings, '[".lp", ".mps"]')
    if targets is not None:
        listed("targets", targets, '["dense1_bias[0]"]')
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise InvalidInputError(f"folder: {str(path)!r} is a file")
    if not path.parent.is_dir():
        raise InvalidInputError(f"folder: the folder {str(path.parent)!r} does not exist")
    if not kinds or not endings or (targets is not None and not targets):
        raise InvalidInputError(
            "export: no kind, target or ending is left; name at least one of each"
        )
    formulations = dict.fromkeys(_formulation(kind, ending) for kind in kinds for ending in endings)
    inner, exported = attack(problem), list[Exported]()
    for kind in formulations:
        model = compile(problem, kind, conditional=conditional)
        wanted = _targets(model, targets)
        slugs = _slugs(wanted)
        with saving(path):
            path.mkdir(exist_ok=True)
        for target in wanted:
            chosen = (
                model if target.query is None else compile(problem, kind, conditional=conditional)
            )
            stem = f"{str(kind).replace(':', '-')}.{slugs[target.name]}.{target.sense}"
            exported += [
                _write(chosen, target, path / f"{stem}{ending}", inner)
                for ending in dict.fromkeys(endings)
            ]
    write_text(path / "README.md", readme(problem, exported, conditional))
    return ExportedSet(exported)


def export_file(
    problem: Problem,
    path: str | Path,
    target: Target,
    kind: str | Formulation = "MILP",
    conditional: bool = True,
) -> Exported:
    """Write one model with its names, ``<path>.names.csv``, and a README, ``<path>.md``.

    Parameters
    ----------
    problem : Problem
    path : str or Path
        Ends in ``.lp``, ``.mps``, ``.nl`` or ``.gms``.
    target : Target
    kind, conditional
        As in `agtopt.compile`.

    Raises
    ------
    InvalidInputError
        If the path, target or kind is not allowed.
    UnsupportedError
        If the format cannot hold the kind.
    """
    file = Path(path)
    check_path(file)
    exported = _write(
        compile(problem, _formulation(kind, file.suffix), conditional=conditional),
        target,
        file,
        attack(problem),
    )
    write_text(file.with_name(file.name + ".md"), readme(problem, [exported], conditional))
    return exported


def _formulation(kind: str | Formulation, ending: str) -> Formulation:
    formulation = kind_named(kind)
    if not isinstance(formulation, Formulation):
        raise InvalidInputError(
            f"kind: {formulation} has no model to export; allowed are LP, QCP, MILP, MIQCP and "
            f"MINLP"
        )
    if ending not in ENDINGS:
        raise InvalidInputError(
            f"ending: {ending!r} is not allowed; it must be one of {', '.join(ENDINGS)}"
        )
    if formulation.functions and ending not in WITH_FUNCTIONS:
        raise UnsupportedError(
            f"ending: {ending} files hold no exponentials; {formulation} takes "
            f"{' or '.join(WITH_FUNCTIONS)}"
        )
    return formulation


def _targets(model: CompiledModel, targets: Sequence[str | Target] | None) -> list[Target]:
    if targets is None:
        return all_targets(model)
    chosen: list[Target] = []
    for target in targets:
        chosen += [target] if isinstance(target, Target) else all_targets(model, (target,))
    asked = Counter((target.name, target.sense) for target in chosen)
    (name, sense), times = asked.most_common(1)[0]
    if times > 1:
        raise InvalidInputError(
            f"targets: two have the name {name!r} and the sense {sense}; give each a name of its "
            f"own"
        )
    return chosen


def _slugs(targets: Sequence[Target]) -> dict[str, str]:
    """The part of a file's name by the names of targets: different ones differ."""
    slugs = {target.name: target.slug for target in targets}
    times = Counter(slugs.values())
    return {
        name: slug if times[slug] == 1 else f"{slug}~{digest(name)}" for name, slug in slugs.items()
    }


def _write(model: CompiledModel, target: Target, path: Path, inner: Attack) -> Exported:
    target.minimise(model)
    written = write_model(model.pyomo, path)
    units = {**model.units, "objective": written.unit}
    rows = ((symbol, name, repr(units.get(name, 1.0))) for symbol, name in written.names.items())
    with replaced(path.with_name(path.name + ".names.csv")) as part:
        write_csv(part, ("file", "pyomo", "unit"), rows)
    problem = model.problem
    values = target.values(problem, inner.theta)
    lower, upper = target.ends(model)
    best = values.min() if target.sense == "min" else values.max()
    return Exported(
        path,
        model.kind,
        target,
        model.size,
        lower,
        upper,
        float(target.values(problem, trajectory(problem)[-1:])[0]),
        float(best),
        inner.exact,
        written.unit,
    )
