"""The public names, and where each stands: `agtopt/__init__.py` reads this file."""

from . import domains as domains, errors as errors, kinds as kinds, problem as problem
from .attacks import (
    Attack as Attack,
    Degradation as Degradation,
    Refutations as Refutations,
    attack as attack,
    loss_attack as loss_attack,
    prediction_attack as prediction_attack,
)
from .certificates import (
    Account as Account,
    CollectiveCertificate as CollectiveCertificate,
    DatasetCertificate as DatasetCertificate,
    Ladder as Ladder,
    PointCertificates as PointCertificates,
    PrivatePredictions as PrivatePredictions,
    Record as Record,
    Release as Release,
    Server as Server,
    Witness as Witness,
    certified_history as certified_history,
    certify as certify,
    certify_dataset as certify_dataset,
    certify_end_to_end as certify_end_to_end,
    certify_together as certify_together,
    ladder as ladder,
    private_predictions as private_predictions,
    serve as serve,
    smooth_sensitivity as smooth_sensitivity,
    verify as verify,
)
from .compiler import (
    CompiledModel as CompiledModel,
    Exported as Exported,
    Target as Target,
    compile as compile,
    direction_target as direction_target,
    export as export,
    output_target as output_target,
    parameter_target as parameter_target,
)
from .domains import (
    Affine as Affine,
    Interval as Interval,
    KnownBounds as KnownBounds,
    Polytope as Polytope,
)
from .drivers import (
    OBBT as OBBT,
    Reach as Reach,
    Run as Run,
    Settings as Settings,
    bound as bound,
    bound_parts as bound_parts,
    bound_samplewise as bound_samplewise,
    processes as processes,
)
from .errors import (
    AgtoptError as AgtoptError,
    BudgetSpentError as BudgetSpentError,
    InfeasibleError as InfeasibleError,
    InvalidInputError as InvalidInputError,
    MissingFileError as MissingFileError,
    SaveError as SaveError,
    SaveWarning as SaveWarning,
    SolverUnavailableError as SolverUnavailableError,
    SoundnessError as SoundnessError,
    UnsupportedError as UnsupportedError,
)
from .kinds import (
    AFFINE as AFFINE,
    CROWN as CROWN,
    IBP as IBP,
    LP as LP,
    MILP as MILP,
    MINLP as MINLP,
    MIQCP as MIQCP,
    QCP as QCP,
)
from .notebook import (
    load_ipython_extension as load_ipython_extension,
    unload_ipython_extension as unload_ipython_extension,
)
from .problem import (
    Add as Add,
    AvgPool2d as AvgPool2d,
    Bounded as Bounded,
    Conv2d as Conv2d,
    Dataset as Dataset,
    Dense as Dense,
    Flatten as Flatten,
    LeakyReLU as LeakyReLU,
    Network as Network,
    Problem as Problem,
    ReLU as ReLU,
    Removal as Removal,
    Substitution as Substitution,
    Training as Training,
)
from .readers import (
    Columns as Columns,
    load as load,
    save as save,
)
from .report import (
    Comparison as Comparison,
    compare as compare,
    html as html,
    import_solution as import_solution,
)

__version__: str
