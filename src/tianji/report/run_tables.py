"""What a run measured, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tianji.parallel.layouts import abbreviate_layout
from tianji.units import show

if TYPE_CHECKING:
    from rich.console import Console

    from tianji.result import Result


def print_run(console: Console, result: Result) -> None:
    """Print speed, memory, losses and traffic of a measured result, and where its files are."""
    from rich.table import Table

    from tianji.backends.explanation import HOSTS

    measured = result.measurement
    if measured is None:
        raise ValueError("only a measured result can be printed as a run")
    chips = result.plan.strategy.chips
    chip = result.plan.pool.chip
    time, steps = result.step_time, len(measured.step_times)
    lines = {
        "layout": abbreviate_layout(result.plan.strategy),
        "ran on": f"{chips:,} x {measured.chip}, engine {measured.engine}, {_trained_by(measured.versions)}",
        "step": f"{show(time.nominal, 'time')}, from {show(time.low, 'time')} to {show(time.high, 'time')}"
        f" over {steps} step{'s' if steps != 1 else ''} (first {measured.warmup} left out)",
        "speed": f"{result.tokens_per_s:,.0f} tokens/s, {result.tokens_per_s_per_chip:,.0f} for each of {chips:,} chips",
        "MFU": f"{result.mfu:.2%} of the peak of the plan's {chip.name}"
        + (", which CPU processes stood in for" if measured.chip == "cpu" and chip.vendor.lower() not in HOSTS else ""),
        "loss": f"{measured.losses[0]:.4f} at first, {measured.losses[-1]:.4f} at last",
        "memory": f"{show(result.memory_total, 'bytes')} at most on a chip"
        + (" (whole process)" if measured.chip == "cpu" else ""),
        "files": measured.folder,
    }
    for name, text in lines.items():
        console.print(f"{name:8}{text}")
    if measured.traffic:
        table = Table("axis", "calls", "sent by one chip", title="What a step sends", title_justify="left", box=None)
        for axis, traffic in measured.traffic.items():
            table.add_row(axis, f"{traffic.calls:,}", show(traffic.bytes, "bytes"))
        console.print()
        console.print(table)


def _trained_by(versions: Mapping[str, str]) -> str:
    """Return the library that trained, with its version."""
    name = "mindspore" if "mindspore" in versions else "torch"
    return f"{name} {versions.get(name, '?')}"
