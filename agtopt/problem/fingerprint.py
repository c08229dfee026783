"""Fingerprints: what binds checkpoints, records and attacks to a problem."""

from typing import Any

from agtopt.problem.encoding import digest

VERSION = "v2"
"""Of the encoding. Fingerprints of the first version joined their pieces without lengths, so that
two problems could share one."""


def fingerprint(parts: Any) -> str:
    """The version of the encoding and the SHA-256 of everything that defines a problem."""
    return f"{VERSION}-{digest(parts)}"


def mismatch(stored: str, current: str) -> str | None:
    """Why what was stored with one fingerprint does not belong to a problem with another, in words;
    None where it does."""
    if stored == current:
        return None
    if not stored.startswith(f"{VERSION}-"):
        return (
            "an earlier version of agtopt wrote it, whose fingerprints do not tell all problems "
            "apart; make it again"
        )
    return "it is of another problem"
