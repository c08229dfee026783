"""From a domain to what people want to know: which predictions no adversary can change."""

from agtopt.certificates.prediction import PointCertificates, certify

__all__ = ["PointCertificates", "certify"]
