"""The command line."""

import sys

import typer
from rich.console import Console

from agtopt.cli.bounding import bound, compare
from agtopt.cli.certifying import certify, verify
from agtopt.cli.exporting import export, import_solution_file
from agtopt.cli.new import new
from agtopt.cli.telling import info, solvers
from agtopt.errors import AgtoptError

app = typer.Typer(
    help="How far can anyone who tampers with the training data push the trained model?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (new, info, bound, compare, certify, verify, export, solvers):
    app.command()(command)
app.command("import-solution")(import_solution_file)


def main() -> None:
    """Entry point: an AgtoptError is one line and exit code 2."""
    try:
        app()
    except AgtoptError as error:
        Console(stderr=True, soft_wrap=True).print(f"agtopt: {error}", style="bold red", markup=False, highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
