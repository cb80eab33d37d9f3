"""The document of ``tianji smallest``: the smallest number of chips for each task, pool and framework."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict

from tianji.comparison.smallest_size import SmallestSize
from tianji.parallel.layouts import abbreviate_layout
from tianji.report.documents.outcome_lines import smallest_line
from tianji.report.documents.request import JobDocument, ModelDocument, work_document
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.result import Result


class SizeDocument(TypedDict):
    """The fastest plan on one number of chips."""

    chips: int
    layout: str
    step_time_s: float
    tokens_per_s: float
    memory_total_bytes: float
    """On the fullest chip."""
    memory_free: float
    """Share of the usable memory of a chip that stays free."""
    misfit_chance: float | None


class SavingDocument(TypedDict):
    """What would be given up for the next smaller number of chips."""

    what: str
    chips: int
    plan: SizeDocument | None
    """None where it is not enough, or cannot be priced."""
    reason: str | None
    chip_seconds_ratio: float | None
    """Chip-seconds of a token over those of the smallest number."""


class SmallestDocument(TypedDict):
    """The smallest number of one task on one kind of pool."""

    pool: str
    runs_on: str | None
    """The framework that runs the plans exactly; null: any."""
    job: JobDocument
    chips: int | None
    reason: str | None
    """Why there is none."""
    sizes: list[SizeDocument]
    """On the smallest number, on twice and on four times as many."""
    savings: list[SavingDocument]
    assumptions: list[str]


class SmallestSizeDocument(TypedDict):
    """The smallest numbers of chips."""

    document: Literal["smallest"]
    bottom_line: BottomLineDocument
    model: ModelDocument
    margin: float
    """Share of the usable memory that a plan must leave free."""
    answers: list[SmallestDocument]


def smallest_size_document(sizes: Sequence[SmallestSize], margin: float) -> SmallestSizeDocument:
    """Return all answers; there is at least one."""
    return {
        "document": "smallest",
        "bottom_line": smallest_line(sizes),
        "model": work_document(sizes[0].job)["model"],
        "margin": margin,
        "answers": [smallest_document(size) for size in sizes],
    }


def smallest_document(size: SmallestSize) -> SmallestDocument:
    """Return the answer for one task, pool and framework."""
    first = size.results[0] if size.results else None
    savings: list[SavingDocument] = [
        {
            "what": saving.what,
            "chips": saving.chips,
            "plan": size_document(saving.result) if saving.result else None,
            "reason": saving.reason or None,
            "chip_seconds_ratio": first.tokens_per_s_per_chip / saving.result.tokens_per_s_per_chip
            if first and saving.result
            else None,
        }
        for saving in size.savings
    ]
    return {
        "pool": size.pool.name,
        "runs_on": size.runs_on or None,
        "job": work_document(size.job)["job"],
        "chips": first.plan.strategy.chips if first else None,
        "reason": size.reason or None,
        "sizes": [size_document(result) for result in size.results],
        "savings": savings,
        "assumptions": list(size.job.assumed),
    }


def size_document(result: Result) -> SizeDocument:
    """Return the plan of one number of chips."""
    return {
        "chips": result.plan.strategy.chips,
        "layout": abbreviate_layout(result.plan.strategy),
        "step_time_s": result.step_time.nominal,
        "tokens_per_s": result.tokens_per_s,
        "memory_total_bytes": result.memory_total,
        "memory_free": 1.0 - result.memory_total / result.memory_limit,
        "misfit_chance": result.misfit_chance,
    }
