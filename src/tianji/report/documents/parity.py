"""JSON of a judgement of parity: runs with runs, or dumps with dumps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypedDict

from tianji.migration.parity import DumpComparison, Parity
from tianji.report.documents.checked_lines import dumps_line, parity_line
from tianji.report.documents.three_lines import BottomLineDocument

POINTS = 400
"""Points of a curve that a document keeps: more than a plot can show."""


class ComparedRunDocument(TypedDict):
    """One of two runs."""

    name: str
    kind: str
    steps: int


class ParityCheckDocument(TypedDict):
    """One check by a named standard."""

    name: str
    outcome: str
    value: float | None
    limit: str
    noise: float | None
    """How far repeats of the reference lie apart; null: there are none."""
    says: str
    source: str


class DivergenceDocument(TypedDict):
    """Where the runs first differ by more than noise."""

    step: int
    stage: str
    value: float | None
    allowed: float


class LossCurvesDocument(TypedDict):
    """Losses of both runs at the same steps, thinned out."""

    steps: list[int]
    reference: list[float | None]
    candidate: list[float | None]


class MoveParityDocument(TypedDict):
    """A run judged by a reference."""

    document: Literal["migration_parity"]
    bottom_line: BottomLineDocument
    outcome: str
    reference: ComparedRunDocument
    candidate: ComparedRunDocument
    steps: int
    first_step: int
    last_step: int
    repeats: int
    precision: str
    checks: list[ParityCheckDocument]
    divergence: DivergenceDocument | None
    open: list[str]
    """What no standard settles."""
    curves: LossCurvesDocument


class DumpCallDocument(TypedDict):
    """One call of an operator or a module in both dumps."""

    name: str
    flag: str
    input_difference: float | None
    output_difference: float | None
    reason: str
    is_close: bool


class FirstCallDocument(DumpCallDocument):
    """The first call whose input agrees and whose output does not."""

    parent: str
    stack: str


class MoveDumpsDocument(TypedDict):
    """Two dumps of msprobe, compared call by call."""

    document: Literal["migration_dumps"]
    bottom_line: BottomLineDocument
    outcome: str
    reference: str
    candidate: str
    calls: int
    red: int
    yellow: int
    close: int
    missing: list[str]
    first: FirstCallDocument | None
    flagged: list[DumpCallDocument]


def parity_document(parity: Parity) -> MoveParityDocument:
    """Return the judgement of a run by a reference. Numbers that are not finite are null."""
    divergence = parity.divergence
    return {
        "document": "migration_parity",
        "bottom_line": parity_line(
            parity.outcome.value,
            sum(check.outcome.value == "fail" for check in parity.checks),
            len(parity.checks),
            len(parity.steps),
            parity.num_repeats,
        ),
        "outcome": parity.outcome.value,
        "reference": {
            "name": parity.reference.name,
            "kind": parity.reference.kind,
            "steps": len(parity.reference.losses),
        },
        "candidate": {
            "name": parity.candidate.name,
            "kind": parity.candidate.kind,
            "steps": len(parity.candidate.losses),
        },
        "steps": len(parity.steps),
        "first_step": parity.steps[0],
        "last_step": parity.steps[-1],
        "repeats": parity.num_repeats,
        "precision": parity.precision,
        "checks": [
            {
                "name": check.name,
                "outcome": check.outcome.value,
                "value": _finite(check.value),
                "limit": check.limit,
                "noise": _finite(check.noise),
                "says": check.says,
                "source": check.source,
            }
            for check in parity.checks
        ],
        "divergence": None
        if divergence is None
        else {
            "step": divergence.step,
            "stage": divergence.stage,
            "value": _finite(divergence.value),
            "allowed": divergence.allowed,
        },
        "open": list(parity.open_questions),
        "curves": {
            "steps": (steps := _thin(parity.steps)),
            "reference": [_finite(parity.reference.losses[step]) for step in steps],
            "candidate": [_finite(parity.candidate.losses[step]) for step in steps],
        },
    }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _thin(steps: Sequence[int]) -> list[int]:
    if len(steps) <= POINTS:
        return list(steps)
    return [steps[round(i * (len(steps) - 1) / (POINTS - 1))] for i in range(POINTS)]


def dump_document(reference: str, candidate: str, compared: DumpComparison) -> MoveDumpsDocument:
    """Return how the calls of two dumps compare; only those with a flag are listed."""
    flagged = [call for call in compared.calls if call.flag]
    outcome, yellow = "fail" if compared.num_red or compared.first else "pass", len(flagged) - compared.num_red
    first = compared.first.name if compared.first else None
    return {
        "document": "migration_dumps",
        "bottom_line": dumps_line(outcome, len(compared.calls), compared.num_red, yellow, first),
        "outcome": outcome,
        "reference": reference,
        "candidate": candidate,
        "calls": len(compared.calls),
        "red": compared.num_red,
        "yellow": yellow,
        "close": sum(call.is_close for call in compared.calls),
        "missing": list(compared.missing),
        "first": None
        if compared.first is None
        else {**_call(compared.first), "parent": compared.parent, "stack": compared.stack},
        "flagged": [_call(call) for call in flagged],
    }


def _call(call: Any) -> DumpCallDocument:
    return {
        "name": call.name,
        "flag": call.flag,
        "input_difference": _finite(call.input_difference),
        "output_difference": _finite(call.output_difference),
        "reason": call.reason,
        "is_close": call.is_close,
    }
