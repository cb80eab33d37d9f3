"""The bottom line of measured runs beside their predictions, and of a fit to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tianji.formatting import count_noun, format_percent
from tianji.hardware.calibration import Calibration
from tianji.report.documents.three_lines import BottomLineDocument, say_chance
from tianji.validation import Accuracy, Verdict

if TYPE_CHECKING:
    from tianji.report.documents.own_rows import OwnPairDocument

PROMISED = 0.8
"""Share of measured runs that belongs inside the range."""


def validation_line(verdict: Verdict) -> BottomLineDocument:
    """Return the bottom line of predictions beside measured runs: whether the 80 % range keeps what it promises."""
    step, memory = verdict.step_time, verdict.memory
    if not step.count:
        return {
            "answer": "Open: no row has a step time that could be predicted.",
            "amounts": f"{_rows(len(verdict.skipped))} skipped, each with its reason",
            "hinge": "How sure is not known. It hangs on the columns of the table (tianji validate --template).",
            "chance": None,
        }
    chance = _chance_of_coverage(step)
    inside = f"{format_percent(step.coverage or 0.0, 0)} of {step.count:,} measured runs lie inside the 80 % range"
    word = "Yes" if chance >= 0.5 else "No" if chance < 0.1 else "Open"
    slow = "slow" if (step.bias or 0.0) > 0 else "fast"
    median, tenth = (format_percent(error or 0.0) for error in (step.median, step.p90))
    errors = f"step time off by {median} at the median, by {tenth} or more for one in ten"
    stored = f"; memory by {format_percent(memory.median or 0.0)}" if memory.count else ""
    worst = _worst_chip(verdict)
    return {
        "answer": f"{word}: {inside}.",
        "amounts": f"{errors}, mostly too {slow}{stored}; a validation has no days, cost or power",
        "hinge": f"That the range holds {format_percent(PROMISED, 0)} of such runs: {say_chance(chance)}. It hangs on {worst}.",
        "chance": chance,
    }


def _chance_of_coverage(accuracy: Accuracy) -> float:
    """Return the chance that at least the promised share lies inside: a normal one, with two rows more each way."""
    count = accuracy.count + 4
    share = ((accuracy.coverage or 0.0) * accuracy.count + 2) / count
    deviation = math.sqrt(share * (1.0 - share) / count)
    return 0.5 * (1.0 + math.erf((share - PROMISED) / deviation / math.sqrt(2.0)))


def _worst_chip(verdict: Verdict) -> str:
    groups = [
        (name, time) for name, (time, _) in verdict.group("chip").items() if time.count and time.median is not None
    ]
    name, time = max(groups, key=lambda pair: pair[1].median or 0.0)
    return f"{name}, the chip that is predicted worst (median error {format_percent(time.median or 0.0)}, {time.count:,} rows)"


def calibration_line(
    calibration: Calibration, chips: Sequence[str], rows: int, skipped: int, out: str
) -> BottomLineDocument:
    """Return the bottom line of a fit: what it moved, and that of its effects which is known worst."""
    effects = [(trait, e) for trait, named in calibration.software.items() for e in named.values() if e.rows]
    moved = f"{count_noun(len(chips), 'chip')} and {len(effects):,} effects of software"
    widest = max(effects, key=lambda pair: pair[1].standard_error, default=None)
    basis = (
        f"{widest[0]}, the effect that these rows tell least of (± {format_percent(widest[1].standard_error)})"
        if widest else "rows of your own: without them all stays as it was"
    )  # fmt: skip
    return {
        "answer": f"{'Yes' if rows else 'No'}: {rows:,} rows set the constants of {moved}; {_rows(skipped)} skipped.",
        "amounts": f"it is in {out}; a calibration has no days, cost or power",
        "hinge": f"How sure each constant is stands beside it; `tianji validate TABLE --calibration {out}` says it of runs."
        f" It hangs on {basis}.",
        "chance": None,
    }


def added_line(base: str, own: Sequence[OwnPairDocument], skipped: int, out: str) -> BottomLineDocument:
    """Return the bottom line of own rows that were added to a calibration."""
    worst = max(own, key=lambda pair: pair["scatter_ratio"])
    moved = "; ".join(
        f"{pair['software']} on {pair['chip']} took {pair['before_ratio']:.3f} times the prediction and takes"
        f" {pair['after_ratio']:.3f} times the new one"
        for pair in own
    )
    return {
        "answer": f"Yes: {sum(pair['rows'] for pair in own):,} own rows were added to {base}; {_rows(skipped)} skipped. {moved}.",
        "amounts": f"it is in {out}; a calibration has no days, cost or power",
        "hinge": f"Runs of one's own lie {format_percent(worst['scatter_ratio'])} from the new prediction (median) where they lie"
        " farthest. It hangs on one factor for each chip and framework: memory and what tells layouts apart stay.",
        "chance": None,
    }


def _rows(count: int) -> str:
    return f"{count:,} row is" if count == 1 else f"{count:,} rows are"
