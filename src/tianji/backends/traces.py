"""Traces of all ranks: merged into one that opens in Perfetto, and read for where a step went."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tianji.parallel.plan_file import write_text
from tianji.units import NS, US, Seconds

STEP = "tianji::step"
COMMUNICATION = {f"tianji::{axis}": f"{axis}_comm" for axis in ("tp", "cp", "ep", "dp", "pp")}
SCAN = "tianji::scan"
"""A linear recurrence; a prediction counts it as attention, too."""
MATMULS = frozenset(f"aten::{name}" for name in ("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "_grouped_mm"))

Bar = tuple[float, float, str]
"""Begin and end in microseconds, and a name."""


def merge_traces(paths: Mapping[int, Path], out: Path) -> None:
    """Write one trace of all ranks, a process for each, on one clock."""
    traces = {rank: _load(path) for rank, path in sorted(paths.items())}
    origin = min(int(t.get("baseTimeNanoseconds", 0)) for t in traces.values())
    events: list[dict[str, Any]] = []
    for rank, trace in traces.items():
        shift = (int(trace.get("baseTimeNanoseconds", 0)) - origin) * NS / US
        events.append({"ph": "M", "name": "process_name", "pid": rank, "tid": 0, "args": {"name": f"rank {rank}"}})
        for event in trace["traceEvents"]:
            if event.get("ph") == "X" and "ts" in event:
                kept = {key: event[key] for key in ("ph", "name", "cat", "tid", "dur", "args") if key in event}
                events.append({**kept, "pid": rank, "ts": event["ts"] + shift})
    write_text(out, json.dumps({"displayTimeUnit": "ms", "traceEvents": events}))


def read_breakdown(path: Path) -> tuple[Seconds, dict[str, Seconds]]:
    """Return the length of the profiled step of one rank, and its exclusive seconds by kind.

    Kinds are those of a prediction. Time in which the main thread runs no op is ``overhead``: Python between the ops.
    """
    events = [e for e in _load(path)["traceEvents"] if e.get("ph") == "X"]
    step = next(e for e in events if e.get("name") == STEP and e.get("cat") != "gpu_user_annotation")
    begin, end = float(step["ts"]), float(step["ts"]) + float(step["dur"])
    inside = (e for e in events if e.get("tid") == step["tid"] and begin <= float(e["ts"]) < end and e is not step)
    bars = [(float(e["ts"]), min(float(e["ts"]) + float(e.get("dur", 0)), end), str(e["name"])) for e in inside]
    terms = {kind: seconds * US for kind, seconds in exclusive_times(bars).items()}
    length = (end - begin) * US
    terms["overhead"] = terms.get("overhead", 0.0) + length - sum(terms.values())
    return length, terms


def exclusive_times(bars: Iterable[Bar]) -> dict[str, float]:
    """Return the time of each kind over nested bars of one thread; a bar within another is not counted twice.

    A bar without a kind of its own has that of the bar around it.

    >>> exclusive_times([(0, 10, "aten::linear"), (2, 6, "tianji::tp"), (12, 15, "aten::add")])
    {'tp_comm': 4, 'matmul': 6, 'vector': 3}
    >>> exclusive_times([(0, 3, "PythonDispatchMode"), (2, 9, "Optimizer.step"), (4, 6, "aten::add")])
    {'overhead': 2, 'optimizer': 7}
    """
    times: dict[str, float] = {}
    open_bars: list[list[Any]] = []  # end, kind, own time

    def close(bar: list[Any]) -> None:
        times[bar[1]] = times.get(bar[1], 0) + bar[2]

    for begin, end, name in sorted(bars, key=lambda b: (b[0], -b[1])):
        while open_bars and open_bars[-1][0] < end:
            # A bar that ends inside this one, such as the call that opened it, counts up to here.
            open_bars[-1][2] -= max(open_bars[-1][0] - begin, 0)
            close(open_bars.pop())
        kind = _kind(name, open_bars[-1][1] if open_bars else "overhead")
        if open_bars:
            open_bars[-1][2] -= end - begin
        open_bars.append([end, kind, end - begin])
    while open_bars:
        close(open_bars.pop())
    return times


def _kind(name: str, around: str) -> str:
    if name in COMMUNICATION:
        return COMMUNICATION[name]
    if around.endswith("_comm") and not name.startswith("FSDP::"):
        return around
    if name.startswith("FSDP::"):
        return "dp_comm"
    if "scaled_dot_product" in name or "_Ring" in name or name == SCAN:
        return "attention"
    if name in MATMULS:
        return "attention" if around == "attention" else "matmul"
    if name.startswith("Optimizer."):
        return "optimizer"
    if name.startswith("aten::"):
        return around if around not in ("overhead", "dp_comm") else "vector"
    return around


def _load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document
