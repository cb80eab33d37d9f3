"""One plan in a document: its strategy, its times, its memory, and the same beside the best plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from tianji.measurements.records import Record, find_highest_mfu
from tianji.parallel.layouts import format_layout
from tianji.reliability import Reliability
from tianji.report.documents.goodput_summary import GoodputSummaryDocument, goodput_summary_document
from tianji.report.documents.ranges import RangeDocument, range_document
from tianji.result import Result


class MeasuredMfuDocument(TypedDict):
    """The measured run of the highest MFU."""

    mfu: float
    chips: int
    run: str
    """Its id in the shipped tables."""
    source: str


class PlanResultDocument(TypedDict):
    """What one plan gives. ``breakdown_s`` adds up to ``step_time_s``, ``memory_bytes`` to ``memory_total_bytes``."""

    strategy: dict[str, Any]
    """Every field of the strategy, by name."""
    layout: str
    """The same in a word for each field."""
    chips: int
    num_microbatches: int
    step_time_s: float
    """Nominal."""
    step_time_range_s: RangeDocument
    """80 % range."""
    leans_on: str
    """What the range of the step time rests on."""
    tokens_per_s: float
    tokens_per_s_per_chip: float
    mfu: float
    """Share of the chips' dense peak that the model's own arithmetic takes."""
    measured_mfu: MeasuredMfuDocument | None
    """The highest that was ever measured on this chip, for this class of model and dtype; null where nothing was."""
    is_mfu_beyond_measured: bool
    """More is promised than was ever measured, or nothing was measured."""
    days: float | None
    """Of the whole run without failures; null for a job without a number of tokens."""
    days_range: RangeDocument | None
    goodput_summary: GoodputSummaryDocument
    fits: bool
    memory_bytes: dict[str, float]
    """Of the fullest chip, by part."""
    memory_total_bytes: float
    memory_total_range_bytes: RangeDocument
    """80 % range."""
    memory_limit_bytes: float
    """What is usable of a chip's memory."""
    misfit_chance: float
    """That the fullest chip is asked for more than is usable."""
    host_memory_bytes: dict[str, float]
    """Of the host's memory, what the fullest chip's share takes, by part; empty where nothing is offloaded."""
    host_limit_bytes: float | None
    """Host memory for each chip; null where nothing is offloaded, and where nobody published it."""
    worst_stage: int
    """The pipeline stage whose chips are fullest, from 0."""
    breakdown_s: dict[str, float]
    """Exclusive seconds of the step by kind."""


class FullPlanResultDocument(PlanResultDocument):
    """The same with every stage."""

    memory_stages_bytes: list[dict[str, float]]
    """Of a chip of each pipeline stage, by part."""
    model_flops: float
    """Floating-point operations of one step that the model itself needs."""


class AgainstDocument(FullPlanResultDocument):
    """A plan beside the best one; differences are this plan's less the best's."""

    slower_by_s: float
    slower_by_ratio: float
    breakdown_difference_s: dict[str, float]
    memory_difference_bytes: dict[str, float]


def plan_result_document(result: Result, reliability: Reliability | None = None) -> PlanResultDocument:
    """Return what one plan gives."""
    plan = result.plan
    record = find_highest_mfu(plan.pool.chip.name, plan.job.model, plan.job.precision.linear)
    return {
        "strategy": plan.strategy.as_dict(),
        "layout": format_layout(plan.strategy),
        "chips": plan.strategy.chips,
        "num_microbatches": plan.num_microbatches,
        "step_time_s": result.step_time.nominal,
        "step_time_range_s": range_document(result.step_time),
        "leans_on": result.step_time.leans_on,
        "tokens_per_s": result.tokens_per_s,
        "tokens_per_s_per_chip": result.tokens_per_s_per_chip,
        "mfu": result.mfu,
        "measured_mfu": None if record is None else measured_mfu_document(record),
        "is_mfu_beyond_measured": record is None or result.mfu > record.value,
        "days": result.days,
        "days_range": days_range(result),
        "goodput_summary": goodput_summary_document(result, reliability),
        "fits": result.fits,
        "memory_bytes": dict(result.memory),
        "memory_total_bytes": result.memory_total,
        "memory_total_range_bytes": range_document(result.memory_range),
        "memory_limit_bytes": result.memory_limit,
        "misfit_chance": result.misfit_chance,
        "host_memory_bytes": dict(result.host_memory),
        "host_limit_bytes": result.host_limit,
        "worst_stage": result.worst_stage,
        "breakdown_s": dict(result.breakdown),
    }


def measured_mfu_document(record: Record) -> MeasuredMfuDocument:
    """Return the measured run of the highest MFU."""
    return {"mfu": record.value, "chips": record.chips, "run": record.run, "source": record.source}


def full_plan_result_document(result: Result, reliability: Reliability | None = None) -> FullPlanResultDocument:
    """Return what one plan gives, with every stage."""
    return {
        **plan_result_document(result, reliability),
        "memory_stages_bytes": [dict(parts) for parts in result.stages],
        "model_flops": result.model_flops,
    }


def against_document(result: Result, best: Result, reliability: Reliability | None = None) -> AgainstDocument:
    """Return a result beside the best one: what each term takes more (above zero) or less."""
    return {
        **full_plan_result_document(result, reliability),
        "slower_by_s": result.step_time.nominal - best.step_time.nominal,
        "slower_by_ratio": result.step_time.nominal / best.step_time.nominal - 1,
        "breakdown_difference_s": subtract(result.breakdown, best.breakdown),
        "memory_difference_bytes": subtract(result.memory, best.memory),
    }


def days_range(result: Result) -> RangeDocument | None:
    """Return the days of the run at the step's range, or None when the job states no tokens."""
    return None if result.days_range is None else result.days_range.to_dict()


def subtract(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Return one minus the other, for every key of either.

    >>> subtract({"a": 3.0}, {"a": 1.0, "b": 2.0})
    {'a': 2.0, 'b': -2.0}
    """
    keys = [*one, *(k for k in other if k not in one)]
    return {key: one.get(key, 0.0) - other.get(key, 0.0) for key in keys}
