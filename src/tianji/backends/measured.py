"""From what the ranks wrote down to a result: the same type as a prediction's."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tianji.backends.journal import read_journal
from tianji.backends.options import RunOptions
from tianji.backends.traces import merge_traces, read_breakdown
from tianji.errors import RunError
from tianji.parallel.plan import Plan
from tianji.perf.memory import usable_memory
from tianji.ranges import Range
from tianji.result import Measurement, Result, Traffic
from tianji.workload.model_flops import job_flops

Events = list[Mapping[str, Any]]


def measure(plan: Plan, options: RunOptions, engine: str) -> Result:
    """Return the measured result of a run that is done, from the journals and traces in its folder.

    A step lasts as long as on its slowest rank; the breakdown is of the rank whose profiled step waited least, as that rank
    was on the critical path. Raises RunError when a rank's journal lacks steps, or when training diverged.
    """
    folder, world = Path(options.out), plan.strategy.chips
    journals = [read_journal(folder / f"rank-{rank:05d}.jsonl") for rank in range(world)]
    steps = [[e for e in events if e["event"] == "step"] for events in journals]
    if any(not events or events[-1]["index"] != options.steps - 1 for events in steps):
        raise RunError(f"{folder}: not every rank has written all of its steps; is the run still going on?")
    lost = next((e for e in steps[0] if not math.isfinite(e["loss"] + e["gradient_norm"])), None)
    if lost:
        raise RunError(
            f"{folder}: from step {lost['index']} on the loss is {lost['loss']} and the gradients' norm {lost['gradient_norm']}:"
            " training diverged, so there is no result; take a smaller --learning-rate"
        )
    by_step = list(zip(*steps, strict=True))
    seconds = [max(e["seconds"] for e in at) for at in by_step]
    measured = seconds[min(options.warmup, len(seconds) - 1) :]  # a resumed run may have few steps left
    peaks = [max(e["memory_peak"] for e in events) for events in steps]
    done = [next(e for e in events if e["event"] == "done") for events in journals]
    profiled, breakdown = _read_traces(folder, world) if options.trace else (0.0, {})
    if done[0]["chip"] != "cpu":
        profiled, breakdown = 0.0, {}  # the host's thread says when ops were issued, not how long an accelerator took
    stages = _stages(plan, peaks)
    job, chip = plan.job, plan.pool.chip
    return Result(
        plan=plan,
        kind="measured",
        step_time=_range(measured),
        breakdown=breakdown,
        memory=max(stages, key=lambda parts: sum(parts.values())),
        stages=stages,
        memory_limit=usable_memory(plan.pool),
        model_flops=job_flops(job),
        peak=chip.matrix_peak(job.precision.linear),
        measurement=Measurement(
            engine=engine,
            chip=str(done[0]["chip"]),
            warmup=len(seconds) - len(measured),
            step_times=tuple(measured),
            losses=tuple(e["loss"] for e in steps[0]),
            gradient_norms=tuple(e["gradient_norm"] for e in steps[0]),
            memory_peaks=tuple(peaks),
            profiled_time=profiled,
            traffic=_most_traffic(done),
            versions={**done[0]["versions"], "python": platform.python_version()},
            folder=str(folder),
        ),
    )


def _range(seconds: Sequence[float]) -> Range:
    """The median, from the 10th to the 90th percentile."""
    ordered = sorted(seconds)
    low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
    return Range(low, ordered[len(ordered) // 2], high, f"measured: {len(ordered)} steps")


def _stages(plan: Plan, peaks: Sequence[float]) -> tuple[dict[str, float], ...]:
    """Return the fullest rank of each pipeline stage."""
    s = plan.strategy
    inner = s.tp * s.cp
    stages = [0.0] * s.pp
    for rank, peak in enumerate(peaks):
        place = rank // (inner * s.dp) if s.placement == "dp-inside" else rank // inner % s.pp
        stages[place] = max(stages[place], peak)
    return tuple({"peak": peak} for peak in stages)


def _read_traces(folder: Path, world: int) -> tuple[float, dict[str, float]]:
    paths = {rank: folder / f"rank-{rank:05d}.trace.json" for rank in range(world)}
    merge_traces(paths, folder / "trace.json")
    breakdowns = [read_breakdown(path) for path in paths.values()]
    return min(breakdowns, key=lambda pair: sum(v for k, v in pair[1].items() if k.endswith("_comm")))


def _most_traffic(done: Sequence[Mapping[str, Any]]) -> dict[str, Traffic]:
    most: dict[str, Traffic] = {}
    for event in done:
        for axis, counts in event.get("traffic", {}).items():
            this = Traffic(int(counts["calls"]), float(counts["bytes"]))
            if axis not in most or this.bytes > most[axis].bytes:
                most[axis] = this
    return most
