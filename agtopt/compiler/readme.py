"""What a person reads beside exported model files."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from agtopt.compiler.exported import Exported
from agtopt.compiler.target import Target
from agtopt.names import markdown
from agtopt.problem import Problem


@dataclass(frozen=True)
class Program:
    """A program that solves a file.

    Parameters
    ----------
    words : tuple of str
        Of its command.
    quadratic : bool
        Whether its optima of files with nonconvex products are global.
    functions : bool
        Whether it reads ``.nl`` files, in which exponentials and logarithms stay.
    """

    words: tuple[str, ...]
    quadratic: bool = False
    functions: bool = False


PROGRAMS = {
    "highs": Program(("highs", "--solution_file", "{stem}.sol", "{file}")),
    "cbc": Program(("cbc", "{file}", "solve", "solution", "{stem}.sol")),
    "glpk": Program(("glpsol", "--{format}", "{file}", "-o", "{stem}.txt")),
    "scip": Program(
        ("scip", "-c", "read {file} optimize write solution {stem}.sol quit"),
        quadratic=True,
        functions=True,
    ),
    "gurobi": Program(("gurobi_cl", "ResultFile={stem}.sol", "{file}"), quadratic=True),
}

_PLAIN = re.compile(r"[\w.+,:~\[\]-]+")


def commands(exported: Exported) -> dict[str, str]:
    """By program the shell command that solves a file; only programs that read its format and
    kind."""
    path = exported.path
    words = {
        "file": path.name,
        "stem": path.stem,
        "format": "lp" if path.suffix == ".lp" else "freemps",
    }
    if path.suffix == ".gms":
        return {"gams": f"gams {quote(path.name)}"}
    return {
        name: " ".join(quote(word.format(**words)) for word in program.words)
        for name, program in PROGRAMS.items()
        if (program.functions or path.suffix != ".nl")
        and (program.quadratic or not exported.size.quadratic)
    }


def readme(problem: Problem, exported: Sequence[Exported], conditional: bool) -> str:
    """The README of some files of one problem."""
    first = exported[0]
    tried = (
        ", here after trying every admissible dataset."
        if first.exact
        else ", as far as attacks found."
    )
    lines = [
        f"# {markdown(problem.name)}",
        "",
        f"{markdown(problem.describe())}.",
        "",
        "Each file asks how small or how large a number that training produces can become, over "
        "every dataset that the adversary can make",
        "of the training data: a parameter after the last step, a weighted sum of parameters, or "
        "an output of the trained network. Every",
        "file minimises; for `max` it minimises the negative, so the bound is minus the optimum. "
        "Kinds that relax (LP, QCP, MILP) are at",
        "least as wide as the truth: a *dual* bound holds for every admissible training run, an "
        "incumbent proves nothing.",
        "",
        "The optimum of a file lies between the last two columns: the interval bound (valid "
        "whatever a solver says) and the best value",
        f"that a training run attains{tried}",
        "",
        "| file | kind | objective | binaries | continuous | linear | quadratic | nominal | "
        "optimum at least | optimum at most |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in exported:
        low, high = each.optimum
        counts = " | ".join(str(count) for count in vars(each.size).values())
        objective = f"{each.target.sense} {markdown(each.target.name)}"
        lines.append(
            f"| {_code(each.path.name)} | {each.kind} | {objective} | {counts} | "
            f"{each.nominal:.9g} | {low:.9g} | {high:.9g} |"
        )
    lines += [
        "",
        "`nominal` is the objective, in its own sign, after training on the data as they are; the "
        "optima are those of the file.",
        "Each `<file>.names.csv` gives for every name in a file the name in Pyomo: block, "
        "quantity, sample and unit, e.g.",
        "`data.selector[3]` (whether sample 3 is touched) or `parameter[2].dense1_weight[0,1]` (a "
        "weight after step 2).",
        "`c_u_<name>_` and `c_l_<name>_` are the upper and lower side of the constraint `<name>`. "
        "In `.nl` files all are",
        "numbered; `.col` and `.row` name them too.",
        *_units(exported),
        ""
        if conditional
        else "\nWritten without the cuts of conditional bounds (`--no-conditional`).",
        "## How to solve",
        "",
    ]
    for each in {
        (each.path.suffix, each.size.quadratic > 0): each for each in reversed(exported)
    }.values():
        lines += [
            f"{_code(each.path.name)} ({each.kind}):",
            "",
            "```console",
            *commands(each).values(),
            "```",
            "",
        ]
    kind, option = str(first.kind), "" if conditional else " --no-conditional"
    lines += [
        "Then, with the folder of the problem, see what the solution means by real training on the "
        "data that it stands for",
        "(solution files of HiGHS, SCIP, Gurobi and CBC):",
        "",
        "```console",
        f"agtopt import-solution FOLDER {quote(first.path.stem + '.sol')} --kind {kind}{option}"
        + _asked(problem, first.target),
        "```",
        "",
    ]
    return "\n".join(lines)


def _units(exported: Sequence[Exported]) -> list[str]:
    """What the units of the files are."""
    lines = [
        "The last column of `<file>.names.csv` is the unit of a variable: a power of two, 1 for "
        "ordinary sizes. Its value times",
        "the unit is what `<name>` stands for; such a variable is called `<name>_in_units`. "
        "`agtopt import-solution` undoes units.",
    ]
    scaled = [each for each in exported if each.unit != 1.0]
    if scaled:
        words = ", ".join(f"`{each.path.name}` {each.unit!r}" for each in scaled)
        lines.append(
            f"Objectives have units too, and the optima above are in them, as the files state "
            f"them: {words}."
        )
    return lines


def _asked(problem: Problem, target: Target) -> str:
    """The options that name a target on the command line."""
    sense = f" --sense {target.sense}"
    if target.query is not None:
        return f"{sense} --point POINT.npz" + (
            f" --output {target.direction.argmax()}" if len(target.direction) > 1 else ""
        )
    weights = {
        name: weight
        for name, weight in zip(problem.network.parameter_names, target.direction, strict=True)
        if weight
    }
    if set(weights.values()) == {1.0} and len(weights) == 1:
        return f"{sense} --parameter {quote(next(iter(weights)))}"
    # Quotes within quotes only where a name needs them: the command line splits as a shell does.
    words = (
        f"{name if _PLAIN.fullmatch(name) else quote(name)}={weight:.17g}"
        for name, weight in weights.items()
    )
    return f"{sense} --direction {quote(' '.join(words))}"


def _code(name: str) -> str:
    return f"`{name}`" if _PLAIN.fullmatch(name) else markdown(name)
