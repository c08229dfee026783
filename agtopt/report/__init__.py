"""Tables and pictures."""

from agtopt.report import html_results as _results  # noqa: F401  (gives `html` its meaning for certificates)
from agtopt.report.bands import Band, band, plot_bands
from agtopt.report.cells import Cell, Outcome
from agtopt.report.compare import Comparison, Instance, compare
from agtopt.report.figures import (
    ParameterIntervals,
    Regions,
    certified_regions,
    parameter_intervals,
    projection,
)
from agtopt.report.html import html
from agtopt.report.plots import (
    plot_boundaries,
    plot_comparison,
    plot_parameters,
    plot_projection,
    plot_regions,
)
from agtopt.report.solution import ImportedSolution, import_solution
from agtopt.report.tables import save_table
from agtopt.report.trajectories import plot_trajectory, plot_widths, step_widths

__all__ = [
    "Band",
    "Cell",
    "Comparison",
    "ImportedSolution",
    "Instance",
    "Outcome",
    "ParameterIntervals",
    "Regions",
    "band",
    "certified_regions",
    "compare",
    "html",
    "import_solution",
    "parameter_intervals",
    "plot_bands",
    "plot_boundaries",
    "plot_comparison",
    "plot_parameters",
    "plot_projection",
    "plot_regions",
    "plot_trajectory",
    "plot_widths",
    "projection",
    "save_table",
    "step_widths",
]
