"""The nearest published runs of a plan beside what is predicted for them, in a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from tianji.parallel.layouts import abbreviate_layout
from tianji.validation.nearest import NearRun


class NearRunDocument(TypedDict):
    """A published run near the plan, and our error on it."""

    id: str
    source: str
    model: str
    chip: str
    chips: int
    layout: str
    measured_step_time_s: float
    predicted_step_time_s: float | None
    error: float | None
    """Predicted over measured, less 1."""
    is_covered: bool
    """The measured step time lies in the predicted range."""
    distance: float
    """In doublings of the chips; a doubling of the batch, of the sequence or of the model counts half."""
    split: str
    """``fit``: constants were fitted on it; ``check``: they never saw it."""
    differs: list[str]
    """What sets it apart from the plan; empty for the very job."""


def near_run_documents(runs: Sequence[NearRun]) -> list[NearRunDocument]:
    """Return the nearest published runs, the nearest first."""
    return [_near_run(run) for run in runs]


def _near_run(run: NearRun) -> NearRunDocument:
    prediction = run.prediction
    row = prediction.row
    return {
        "id": row.id, "source": row.source, "model": row.arch_key, "chip": row.pool.chip.name,
        "chips": row.strategy.chips, "layout": abbreviate_layout(row.strategy),
        "measured_step_time_s": row.measured_step_time, "predicted_step_time_s": prediction.step_time,
        "error": prediction.error, "is_covered": prediction.is_covered, "distance": run.distance, "split": row.split,
        "differs": list(run.differs),
    }  # fmt: skip
