"""From a domain, or the compiled run itself, to what people want to know: which predictions no
adversary can change."""

from agtopt.certificates.account import Account
from agtopt.certificates.dataset import DatasetCertificate, certified_history, certify_dataset
from agtopt.certificates.end_to_end import (
    CollectiveCertificate,
    certify_end_to_end,
    certify_together,
)
from agtopt.certificates.ladder import Ladder, ladder
from agtopt.certificates.losses import LossBounds
from agtopt.certificates.points import PointCertificates
from agtopt.certificates.prediction import certify
from agtopt.certificates.privacy import (
    CAUCHY,
    LAPLACE,
    PrivatePredictions,
    Release,
    private_predictions,
    smooth_sensitivity,
)
from agtopt.certificates.record import Record
from agtopt.certificates.unlearning import Answers, Server, serve
from agtopt.certificates.verify import Check, Checks, verify
from agtopt.certificates.witness import Witness

__all__ = [
    "CAUCHY",
    "LAPLACE",
    "Account",
    "Answers",
    "Check",
    "Checks",
    "CollectiveCertificate",
    "DatasetCertificate",
    "Ladder",
    "LossBounds",
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
]
