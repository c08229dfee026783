"""The command line."""

import sys

import typer

from agtopt.cli.bounding import bound, compare
from agtopt.cli.certifying import certify, verify
from agtopt.cli.exporting import export, import_solution_file
from agtopt.cli.new import new
from agtopt.cli.telling import info, solvers
from agtopt.cli.unsaved import UNSAVED, complain, reporting
from agtopt.errors import AgtoptError, SaveError

app = typer.Typer(
    help="How far can anyone who tampers with the training data push the trained model?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (new, info, bound, compare, certify, verify, export, solvers):
    app.command()(reporting(command))
app.command("import-solution")(reporting(import_solution_file))


def main() -> None:
    """Entry point: an AgtoptError is one line and exit code 2, or `UNSAVED` if it is that a file
    could not be written."""
    try:
        app()
    except AgtoptError as error:
        complain(str(error))
        sys.exit(UNSAVED if isinstance(error, SaveError) else 2)
    except KeyboardInterrupt:
        sys.exit(130)
