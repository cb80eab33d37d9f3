"""JSON of a validation: one object for each row, and a summary.

Scripts rely on the names here; they are added to, never renamed. Memory is in GiB, as tables of measurements print it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tianji.parallel.layouts import spell_layout
from tianji.units import GIB
from tianji.validation import Accuracy, MemoryAccuracy, Prediction, Verdict, find_sweeps


def verdict_document(verdict: Verdict, groups: Sequence[str] = ()) -> dict[str, Any]:
    """Return every row, skipped ones included, and the summary with the accuracy of the given groupings."""
    rows = [prediction_row(p) for p in verdict.predictions]
    rows += [{"id": s.id, "status": "skipped", "reason": s.reason, **dict.fromkeys(VALUES)} for s in verdict.skipped]
    return {"document": "validation", "rows": rows, "summary": summary_document(verdict, groups)}


VALUES = (
    "measured_step_time_s", "predicted_step_time_s", "low_s", "high_s", "error", "measured_memory_gb",
    "predicted_memory_gb",
)  # fmt: skip
"""What a row has numbers for; a skipped one has null."""


def prediction_row(p: Prediction) -> dict[str, Any]:
    """Return one predicted row. ``error`` is predicted over measured, less 1."""
    row = p.row
    measured = row.measured_memory
    return {
        "id": row.id,
        "status": "predicted",
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
        "layout": spell_layout(row.strategy),
        "split": row.split,
        "quality": row.quality,
    }


def summary_document(verdict: Verdict, groups: Sequence[str] = ()) -> dict[str, Any]:
    """Return counts, accuracy of step time, memory and ranking, and the same by group."""
    return {
        "tables": list(verdict.tables),
        "calibration": verdict.calibration,
        "rows": len(verdict.predictions) + len(verdict.skipped),
        "predicted": len(verdict.predictions),
        "skipped": len(verdict.skipped),
        "reasons": dict(verdict.reasons().most_common()),
        "step_time": accuracy_document(verdict.step_time),
        "memory": memory_document(verdict.memory),
        "ranking": asdict(verdict.ranking),
        "sweeps": [
            {"source": s.source, "chip": s.chip, "architecture": s.architecture, "chips": s.chips,
             "layouts": len(s.predictions), "spearman": s.spearman, "regret": s.regret}
            for s in find_sweeps(verdict.predictions)
        ],
        "groups": {
            by: {
                name: {"step_time": accuracy_document(time), "memory": memory_document(memory)}
                for name, (time, memory) in verdict.group(by).items()
            }
            for by in groups
        },
    }  # fmt: skip


def accuracy_document(accuracy: Accuracy) -> dict[str, Any]:
    """Return the accuracy of step times; errors are fractions."""
    return {
        "count": accuracy.count,
        "median_error": accuracy.median,
        "p90_error": accuracy.p90,
        "bias": accuracy.bias,
        "coverage": accuracy.coverage,
    }


def memory_document(memory: MemoryAccuracy) -> dict[str, Any]:
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
