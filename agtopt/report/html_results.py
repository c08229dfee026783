"""What follows from a domain as HTML: certificates, attacks, exported files, checks."""

import numpy as np
import pandas as pd

from agtopt.attacks import Attack, Degradation, Refutations
from agtopt.certificates import (
    CollectiveCertificate,
    DatasetCertificate,
    Ladder,
    PointCertificates,
    PrivatePredictions,
    Record,
    Release,
    Server,
    Witness,
)
from agtopt.certificates.verify import FAILS, HOLDS, UNCHECKED, Checks
from agtopt.compiler import Exported, ExportedSet
from agtopt.report.html import html
from agtopt.report.markup import facts, fold, section, table
from agtopt.report.solution import ImportedSolution


@html.register
def _(noun: PointCertificates) -> str:
    return section("Certificates of predictions", facts(_points(noun)), table(noun.table()))


def _points(noun: PointCertificates) -> dict[str, str]:
    words = {"problem": noun.problem.describe(), "bounds": f"{noun.method}, {noun.rigour}"}
    if noun.nominal is not None:
        counts = pd.Series(noun.verdicts).value_counts()
        words["predictions"] = (
            ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
            + f" of {len(noun.verdicts)}"
        )
        if noun.labels is not None:
            words["accuracy"] = (
                f"certified {noun.certified_accuracy:.4f}, attacked {noun.attacked_accuracy:.4f}, "
                f"nominal {noun.nominal_accuracy:.4f}"
            )
    return words


@html.register
def _(noun: DatasetCertificate) -> str:
    points = fold(f"{len(noun.points.queries)} points", table(noun.points.table()))
    return section(
        "Certificate of a test set", facts(_points(noun.points)), table(noun.table()), points
    )


@html.register
def _(noun: CollectiveCertificate) -> str:
    words = {
        "problem": noun.problem.describe(),
        "bounds": f"{noun.method}, {noun.rigour}",
        "changed at once": (
            f"at most {noun.bound} of {noun.points} predictions; {noun.attained} by a dataset that "
            "was trained on"
        ),
    }
    return section("Certificate of predictions together", facts(words))


@html.register
def _(noun: Attack) -> str:
    how = (
        "every admissible dataset: the exact hull"
        if noun.exact
        else "random, greedy and gradient attacks: a part of what is reachable"
    )
    box = noun.domain
    words = {
        "problem": noun.problem.describe(),
        "training runs": f"{noun.runs:,}, {how}",
        "domain": f"total width {box.width():.6g}",
    }
    names = noun.problem.network.parameter_names
    frame = pd.DataFrame(
        {"parameter": names, "least": box.lower, "most": box.upper, "width": box.upper - box.lower}
    )
    return section("What training attains", facts(words), table(frame))


@html.register
def _(noun: Refutations) -> str:
    words = {
        "problem": noun.problem.describe(),
        "predictions": (
            f"{int(noun.flipped.sum())} of {len(noun.classes)} changed by a dataset that was "
            "trained on"
        ),
        "training runs": f"{noun.attack.runs:,}",
    }
    frame = pd.DataFrame(
        {
            "class": noun.classes,
            "worst margin": noun.margins,
            "changed": noun.flipped,
            "run": noun.runs,
        }
    )
    return section("Attack on predictions", facts(words), table(frame))


@html.register
def _(noun: Degradation) -> str:
    words = {
        "problem": noun.problem.describe(),
        "mean loss": (
            f"{noun.nominal:.6g} on the nominal data, {noun.worst:.6g} after the worst of "
            f"{len(noun.losses):,} runs"
        ),
    }
    return section("Attack on the loss", facts(words))


@html.register
def _(noun: Witness) -> str:
    words = {
        "predicted": str(noun.predicted),
        "input": np.array2string(noun.point, precision=6, threshold=20),
    }
    return section("An admissible dataset that changes a prediction", facts(words))


@html.register
def _(noun: Exported) -> str:
    low, high = noun.optimum
    words = {
        "file": f"{noun.path} (beside it {noun.path.name}.names.csv)",
        "kind": str(noun.kind),
        "objective": f"{noun.target.sense} {noun.target.name}"
        + (", written as the minimum of its negative" * (noun.target.sense == "max")),
        "variables": f"{noun.size.binaries:,} binary, {noun.size.continuous:,} continuous",
        "constraints": f"{noun.size.linear:,} linear, {noun.size.quadratic:,} quadratic or more",
        "optimum of the file": f"between {low:.9g} and {high:.9g}"
        + ("" if noun.unit == 1.0 else f", in its unit of {noun.unit!r}"),
    }
    return section("Model for other solvers", facts(words))


@html.register
def _(noun: ExportedSet) -> str:
    return section(f"{len(noun)} models for other solvers", table(noun.table()))


@html.register
def _(noun: ImportedSolution) -> str:
    first, *lines = noun.describe().splitlines()
    return section(
        first, facts({name: value for name, _, value in (line.partition(": ") for line in lines)})
    )


@html.register
def _(noun: Record) -> str:
    words = {
        "problem": f"{noun.name} ({noun.problem[:12]}…)",
        "adversary": noun.perturbation,
        "bounds": f"{noun.method}, {noun.rigour}, in {noun.seconds:.2f} s",
        "claims": (
            f"{sum(noun.stable)} of {len(noun.stable)} predictions cannot be changed; "
            f"{len(noun.witnesses)} can, with witnesses"
        ),
        "found with": ", ".join(f"{name} {version}" for name, version in noun.versions.items()),
    }
    return section("Record of a certificate: claims until it is verified", facts(words))


@html.register
def _(noun: Checks) -> str:
    verdicts = [check.verdict for check in noun if check.verdict != UNCHECKED]
    total = (
        "some fail"
        if FAILS in verdicts
        else "all hold"
        if set(verdicts) == {HOLDS}
        else "none fails, not all are proved"
    )
    return section(f"{len(verdicts)} checks: {total}", table(noun.table()))


@html.register
def _(noun: Ladder) -> str:
    budgets = ", ".join(map(str, noun.budgets[:10])) + (
        f", … {noun.budgets[-1]}" if len(noun.budgets) > 10 else ""
    )
    return section(
        "Ladder of budgets", facts({"problem": noun.problem.describe(), "budgets": budgets})
    )


@html.register
def _(noun: Server) -> str:
    state = (
        "covered by the certificates"
        if noun.covered
        else "beyond the certificates: every answer must wait"
    )
    words = {
        "problem": noun.problem.describe(),
        "requested": (
            f"{len(noun.requested)} removals, {len(noun.pending)} of them pending: {state}"
        ),
        "remaining": f"{noun.remaining} more may be removed",
    }
    return section("Answers while removals are pending", facts(words))


@html.register
def _(noun: PrivatePredictions) -> str:
    # No prediction and no distance: they are private, and a notebook is published.
    words = {
        "problem": noun.problem.describe(),
        "predictions": f"{len(noun.prediction)}, private: only what release() returns may be shown",
    }
    return section("Predictions for private release", facts(words))


@html.register
def _(noun: Release) -> str:
    words = {
        "privacy loss": (
            f"ε = {noun.cost:g} ({noun.epsilon:g} for each of {len(noun.classes)} answers)"
        ),
        "mechanism": noun.mechanism
        + ("" if noun.cryptographic else ", with repeatable noise: a test, nothing to publish"),
        "hidden": noun.neighbours,
    }
    return section(
        "Private predictions", facts(words), table(pd.DataFrame({"class": noun.classes}))
    )
