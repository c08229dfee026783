"""Views of agtopt's nouns in IPython and Jupyter.

They are registered by the names of the types, so that nothing is imported before a cell ends in
one.
"""

from importlib import import_module
from typing import Any

SHOWN = {
    "agtopt.attacks.runs": ("Attack",),
    "agtopt.attacks.targeted": ("Degradation", "Refutations"),
    "agtopt.certificates.dataset": ("DatasetCertificate",),
    "agtopt.certificates.end_to_end": ("CollectiveCertificate",),
    "agtopt.certificates.ladder": ("Ladder",),
    "agtopt.certificates.points": ("PointCertificates",),
    "agtopt.certificates.privacy": ("PrivatePredictions", "Release"),
    "agtopt.certificates.record": ("Record",),
    "agtopt.certificates.unlearning": ("Server",),
    "agtopt.certificates.verify": ("Checks",),
    "agtopt.certificates.witness": ("Witness",),
    "agtopt.compiler.model": ("CompiledModel",),
    "agtopt.compiler.exported": ("Exported", "ExportedSet"),
    "agtopt.domains.affine": ("Affine",),
    "agtopt.domains.interval": ("Interval",),
    "agtopt.domains.polytope": ("Polytope",),
    "agtopt.drivers.reach": ("Reach",),
    "agtopt.drivers.run": ("Run",),
    "agtopt.problem.dataset": ("Dataset",),
    "agtopt.problem.network": ("Network",),
    "agtopt.problem.problem": ("Problem",),
    "agtopt.report.compare": ("Comparison",),
    "agtopt.report.solution": ("ImportedSolution",),
    "agtopt.solvers.result": ("SolveResult",),
}
"""What has a view, by module; a test holds it against `agtopt.report.html`."""


def load_ipython_extension(ipython: Any) -> None:
    """Show agtopt's nouns as HTML: what ``import agtopt`` does in a notebook, and ``%load_ext
    agtopt`` anywhere; twice is safe."""
    formatter = ipython.display_formatter.formatters["text/html"]
    for module, names in SHOWN.items():
        for name in names:
            formatter.for_type_by_name(module, name, _view)


def unload_ipython_extension(ipython: Any) -> None:
    """Undo `load_ipython_extension`."""
    formatter = ipython.display_formatter.formatters["text/html"]
    for module, names in SHOWN.items():
        for name in names:
            formatter.pop(f"{module}.{name}", None)


def _view(noun: Any) -> str:
    text: str = import_module("agtopt.report").html(noun)
    return text
