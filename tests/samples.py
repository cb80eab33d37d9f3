"""Chips, pools, models and jobs with round figures, so that a test's numbers can be worked out by hand."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
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
