"""The bars that predictions are held to, on rows that set no constant, and where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.accuracy.held_out import HeldOut, cover
from benchmarks.accuracy.rankings import RankedJob
from benchmarks.accuracy.scaling import Series
from tianji.validation.accuracy import group_predictions, measure_accuracy, measure_memory
from tianji.validation.expected_gains import DOUBTFUL, Promise
from tianji.validation.pricing import Prediction
from tianji.validation.sweeps import measure_ranking

LEAST_OF_A_CHIP = 10
"""Rows from which on a chip is held to a bar of its own."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What is measured, the target in words, the value and whether it is met."""

    what: str
    target: str
    value: float
    is_met: bool
    kind: str = "percent"
    """How the value is written: ``percent``, ``number``, ``points`` or ``count``."""


def judge(
    predictions: Sequence[Prediction],
    jobs: Sequence[RankedJob],
    series: Sequence[Series],
    left_out: Sequence[HeldOut] = (),
    promises: Sequence[Promise] = (),
) -> list[Bar]:
    """Return every bar for the given predictions, published rankings, scaling series, held-out sources and promises."""
    return [
        *_judge_time(predictions),
        *_judge_range(predictions, left_out),
        *_judge_ranking(predictions, jobs),
        *_judge_promises(promises),
        *_judge_memory(predictions, jobs),
        *_judge_scaling(series),
    ]


def most(what: str, value: float | None, limit: float, kind: str = "percent") -> Bar:
    """Return a bar that a value must not exceed."""
    text = f"at most {limit * 100:g} %" if kind == "percent" else f"at most {limit * 100:g} points"
    return Bar(what, text, value or 0.0, value is not None and value <= limit, kind)


def least(what: str, value: float | None, limit: float, kind: str = "percent") -> Bar:
    """Return a bar that a value must reach."""
    text = f"at least {limit * 100:g} %" if kind == "percent" else f"at least {limit:g}"
    return Bar(what, text, value or 0.0, value is not None and value >= limit, kind)


def _judge_time(predictions: Sequence[Prediction]) -> list[Bar]:
    whole = measure_accuracy(predictions)
    bars = [
        most("step time, median error", whole.median, 0.06),
        most("step time, 90th percentile of the error", whole.p90, 0.18),
    ]
    for chip, members in group_predictions(predictions, "chip").items():
        if len(members) >= LEAST_OF_A_CHIP:
            bars.append(
                most(f"step time on {chip} ({len(members)} rows), median", measure_accuracy(members).median, 0.09)
            )
    return bars


def _judge_range(predictions: Sequence[Prediction], left_out: Sequence[HeldOut]) -> list[Bar]:
    shares = {"measured values inside the 80 % range": measure_accuracy(predictions).coverage or 0.0}
    if left_out:
        shares[f"the same, each of {len(left_out)} sources left out of the fit, all rows alike"] = cover(left_out)
        shares["the same, each source weighing by the root of its rows"] = cover(left_out, power=0.5)
    return [Bar(what, "75 to 85 %", value, 0.75 <= value <= 0.85) for what, value in shares.items()]


def _judge_promises(promises: Sequence[Promise]) -> list[Bar]:
    if not promises:
        return []
    silent = sum(p.is_doubtful and not p.is_told for p in promises)
    bold, largest = sum(p.is_doubtful for p in promises), max(p.gain for p in promises)
    what = (
        f"gains promised over {len(promises)} tuned layouts (largest {largest:.1%}; above {DOUBTFUL:.0%}: {bold}): "
        "those above that `tianji plan` does not call in question"
    )
    return [Bar(what, "none", float(silent), not silent, "count")]


def _judge_ranking(predictions: Sequence[Prediction], jobs: Sequence[RankedJob]) -> list[Bar]:
    ranking = measure_ranking(predictions)
    bars = [
        least(f"rank correlation, median of {ranking.ranked} sweeps", ranking.spearman, 0.9, "number"),
        most(f"regret of our pick, mean of {ranking.chosen} sweeps", ranking.regret, 0.025),
        least("our pick is the best measured layout", ranking.exact, 0.5),
    ]
    for job in jobs:
        bars.append(least(f"rank correlation, {job.name}", job.spearman, 0.9, "number"))
    return bars


def _judge_memory(predictions: Sequence[Prediction], jobs: Sequence[RankedJob]) -> list[Bar]:
    memory = measure_memory(predictions)
    bars = [
        most(f"memory, median error of {memory.count} rows", memory.median, 0.08),
        most(f"rows that ran and are called out of memory, of {memory.ran:,}", memory.share_called_out, 0.03),
    ]
    for job in jobs:
        if any(p.measured is None for p in job.places):
            is_right = job.memory_is_told
            bars.append(
                Bar(f"what ran fits, what ran out of memory does not: {job.name}", "all", float(is_right), is_right)
            )
    return bars


def _judge_scaling(series: Sequence[Series]) -> list[Bar]:
    return [most(f"scaling efficiency, {s.name}, largest distance", s.worst, 0.04, "points") for s in series]
