"""Chips, pools, models and jobs with round figures, so that a test's numbers can be worked out by hand."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tianji.hardware import Chip, Figure, Pool, Tier
from tianji.operation.event_log import Event, EventLog
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.units import GB, TB, TERA
from tianji.workload import Job, Model, MoE, find_precision

SOURCE = "made up for a test"
HEARING = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
"""A program that starts another one and undoes what a shell does to background jobs: they start deaf to Ctrl-C."""


def figure(value: float) -> Figure:
    """Return a figure of that many SI units."""
    return Figure(value, SOURCE, "user")


CHIP = Chip(
    name="round",
    title="A chip of round figures",
    vendor="nobody",
    ecosystem="other",
    status="shipping",
    peak={"bf16": figure(100 * TERA), "fp8": figure(200 * TERA), "fp4": figure(400 * TERA), "fp32": figure(10 * TERA)},
    vector_peak={"fp32": figure(10 * TERA)},
    memory=figure(100 * GB),
    memory_bandwidth=figure(1 * TB),
    scale_up_bandwidth=figure(100 * GB),
    scale_out_bandwidth=figure(10 * GB),
    host_bandwidth=figure(50 * GB),
    host_memory_bandwidth=figure(80 * GB),
)


def tier(name: str, span: int, bandwidth: float, *, topology: str = "switch", kind: str = "scale-up") -> Tier:
    """Return a tier of that many chips, each with that bandwidth (bytes a second, one direction), and no latency."""
    return Tier(name, topology, span, figure(bandwidth), None, kind=kind)


def pool(chips: int = 64, *tiers: Tier, chip: Chip = CHIP, node: int = 8) -> Pool:
    """Return a pool; without tiers, nodes of 8 chips at 100 GB/s in a switch of 10 GB/s."""
    usual = (tier("node", 8, 100 * GB), tier("network", 0, 10 * GB, kind="scale-out"))
    return Pool("round-pool", "A pool of round figures", "nobody", chip, tiers or usual, chips, node, node)


def flat(chips: int, bandwidth: float = 100 * GB, chip: Chip = CHIP) -> Pool:
    """Return a pool of one tier."""
    return pool(chips, tier("all", 0, bandwidth), chip=chip)


DENSE = Model(
    name="small",
    family="llama",
    hidden_size=512,
    num_layers=8,
    num_attention_heads=8,
    num_key_value_heads=4,
    head_dim=64,
    intermediate_size=2048,
    vocab_size=1024,
)
SPARSE = replace(DENSE, name="small-moe", moe=MoE(num_experts=8, top_k=2, intermediate_size=512, num_leading_dense=1))
"""One leading dense layer, seven of 8 experts."""


def job(model: Model = DENSE, *, seq_len: int = 1024, batch: int = 64, precision: str = "bf16", **more: Any) -> Job:
    """Return a job."""
    return Job(model, seq_len, batch, find_precision(precision), **more)


def make_plan(strategy: Strategy, model: Model = DENSE, chips: int = 0, **more: Any) -> Plan:
    """Return a plan on a pool of the usual kind, with as many chips as the strategy uses."""
    return Plan(job(model, **more), pool(chips or strategy.chips), strategy)


def _read_only(found: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(found)


class _Pickler(pickle.Pickler):
    def reducer_override(self, found: Any) -> Any:
        """Take read-only mappings along, as Ray's own pickler does."""
        return (_read_only, (dict(found),)) if isinstance(found, MappingProxyType) else NotImplemented


def _copy(found: Any) -> Any:
    stream = io.BytesIO()
    _Pickler(stream).dump(found)
    return pickle.loads(stream.getvalue())


def travel(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Map with function, items and answers taken through bytes, as another process would get them."""
    there = _copy(function)
    for item in [_copy(item) for item in items]:
        yield _copy(there(item))


def last_event(log: EventLog, kind: str) -> Event | None:
    """Return the newest event of a kind, or None."""
    return next((entry for entry in reversed(log.events) if entry["event"] == kind), None)


OPERATION_EVENTS = (
    (0.0, "begin", {"nodes": 2, "node": 2, "steps": 12, "saved": None, "host": "here", "pid": 77}),
    (5.0, "start", {"attempt": 1, "layout": "dp4", "chips": [0, 1, 2, 3], "resume": None, "checkpoint_every": 4}),
    (7.0, "training", {"attempt": 1, "step": 0, "seconds": 2.0}),
    (11.0, "checkpoint", {"step": 3}),
    (14.0, "failure", {"attempt": 1, "kind": "killed", "chips": [2], "step": 5, "saved": 3, "workers": [
        {"chip": 2, "rank": 2, "node": 1, "host": "here", "pid": 80, "exit_code": -9, "last_words": "out of [memory]"}]}),
    (14.5, "fenced", {"attempt": 1}),
    (15.0, "start", {"attempt": 2, "layout": "dp3", "chips": [0, 1, 3], "resume": 3, "checkpoint_every": 4}),
    (17.0, "training", {"attempt": 2, "step": 4, "seconds": 3.0}),
    (19.0, "stop", {"step": 5, "signal": "SIGTERM"}),
    (19.5, "checkpoint", {"step": 6}),
    (20.0, "stopped", {"step": 6, "saved": 6}),
    (20.0, "begin", {"nodes": 2, "node": 2, "steps": 12, "saved": 6, "host": "here", "pid": 99}),
    (21.0, "cordon", {"chips": [1]}),
    (22.0, "start", {"attempt": 3, "layout": "dp2", "chips": [0, 3], "resume": 6, "checkpoint_every": 4}),
    (24.0, "training", {"attempt": 3, "step": 7, "seconds": 2.0}),
    (34.0, "done", {"attempt": 3, "step": 11}),
)  # fmt: skip
"""An operation with a failure, a stop, an hour in which nobody operated, and a chip that a person took out."""
PAUSE = 3600.0


def write_operation(folder: Path) -> None:
    """Write the folder of an operation of twelve steps that is done: its order, events and journals."""
    from tianji.backends.options import RunOptions
    from tianji.operation.operating import Order
    from tianji.operation.settings import Settings

    (folder / "attempts").mkdir(parents=True)
    plan = Plan(job(), flat(4), Strategy(dp=4))
    Order(plan, Settings(steps=12), RunOptions(steps=12), mtbf=3600.0, save_time=1.0).write(folder / "operation.json")
    origin = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
    lines, paused = [], 0.0
    for n, (at, event, facts) in enumerate(OPERATION_EVENTS):
        paused = PAUSE if event == "begin" and n else paused
        time = (origin + timedelta(seconds=at + paused)).isoformat(timespec="milliseconds")
        lines.append(json.dumps({"n": n, "at": at, "time": time, "event": event, **facts}))
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    for attempt, first, last, begin in ((1, 0, 5, 6.0), (2, 4, 6, 16.0), (3, 7, 11, PAUSE + 23.0)):
        place = folder / "attempts" / f"{attempt:05d}"
        place.mkdir()
        steps = [
            {
                "event": "step",
                "at": origin.timestamp() + begin + i - first + 1,
                "index": i,
                "seconds": 1.0,
                "loss": 5.0 - 0.1 * i,
            }
            for i in range(first, last + 1)
        ]
        (place / "rank-00000.jsonl").write_text("".join(json.dumps(step) + "\n" for step in steps))
