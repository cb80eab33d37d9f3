"""How far predictions are from what was measured: errors, coverage, and the groups that they are told by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tianji.errors import UnknownNameError
from tianji.measurements.rows import Row
from tianji.validation.pricing import Prediction

LONG_CONTEXT = 16384
"""Tokens of a sequence from which on a row counts as long context."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Errors of a set of step times; an error is predicted over measured, less 1. Without rows all are None."""

    count: int
    median: float | None = None
    """Of the absolute errors."""
    p90: float | None = None
    """90th percentile of the absolute errors."""
    bias: float | None = None
    """Median of the signed errors: above zero, predictions are too slow."""
    coverage: float | None = None
    """Share of measured values inside the 80 % range."""


@dataclass(frozen=True, slots=True)
class MemoryAccuracy:
    """Errors of predicted memory, and rows that ran though they were called out of memory."""

    count: int
    """Rows that state their memory."""
    median: float | None = None
    p90: float | None = None
    bias: float | None = None
    ran: int = 0
    """Rows with a predicted memory, whether they state theirs or not: all of them ran."""
    called_out: int = 0
    """Of these, rows whose prediction does not fit the chip."""

    @property
    def share_called_out(self) -> float:
        """False alarms over rows that ran."""
        return self.called_out / self.ran if self.ran else 0.0


def measure_accuracy(predictions: Iterable[Prediction]) -> Accuracy:
    """Return the errors of step times; rows without a prediction are left out."""
    known = [p for p in predictions if p.error is not None]
    median, p90, bias = _errors([p.error or 0.0 for p in known])
    coverage = sum(p.is_covered for p in known) / len(known) if known else None
    return Accuracy(len(known), median, p90, bias, coverage)


def measure_memory(predictions: Iterable[Prediction]) -> MemoryAccuracy:
    """Return the errors of memory over the rows that state theirs, and the false alarms over all."""
    known = [p for p in predictions if p.memory is not None]
    errors = [p.memory_error for p in known if p.memory_error is not None]
    return MemoryAccuracy(len(errors), *_errors(errors), ran=len(known), called_out=sum(not p.fits for p in known))


def _errors(errors: list[float]) -> tuple[float | None, float | None, float | None]:
    if not errors:
        return None, None, None
    absolute = np.abs(errors)
    return float(np.median(absolute)), float(np.percentile(absolute, 90)), float(np.median(errors))


# --- groups -----------------------------------------------------------------------------------------------------
def name_features(row: Row) -> tuple[str, ...]:
    """Return what a row exercises; it may be several things, or none (plain data or tensor parallelism)."""
    s = row.strategy
    features = {
        "zero-3": s.zero == 3,
        "pp": s.pp > 1,
        "interleaved": s.vpp > 1,
        "cp": s.cp > 1,
        "ep": s.ep > 1,
        "tp": s.tp > 1,
    }
    return tuple(name for name, is_used in features.items() if is_used)


def name_classes(row: Row) -> tuple[str, ...]:
    """Return ``dense`` or ``moe``, and ``long-context`` beside it from LONG_CONTEXT tokens on."""
    kind = "moe" if row.job.model.moe else "dense"
    return (kind, "long-context") if row.job.seq_len >= LONG_CONTEXT else (kind,)


def name_scale(row: Row) -> tuple[str, ...]:
    """Return the number of chips as a range."""
    bounds = (8, 64, 512, 4096)
    low = 1
    for bound in bounds:
        if row.strategy.chips <= bound:
            return (f"{low}-{bound} chips",)
        low = bound + 1
    return (f"over {bounds[-1]} chips",)


GROUPS: dict[str, Callable[[Row], tuple[str, ...]]] = {
    "chip": lambda row: (row.pool.chip.name,),
    "pool": lambda row: (row.pool.name,),
    "source": lambda row: (row.source,),
    "software": lambda row: (row.software.generation,),
    "framework": lambda row: (row.software.framework,),
    "architecture": lambda row: (row.arch_key,),
    "precision": lambda row: (row.job.precision.name,),
    "class": name_classes,
    "feature": name_features,
    "scale": name_scale,
    "split": lambda row: (row.split or "none",),
    "quality": lambda row: (row.quality or "none",),
    "task": lambda row: (row.task,),
}
"""What rows may be grouped by, and the groups that a row belongs to."""


def group_predictions(predictions: Sequence[Prediction], by: str) -> dict[str, list[Prediction]]:
    """Return the predictions by group, in alphabetical order.

    Raises UnknownNameError for a word that is no key of GROUPS.
    """
    if by not in GROUPS:
        raise UnknownNameError("group", by, GROUPS)
    groups: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        for name in GROUPS[by](prediction.row):
            groups.setdefault(name, []).append(prediction)
    return dict(sorted(groups.items()))
