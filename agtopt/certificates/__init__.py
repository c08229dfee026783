"""From a domain, or the compiled run itself, to what people want to know: which predictions no adversary can change."""

from agtopt.certificates.dataset import DatasetCertificate, certified_history, certify_dataset
from agtopt.certificates.end_to_end import CollectiveCertificate, certify_end_to_end, certify_together
from agtopt.certificates.losses import LossBounds
from agtopt.certificates.points import PointCertificates
from agtopt.certificates.prediction import certify
from agtopt.certificates.record import Record
from agtopt.certificates.verify import Check, verify
from agtopt.certificates.witness import Witness

__all__ = [
    "Check",
    "CollectiveCertificate",
    "DatasetCertificate",
    "LossBounds",
    "PointCertificates",
    "Record",
    "Witness",
    "certified_history",
    "certify",
    "certify_dataset",
    "certify_end_to_end",
    "certify_together",
    "verify",
]
