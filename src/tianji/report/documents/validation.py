"""The document of ``tianji validate``: one object for each row, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from tianji.measurements.table import Skipped
from tianji.parallel.layouts import format_layout
from tianji.report.documents.evidence_lines import validation_line
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.units import GIB
from tianji.validation import Accuracy, MemoryAccuracy, Prediction, Ranking, Sweep, Verdict, find_sweeps


class ValidationRowDocument(TypedDict):
    """A measured run beside what is predicted for it; of a skipped one only the id and the reason are known."""

    id: str
    status: Literal["predicted", "skipped"]
    reason: str | None
    """Why a row was skipped."""
    measured_step_time_s: float | None
    predicted_step_time_s: float | None
    low_s: float | None
    """Lower end of the 80 % range; null without a calibration."""
    high_s: float | None
    error: float | None
    """Predicted over measured step time, less 1."""
    measured_memory_gb: float | None
    """GiB on the fullest chip, as tables of measurements print it."""
    predicted_memory_gb: float | None
    memory_error: float | None
    fits: bool | None
    """False is a false alarm: every measured row ran."""
    source: str | None
    chip: str | None
    architecture: str | None
    layout: str | None
    split: str | None
    quality: str | None


class AccuracyDocument(TypedDict):
    """Errors of step times, as fractions; null where no row was predicted."""

    count: int
    median_error: float | None
    """Median of the absolute errors."""
    p90_error: float | None
    """90th percentile of the absolute errors."""
    bias: float | None
    """Median of the signed errors: above zero, predictions are too slow."""
    coverage: float | None
    """Share of measured values inside the 80 % range."""


class MemoryAccuracyDocument(TypedDict):
    """Errors of memory, as fractions, and what ran though it was called out of memory."""

    count: int
    """Rows that state their memory."""
    median_error: float | None
    p90_error: float | None
    bias: float | None
    ran: int
    """Rows with a predicted memory."""
    called_out_of_memory: int
    share_called_out_of_memory: float


class RankingDocument(TypedDict):
    """How well layouts of one job are put in order, over all sweeps."""

    ranked: int
    """Sweeps of five layouts or more."""
    spearman: float | None
    """Median rank correlation over them."""
    chosen: int
    """Sweeps of four layouts or more."""
    regret: float | None
    """Mean over them of the measured time of our pick over the best, less 1."""
    exact: float | None
    """Share of them in which the pick was the fastest."""


class SweepDocument(TypedDict):
    """The measured layouts of one job on one number of chips with one software."""

    source: str
    chip: str
    architecture: str
    chips: int
    layouts: int
    spearman: float
    regret: float


class GroupDocument(TypedDict):
    """The accuracy of the rows of one group."""

    step_time: AccuracyDocument
    memory: MemoryAccuracyDocument


class ValidationSummaryDocument(TypedDict):
    """Counts, accuracy of step time and memory, ranking, and the same by group."""

    tables: list[str]
    calibration: str
    rows: int
    predicted: int
    skipped: int
    reasons: dict[str, int]
    """Rows by the reason why they were skipped."""
    hints: list[str]
    """Columns that look like a slip of the pen, and what they may mean."""
    step_time: AccuracyDocument
    memory: MemoryAccuracyDocument
    ranking: RankingDocument
    sweeps: list[SweepDocument]
    groups: dict[str, dict[str, GroupDocument]]
    """By grouping and by the name of the group."""


class ValidationDocument(TypedDict):
    """Measured runs beside their predictions."""

    document: Literal["validation"]
    bottom_line: BottomLineDocument
    rows: list[ValidationRowDocument]
    summary: ValidationSummaryDocument


def verdict_document(verdict: Verdict, groups: Sequence[str] = ()) -> ValidationDocument:
    """Return every row, skipped ones included, and the summary with the accuracy of the given groupings."""
    rows = [prediction_row(p) for p in verdict.predictions] + [skipped_row(s) for s in verdict.skipped]
    return {
        "document": "validation",
        "bottom_line": validation_line(verdict),
        "rows": rows,
        "summary": summary_document(verdict, groups),
    }


def prediction_row(p: Prediction) -> ValidationRowDocument:
    """Return one predicted row."""
    row = p.row
    measured = row.measured_memory
    return {
        "id": row.id,
        "status": "predicted",
        "reason": None,
        "measured_step_time_s": row.measured_step_time,
        "predicted_step_time_s": p.step_time,
        "low_s": p.low,
        "high_s": p.high,
        "error": p.error,
        "measured_memory_gb": None if measured is None else measured / GIB,
        "predicted_memory_gb": None if p.memory is None else p.memory / GIB,
        "memory_error": p.memory_error,
        "fits": p.fits,
        "source": row.source,
        "chip": row.pool.chip.name,
        "architecture": row.arch_key,
        "layout": format_layout(row.strategy),
        "split": row.split,
        "quality": row.quality,
    }


def skipped_row(skip: Skipped) -> ValidationRowDocument:
    """Return one row that could not be predicted."""
    return {
        "id": skip.id,
        "status": "skipped",
        "reason": skip.reason,
        "measured_step_time_s": None,
        "predicted_step_time_s": None,
        "low_s": None,
        "high_s": None,
        "error": None,
        "measured_memory_gb": None,
        "predicted_memory_gb": None,
        "memory_error": None,
        "fits": None,
        "source": None,
        "chip": None,
        "architecture": None,
        "layout": None,
        "split": skip.split,
        "quality": skip.quality,
    }


def summary_document(verdict: Verdict, groups: Sequence[str] = ()) -> ValidationSummaryDocument:
    """Return counts, accuracy of step time, memory and ranking, and the same by group."""
    return {
        "tables": list(verdict.tables),
        "calibration": verdict.calibration,
        "rows": len(verdict.predictions) + len(verdict.skipped),
        "predicted": len(verdict.predictions),
        "skipped": len(verdict.skipped),
        "reasons": dict(verdict.reasons().most_common()),
        "hints": list(verdict.hints),
        "step_time": accuracy_document(verdict.step_time),
        "memory": memory_document(verdict.memory),
        "ranking": ranking_document(verdict.ranking),
        "sweeps": [sweep_document(s) for s in find_sweeps(verdict.predictions)],
        "groups": {
            by: {
                name: {"step_time": accuracy_document(time), "memory": memory_document(memory)}
                for name, (time, memory) in verdict.group(by).items()
            }
            for by in groups
        },
    }


def accuracy_document(accuracy: Accuracy) -> AccuracyDocument:
    """Return the accuracy of step times."""
    return {
        "count": accuracy.count,
        "median_error": accuracy.median,
        "p90_error": accuracy.p90,
        "bias": accuracy.bias,
        "coverage": accuracy.coverage,
    }


def memory_document(memory: MemoryAccuracy) -> MemoryAccuracyDocument:
    """Return the accuracy of memory and the false alarms."""
    return {
        "count": memory.count,
        "median_error": memory.median,
        "p90_error": memory.p90,
        "bias": memory.bias,
        "ran": memory.ran,
        "called_out_of_memory": memory.called_out,
        "share_called_out_of_memory": memory.share_called_out,
    }


def ranking_document(ranking: Ranking) -> RankingDocument:
    """Return how well sweeps are ranked."""
    return {
        "ranked": ranking.ranked,
        "spearman": ranking.spearman,
        "chosen": ranking.chosen,
        "regret": ranking.regret,
        "exact": ranking.exact,
    }


def sweep_document(sweep: Sweep) -> SweepDocument:
    """Return one sweep."""
    return {
        "source": sweep.source,
        "chip": sweep.chip,
        "architecture": sweep.architecture,
        "chips": sweep.chips,
        "layouts": len(sweep.predictions),
        "spearman": sweep.spearman,
        "regret": sweep.regret,
    }
