"""The document of ``tianji run``: how fast it was, what it learnt, and what a step took and sent."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from tianji.backends.explanation import HOSTS
from tianji.parallel.records import encode
from tianji.report.documents.outcome_lines import run_line
from tianji.report.documents.ranges import RangeDocument, range_document
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.result import Result


class TrafficDocument(TypedDict):
    """What one chip sends along an axis in a step."""

    calls: int
    bytes: float


class RunDocument(TypedDict):
    """A measured run. Its folder has the same in ``result.json``, with the whole plan (docs/running.md)."""

    document: Literal["run"]
    bottom_line: BottomLineDocument
    model: str
    pool: str
    strategy: dict[str, Any]
    plan_chip: str
    """The chip of the plan's pool, whose peak the MFU is of."""
    stands_in: bool
    """CPU processes stood in for the plan's chips."""
    chips: int
    engine: str
    chip: str
    """What the ranks ran on; ``cpu`` for processes."""
    versions: dict[str, str]
    folder: str
    warmup: int
    """Steps at the start that are not measured."""
    step_time_s: float
    step_time_range_s: RangeDocument
    leans_on: str
    """What the range rests on."""
    step_times_s: list[float]
    """Of each measured step, the slowest rank's."""
    losses: list[float]
    """Of every step."""
    gradient_norms: list[float]
    """Of every step."""
    tokens_per_s: float
    tokens_per_s_per_chip: float
    mfu: float
    noise: float
    """Relative spread of the step times."""
    memory_total_bytes: float
    """At most on a chip: the allocator's peak on an accelerator, the whole process's on a CPU."""
    memory_peaks_bytes: list[float]
    """Of each rank."""
    profiled_time_s: float
    """Of the step that the breakdown is of; 0: none was profiled."""
    breakdown_s: dict[str, float]
    """Of the profiled step, by kind; empty: none was profiled."""
    traffic: dict[str, TrafficDocument]
    """By axis."""


def run_document(result: Result) -> RunDocument:
    """Return a measured result as plain values.

    Raises ValueError for a result that was not measured.
    """
    facts, plan = result.measurement, result.plan
    if facts is None:
        raise ValueError("only a measured result can be shown as a run")
    chip = plan.pool.chip
    stands_in = facts.chip == "cpu" and chip.vendor.lower() not in HOSTS
    return {
        "document": "run",
        "bottom_line": run_line(result, stands_in=stands_in),
        "model": plan.job.model.name,
        "pool": plan.pool.name,
        "strategy": encode(plan.strategy),
        "plan_chip": chip.name,
        "stands_in": stands_in,
        "chips": plan.strategy.chips,
        "engine": facts.engine,
        "chip": facts.chip,
        "versions": dict(facts.versions),
        "folder": facts.folder,
        "warmup": facts.warmup,
        "step_time_s": result.step_time.nominal,
        "step_time_range_s": range_document(result.step_time),
        "leans_on": result.step_time.leans_on,
        "step_times_s": list(facts.step_times),
        "losses": list(facts.losses),
        "gradient_norms": list(facts.gradient_norms),
        "tokens_per_s": result.tokens_per_s,
        "tokens_per_s_per_chip": result.tokens_per_s_per_chip,
        "mfu": result.mfu,
        "noise": facts.noise,
        "memory_total_bytes": result.memory_total,
        "memory_peaks_bytes": list(facts.memory_peaks),
        "profiled_time_s": facts.profiled_time,
        "breakdown_s": dict(result.breakdown),
        "traffic": {axis: {"calls": sent.calls, "bytes": sent.bytes} for axis, sent in facts.traffic.items()},
    }
