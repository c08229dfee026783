"""The fingerprint of a problem: what binds checkpoints, records and attacks to it."""

from typing import TYPE_CHECKING

from agtopt.problem.encoding import digest

if TYPE_CHECKING:
    from agtopt.problem.problem import Problem

VERSION = "v2"
"""Of the encoding. Fingerprints of the first version joined their pieces without lengths, so that two problems could share one."""


def fingerprint(problem: "Problem") -> str:
    """The version and the SHA-256 of everything that defines a problem but its name."""
    network, data = problem.network, problem.dataset
    layers = [(node, network.layer(node), network.inputs_of(node)) for node in network.nodes]
    parts = (layers, network.input_shape, network.initial, data.features, data.labels, problem.perturbation, problem.training)
    return f"{VERSION}-{digest(parts)}"


def mismatch(stored: str, problem: "Problem") -> str | None:
    """Why what was stored with a fingerprint does not belong to a problem, in words; None where it does."""
    if stored == problem.fingerprint:
        return None
    if not stored.startswith(f"{VERSION}-"):
        return "an earlier version of agtopt wrote it, whose fingerprints do not tell all problems apart; make it again"
    return "it is of another problem"
