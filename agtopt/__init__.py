"""agtopt: how far can anyone who tampers with the training data push the trained model?"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from agtopt.domains import Interval, KnownBounds, Polytope
from agtopt.errors import (
    AgtoptError,
    InfeasibleError,
    InvalidInputError,
    MissingFileError,
    SolverUnavailableError,
    SoundnessError,
    UnsupportedError,
)
from agtopt.kinds import CROWN, IBP, LP, MILP, MINLP, MIQCP, QCP
from agtopt.problem import (
    Add,
    AvgPool2d,
    Bounded,
    Conv2d,
    Dataset,
    Dense,
    Flatten,
    LeakyReLU,
    Network,
    Problem,
    ReLU,
    Removal,
    Substitution,
    Training,
)

if TYPE_CHECKING:
    from agtopt.attacks import Attack, attack
    from agtopt.certificates import (
        CollectiveCertificate,
        DatasetCertificate,
        PointCertificates,
        Record,
        Witness,
        certified_history,
        certify,
        certify_dataset,
        certify_end_to_end,
        certify_together,
        verify,
    )
    from agtopt.compiler import CompiledModel, Exported, Target, compile, direction_target, export, output_target, parameter_target
    from agtopt.drivers import OBBT, Reach, Run, Settings, bound, bound_parts, bound_samplewise, processes
    from agtopt.readers import load, save
    from agtopt.report import Comparison, compare, html, import_solution
    from agtopt.report.html import load_ipython_extension, unload_ipython_extension

__version__ = "0.1.0"

# torch, Pyomo and pandas take seconds to import: they wait until they are needed.
_LATER = {
    "Attack": "agtopt.attacks",
    "attack": "agtopt.attacks",
    **dict.fromkeys(
        (
            "CollectiveCertificate",
            "DatasetCertificate",
            "PointCertificates",
            "Record",
            "Witness",
            "certified_history",
            "certify",
            "certify_dataset",
            "certify_end_to_end",
            "certify_together",
            "verify",
        ),
        "agtopt.certificates",
    ),
    **dict.fromkeys(
        ("CompiledModel", "Exported", "Target", "compile", "direction_target", "export", "output_target", "parameter_target"),
        "agtopt.compiler",
    ),
    "OBBT": "agtopt.drivers",
    "Reach": "agtopt.drivers",
    "Run": "agtopt.drivers",
    "Settings": "agtopt.drivers",
    "bound": "agtopt.drivers",
    "bound_parts": "agtopt.drivers",
    "bound_samplewise": "agtopt.drivers",
    "processes": "agtopt.drivers",
    "load": "agtopt.readers",
    "save": "agtopt.readers",
    "Comparison": "agtopt.report",
    "compare": "agtopt.report",
    "html": "agtopt.report",
    "import_solution": "agtopt.report",
    "load_ipython_extension": "agtopt.report.html",
    "unload_ipython_extension": "agtopt.report.html",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'agtopt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "CROWN",
    "IBP",
    "LP",
    "MILP",
    "MINLP",
    "MIQCP",
    "OBBT",
    "QCP",
    "Add",
    "AgtoptError",
    "Attack",
    "AvgPool2d",
    "Bounded",
    "CollectiveCertificate",
    "Comparison",
    "CompiledModel",
    "Conv2d",
    "Dataset",
    "DatasetCertificate",
    "Dense",
    "Exported",
    "Flatten",
    "InfeasibleError",
    "Interval",
    "InvalidInputError",
    "KnownBounds",
    "LeakyReLU",
    "MissingFileError",
    "Network",
    "PointCertificates",
    "Polytope",
    "Problem",
    "ReLU",
    "Reach",
    "Record",
    "Removal",
    "Run",
    "Settings",
    "SolverUnavailableError",
    "SoundnessError",
    "Substitution",
    "Target",
    "Training",
    "UnsupportedError",
    "Witness",
    "attack",
    "bound",
    "bound_parts",
    "bound_samplewise",
    "certified_history",
    "certify",
    "certify_dataset",
    "certify_end_to_end",
    "certify_together",
    "compare",
    "compile",
    "direction_target",
    "export",
    "html",
    "import_solution",
    "load",
    "load_ipython_extension",
    "output_target",
    "parameter_target",
    "processes",
    "save",
    "unload_ipython_extension",
    "verify",
]
