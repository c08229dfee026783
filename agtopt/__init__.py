"""agtopt: how far can anyone who tampers with the training data push the trained model?"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agtopt.domains import Interval, KnownBounds, Polytope
from agtopt.errors import (
    AgtoptError,
    BudgetSpentError,
    InfeasibleError,
    InvalidInputError,
    MissingFileError,
    SaveError,
    SaveWarning,
    SolverUnavailableError,
    SoundnessError,
    UnsupportedError,
)
from agtopt.kinds import CROWN, IBP, LP, MILP, MINLP, MIQCP, QCP
from agtopt.notebook import load_ipython_extension, unload_ipython_extension
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
    __version__: str
    from agtopt.attacks import (
        Attack,
        Degradation,
        Refutations,
        attack,
        loss_attack,
        prediction_attack,
    )
    from agtopt.certificates import (
        Account,
        CollectiveCertificate,
        DatasetCertificate,
        Ladder,
        PointCertificates,
        PrivatePredictions,
        Record,
        Release,
        Server,
        Witness,
        certified_history,
        certify,
        certify_dataset,
        certify_end_to_end,
        certify_together,
        ladder,
        private_predictions,
        serve,
        smooth_sensitivity,
        verify,
    )
    from agtopt.compiler import (
        CompiledModel,
        Exported,
        Target,
        compile,
        direction_target,
        export,
        output_target,
        parameter_target,
    )
    from agtopt.drivers import (
        OBBT,
        Reach,
        Run,
        Settings,
        bound,
        bound_parts,
        bound_samplewise,
        processes,
    )
    from agtopt.readers import Columns, load, save
    from agtopt.report import Comparison, compare, html, import_solution

# torch, Pyomo and pandas take seconds to import: they wait until they are needed.
_LATER = {
    **dict.fromkeys(
        ("Attack", "Degradation", "Refutations", "attack", "loss_attack", "prediction_attack"),
        "agtopt.attacks",
    ),
    **dict.fromkeys(
        (
            "Account",
            "CollectiveCertificate",
            "DatasetCertificate",
            "Ladder",
            "PointCertificates",
            "PrivatePredictions",
            "Record",
            "Release",
            "Server",
            "Witness",
            "certified_history",
            "certify",
            "certify_dataset",
            "certify_end_to_end",
            "certify_together",
            "ladder",
            "private_predictions",
            "serve",
            "smooth_sensitivity",
            "verify",
        ),
        "agtopt.certificates",
    ),
    **dict.fromkeys(
        (
            "CompiledModel",
            "Exported",
            "Target",
            "compile",
            "direction_target",
            "export",
            "output_target",
            "parameter_target",
        ),
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
    "Columns": "agtopt.readers",
    "load": "agtopt.readers",
    "save": "agtopt.readers",
    "Comparison": "agtopt.report",
    "compare": "agtopt.report",
    "html": "agtopt.report",
    "import_solution": "agtopt.report",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("agtopt")
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'agtopt' has no attribute {name!r}")


def _show_in_notebook() -> None:
    # Only where a shell runs already, as in every notebook: a script imports no IPython for this.
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None:
        load_ipython_extension(shell)


_show_in_notebook()


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
    "Account",
    "Add",
    "AgtoptError",
    "Attack",
    "AvgPool2d",
    "Bounded",
    "BudgetSpentError",
    "CollectiveCertificate",
    "Columns",
    "Comparison",
    "CompiledModel",
    "Conv2d",
    "Dataset",
    "DatasetCertificate",
    "Degradation",
    "Dense",
    "Exported",
    "Flatten",
    "InfeasibleError",
    "Interval",
    "InvalidInputError",
    "KnownBounds",
    "Ladder",
    "LeakyReLU",
    "MissingFileError",
    "Network",
    "PointCertificates",
    "Polytope",
    "PrivatePredictions",
    "Problem",
    "ReLU",
    "Reach",
    "Record",
    "Refutations",
    "Release",
    "Removal",
    "Run",
    "SaveError",
    "SaveWarning",
    "Server",
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
    "ladder",
    "load",
    "load_ipython_extension",
    "loss_attack",
    "output_target",
    "parameter_target",
    "prediction_attack",
    "private_predictions",
    "processes",
    "save",
    "serve",
    "smooth_sensitivity",
    "unload_ipython_extension",
    "verify",
]
