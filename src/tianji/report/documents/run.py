"""The document of ``tianji run``: what the result file holds, and what follows from it."""

from __future__ import annotations

from typing import Any, Literal, TypedDict, cast

from tianji.result import Result
from tianji.result.result_file import result_document


class TrafficDocument(TypedDict):
    """What one chip sends along an axis in a step."""

    calls: int
    bytes: float


class MeasurementDocument(TypedDict):
    """Facts of one run. Step times leave the warm-up out; losses and gradient norms are of every step."""

    engine: str
    chip: str
    """What the ranks ran on; ``cpu`` where processes stand in for chips."""
    warmup: int
    step_times: list[float]
    """Seconds of each measured step, on the slowest rank."""
    losses: list[float]
    gradient_norms: list[float]
    memory_peaks: list[float]
    """Bytes of each rank."""
    profiled_time: float
    """Seconds of the step that the breakdown is of; 0: none was profiled."""
    traffic: dict[str, TrafficDocument]
    """By axis."""
    versions: dict[str, str]
    folder: str


class MeasuredRangeDocument(TypedDict):
    """A range, and what it was measured from."""

    low: float
    nominal: float
    high: float
    leans_on: str


class RunDocument(TypedDict):
    """A measured result: the keys of ``result.json`` (docs/running.md), and figures that follow from them."""

    document: Literal["run"]
    format: str
    version: int
    kind: str
    plan: dict[str, Any]
    step_time: MeasuredRangeDocument
    """Seconds."""
    breakdown: dict[str, float]
    """Seconds of the profiled step by kind; empty: there was none."""
    memory: dict[str, float]
    stages: list[dict[str, float]]
    memory_limit: float
    model_flops: float
    peak: float
    measurement: MeasurementDocument
    tokens_per_s: float
    tokens_per_s_per_chip: float
    mfu: float
    memory_total_bytes: float
    noise: float
    """Relative spread of the step times."""


def run_document(result: Result) -> RunDocument:
    """Return a measured result with its derived figures.

    Raises ValueError for a result that was not measured.
    """
    if result.measurement is None:
        raise ValueError("only a measured result can be shown as a run")
    derived = {
        "tokens_per_s": result.tokens_per_s,
        "tokens_per_s_per_chip": result.tokens_per_s_per_chip,
        "mfu": result.mfu,
        "memory_total_bytes": result.memory_total,
        "noise": result.measurement.noise,
    }
    return cast(RunDocument, {"document": "run", **result_document(result), **derived})
