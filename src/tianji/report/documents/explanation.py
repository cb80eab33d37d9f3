"""The document of ``tianji explain``: a measured result beside its prediction."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from tianji.backends.explanation import Explanation
from tianji.parallel.records import encode
from tianji.report.documents.outcome_lines import explanation_line
from tianji.report.documents.three_lines import BottomLineDocument


class BothDocument(TypedDict):
    """One figure, as predicted and as measured."""

    predicted: float
    measured: float


class TermDocument(TypedDict):
    """One part of a step; the gap is measured less predicted."""

    term: str
    predicted_s: float
    measured_s: float
    gap_s: float


class ExplanationDocument(TypedDict):
    """A measured result beside a predicted one; the terms add up to both step times, largest gap first."""

    document: Literal["explanation"]
    bottom_line: BottomLineDocument
    model: str
    pool: str
    chip: str
    """What the ranks ran on."""
    engine: str
    strategy: dict[str, Any]
    ratio: float
    """Measured over predicted step time."""
    step_time_s: BothDocument
    terms: list[TermDocument]
    tokens_per_s: BothDocument
    memory_bytes: BothDocument
    """Of the fullest chip."""
    traffic_bytes: dict[str, BothDocument]
    """By axis, of one chip and one step."""
    remarks: list[str]


def explanation_document(explanation: Explanation) -> ExplanationDocument:
    """Return an explanation as plain values."""
    predicted, measured = explanation.predicted, explanation.measured
    plan, facts = measured.plan, measured.measurement
    assert facts is not None, "explain_gap takes measured results only"
    return {
        "document": "explanation",
        "bottom_line": explanation_line(explanation),
        "model": plan.job.model.name,
        "pool": plan.pool.name,
        "chip": facts.chip,
        "engine": facts.engine,
        "strategy": encode(plan.strategy),
        "ratio": explanation.ratio,
        "step_time_s": {"predicted": predicted.step_time.nominal, "measured": measured.step_time.nominal},
        "terms": [
            {"term": t.name, "predicted_s": t.predicted, "measured_s": t.measured, "gap_s": t.gap}
            for t in explanation.terms
        ],
        "tokens_per_s": {"predicted": predicted.tokens_per_s, "measured": measured.tokens_per_s},
        "memory_bytes": {"predicted": predicted.memory_total, "measured": measured.memory_total},
        "traffic_bytes": {
            axis: {"predicted": pair[0], "measured": pair[1]} for axis, pair in explanation.traffic.items()
        },
        "remarks": list(explanation.remarks),
    }
