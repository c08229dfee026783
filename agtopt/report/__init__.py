"""Tables and pictures."""

from agtopt.report import html_results as _results  # noqa: F401  (gives `html` its meaning for certificates)
from agtopt.report.compare import Comparison, compare
from agtopt.report.figures import ParameterIntervals, Regions, certified_regions, parameter_intervals, projection
from agtopt.report.html import html
from agtopt.report.plots import plot_boundaries, plot_comparison, plot_parameters, plot_projection, plot_regions
from agtopt.report.solution import ImportedSolution, import_solution

__all__ = [
    "Comparison",
    "ImportedSolution",
    "ParameterIntervals",
    "Regions",
    "certified_regions",
    "compare",
    "html",
    "import_solution",
    "parameter_intervals",
    "plot_boundaries",
    "plot_comparison",
    "plot_parameters",
    "plot_projection",
    "plot_regions",
    "projection",
]
