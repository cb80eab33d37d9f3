"""The attempts of an operation as a trace that opens in Perfetto: chips over time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tianji.operation.history import OperationHistory, seconds_of
from tianji.parallel.plan_file import write_text
from tianji.units import US, Seconds

TRACK = {"controller": 0, "chips": 1}


def write_trace(history: OperationHistory, path: Path) -> None:
    """Write the trace of an operation: a track for each chip with its attempts, one with the steps of rank 0, and all events.

    Raises InputError when the file cannot be written.
    """
    events = list(_trace_events(history))
    write_text(path, json.dumps({"displayTimeUnit": "ms", "traceEvents": events}) + "\n")


def _trace_events(history: OperationHistory) -> Iterator[dict[str, Any]]:
    origin = min((seconds_of(e) for e in history.events if e.get("time")), default=0.0)

    def ticks(at: Seconds) -> float:
        return round((at - origin) / US, 1)

    for name, process in TRACK.items():
        yield {"ph": "M", "name": "process_name", "pid": process, "tid": 0, "args": {"name": name}}
    last = max((s[-1]["at"] for s in history.steps.values() if s), default=origin)
    for record in history.attempts():
        end = record.ended if record.ended is not None else max(last, record.began)
        for chip in record.chips:
            facts = {"layout": record.layout, "ended by": record.end or "at work"}
            yield _slice(f"attempt {record.number}", TRACK["chips"], chip, ticks(record.began), ticks(end), facts)
    for number, steps in sorted(history.steps.items()):
        for step in steps:
            begin, end = ticks(step["at"] - step["seconds"]), ticks(step["at"])
            yield _slice(
                f"step {step['index']}", TRACK["controller"], 1, begin, end, {"attempt": number, "loss": step["loss"]}
            )
    for event in history.events:
        facts = {key: value for key, value in event.items() if key not in ("n", "at", "time", "event")}
        yield {
            "ph": "i", "s": "p", "name": event["event"], "pid": TRACK["controller"], "tid": 0, "ts": ticks(seconds_of(event)),
            "args": facts,
        }  # fmt: skip


def _slice(name: str, process: int, thread: int, begin: float, end: float, facts: dict[str, Any]) -> dict[str, Any]:
    length = round(max(end - begin, 0.0), 1)
    return {"ph": "X", "name": name, "pid": process, "tid": thread, "ts": begin, "dur": length, "args": facts}
