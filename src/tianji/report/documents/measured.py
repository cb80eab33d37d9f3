"""A measured step time beside what is predicted for the very layout, in a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from tianji.formatting import format_percent
from tianji.measurements.rows import NATURAL_IMBALANCE
from tianji.prediction.balance import AtLoad
from tianji.report.vocabulary import KINDS
from tianji.result import Result
from tianji.search.changes import Change
from tianji.units import Seconds


class SuspectDocument(TypedDict):
    """One kind of time of the step, and what it would have to take to explain the gap alone."""

    kind: str
    predicted_s: float
    alone_s: float | None
    """The predicted seconds and the whole gap; null where a faster run leaves less than nothing."""


class AssumedCauseDocument(TypedDict):
    """Something that is assumed of the run, and the step if it was otherwise."""

    cause: str
    flag: str
    """What to type, if the run had it."""
    step_time_s: float
    """Predicted with it."""
    longer_ratio: float
    """Over the step as it is predicted, less 1."""
    of_gap: float
    """Its share of the gap; below zero where it widens the gap."""


class ChangeDocument(TypedDict):
    """One change of the layout or of the software, all else as it is."""

    flag: str
    """What to type for it."""
    field: str
    """Of the strategy, or a switch of the software."""
    value: Any
    step_time_s: float
    """Predicted."""
    from_measured_s: float
    """The measured step time, scaled as the predicted one."""
    gain_ratio: float
    """Step time saved, of the step as it is."""
    chance: float
    """That it is faster at all, over draws of the constants and of the layouts' own errors."""
    memory_bytes: float
    """Of the fullest chip with it."""


class MeasuredDocument(TypedDict):
    """What was measured of the plan, beside what is predicted."""

    step_time_s: float
    is_inside: bool
    """Within the 80 % range."""
    gap_s: float
    """Measured less predicted."""
    gap_ratio: float
    """Measured over predicted, less 1."""
    suspects: list[SuspectDocument]
    """The largest part of the step first."""
    causes: list[AssumedCauseDocument]
    """What is assumed and would make the step longer; the load of the experts, where they are spread over ranks."""
    changes: list[ChangeDocument]
    """Those that gain, the largest gain first."""
    measure_next: list[str]
    """What would tell most."""


def measured_document(
    result: Result, measured: Seconds, changes: Sequence[Change], loads: Sequence[AtLoad] = ()
) -> MeasuredDocument:
    """Return a measured step time beside the prediction of its layout; ``loads`` are those of unbalanced experts."""
    span, gap = result.step_time, measured - result.step_time.nominal
    ordered = sorted(result.breakdown.items(), key=lambda item: -item[1])
    return {
        "step_time_s": measured,
        "is_inside": span.low <= measured <= span.high,
        "gap_s": gap,
        "gap_ratio": measured / span.nominal - 1.0,
        "suspects": [
            {"kind": kind, "predicted_s": seconds, "alone_s": seconds + gap if seconds + gap >= 0 else None}
            for kind, seconds in ordered
            if seconds > 0
        ],
        "causes": [_cause(at, result, gap) for at in loads],
        "changes": [_change(change, result, measured) for change in changes],
        "measure_next": list(_next(result, measured, changes, ordered[0][0])),
    }


def _cause(at: AtLoad, result: Result, gap: Seconds) -> AssumedCauseDocument:
    routing = "natural routing" if at.load == NATURAL_IMBALANCE else "worse balance of the experts"
    step = at.result.step_time.nominal
    return {
        "cause": f"{routing}, {at.load:g} times the mean load",
        "flag": f"--moe-imbalance {at.load:g}",
        "step_time_s": step,
        "longer_ratio": at.longer,
        "of_gap": (step - result.step_time.nominal) / gap if gap else 0.0,
    }


def _change(change: Change, result: Result, measured: Seconds) -> ChangeDocument:
    ratio = change.step_time / result.step_time.nominal
    return {
        "flag": change.flag, "field": change.field, "value": change.value, "step_time_s": change.step_time,
        "from_measured_s": measured * ratio, "gain_ratio": 1.0 - ratio,
        "chance": change.chance, "memory_bytes": change.result.memory_total,
    }  # fmt: skip


def _next(result: Result, measured: Seconds, changes: Sequence[Change], largest: str) -> list[str]:
    """Return what to measure next: the change that gains most, and the part of a step that is largest.

    What no chip can reach is another job or another unit of time: that is asked first and alone.
    """
    if (mfu := result.mfu * result.step_time.nominal / measured) > 1.0:
        return [
            f"what that run was: its batch, sequence length, chips and number formats, and the unit of the time; "
            f"as given, its MFU would be {format_percent(mfu, 0)}"
        ]
    asked = []
    if changes:
        asked.append(
            f"a run with {changes[0].flag}: predicted {changes[0].step_time / result.step_time.nominal:.2f} of the step"
        )
    if not result.step_time.low <= measured <= result.step_time.high:
        asked.append(f"a trace of one step: the seconds of {KINDS[largest]}, and those in which the chip waits")
    else:
        asked.append(
            "the same again: one setting published twice differs by 3 % at the median, and the gap is inside the range"
        )
    return asked
