"""The bars that predictions are held to, on rows that set no constant, and where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.accuracy.held_out import HeldOut, cover, quantiles
from benchmarks.accuracy.in_house import CLOSE, InHouse
from benchmarks.accuracy.rankings import RankedJob
from benchmarks.accuracy.scaling import Series
from benchmarks.accuracy.sources import COMPOSED
from benchmarks.accuracy.switch_gains import Gains
from tianji.formatting import format_percent
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
    left_out: Mapping[str, Sequence[HeldOut]] | None = None,
    promises: Sequence[Promise] = (),
    gains: Gains | None = None,
    houses: Sequence[InHouse] = (),
) -> list[Bar]:
    """Return every bar for the given predictions, rankings, scaling series, held-out groups, promises, gains and own stacks."""
    return [
        *_judge_time(predictions),
        *_judge_range(predictions),
        *_judge_groups(left_out or {}),
        *_judge_gains(gains),
        *(most(f"own stack of {h.name} on {h.chips:,} chips, error", abs(h.error), CLOSE) for h in houses),
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
    measured = [p for p in predictions if p.row.source not in COMPOSED]
    bars = []
    for what, members in (("", predictions), (f", the {len(measured)} that a clock gave", measured)):
        a = measure_accuracy(members)
        bars.append(most(f"step time, median error{what}", a.median, 0.055))
        bars.append(most(f"step time, 90th percentile of the error{what}", a.p90, 0.15))
    moe = measure_accuracy(group_predictions(predictions, "class").get("moe", []))
    bars.append(most(f"step time of {moe.count} mixtures of experts, median", moe.median, 0.08))
    bars.append(most("step time of mixtures of experts, 90th percentile", moe.p90, 0.20))
    for by, limit in (("chip", 0.09), ("framework", 0.10)):
        for name, members in group_predictions(predictions, by).items():
            if len(members) >= LEAST_OF_A_CHIP:
                what = f"step time {'on' if by == 'chip' else 'under'} {name} ({len(members)} rows), median"
                bars.append(most(what, measure_accuracy(members).median, limit))
    return bars


def _judge_range(predictions: Sequence[Prediction]) -> list[Bar]:
    share = measure_accuracy(predictions).coverage or 0.0
    bars = [Bar("measured values inside the 80 % range", "75 to 88 %", share, 0.75 <= share <= 0.88)]
    for by in ("chip", "framework"):
        groups = {n: ps for n, ps in group_predictions(predictions, by).items() if len(ps) >= LEAST_OF_A_CHIP}
        if not groups:
            continue
        name, worst = min(((n, measure_accuracy(ps).coverage or 0.0) for n, ps in groups.items()), key=lambda g: g[1])
        bars.append(least(f"the same, of the {by} that is covered least ({name})", worst, 0.60))
    return bars


def _judge_groups(left_out: Mapping[str, Sequence[HeldOut]]) -> list[Bar]:
    bars = []
    for kind, held in left_out.items():
        apart = [h for h in held if h.source not in COMPOSED]
        median, p90 = quantiles(apart)
        what = f"each of {len(apart)} left out of the fit by {kind}"
        bars += [most(f"{what}: median error", median, 0.10), most(f"{what}: 90th percentile", p90, 0.30)]
        share = cover(apart)
        bars.append(Bar(f"{what}: inside the 80 % range", "75 to 88 %", share, 0.75 <= share <= 0.88))
    return bars


def _judge_gains(gains: Gains | None) -> list[Bar]:
    if gains is None:
        return []
    return [
        least(f"sign of {len(gains.gains)} published gains of single switches", gains.signs, 0.95),
        most("the gain itself, median error", gains.error, 0.30),
    ]


def _judge_promises(promises: Sequence[Promise]) -> list[Bar]:
    if not promises:
        return []
    silent = sum(p.is_doubtful and not p.is_told for p in promises)
    bold, largest = sum(p.is_doubtful for p in promises), max(p.gain for p in promises)
    what = (
        f"gains promised over {len(promises)} tuned layouts (largest {format_percent(largest)}; above "
        f"{format_percent(DOUBTFUL, 0)}: {bold}): "
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
