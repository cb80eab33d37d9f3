"""What was measured of this machine: for each number of chips at work their figures and constants, with errors and noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tianji.report.render.terminal import plain_table
from tianji.units import GB, TERA

if TYPE_CHECKING:
    from tianji.backends.microbenchmarks.fitting import Fitted
    from tianji.backends.microbenchmarks.measure_machine import Size


NOISY, MISSED = 0.1, 0.5
"""Noise of one repeat, and what a fit misses its samples by, from which a measurement is called that of a busy machine."""


def print_here(console: Console, sizes: Sequence[Size], pool: str, calibration: str) -> None:
    """Print the figures of all sizes side by side, and where they were written."""
    console.print(Text(f"The pool is in {pool}, its calibration in {calibration}.", style="bold"))
    console.print()
    console.print(figures_table(sizes))
    console.print()
    console.print(constants_table(sizes))
    noisy = [size.findings for size in sizes if size.findings.noise > NOISY or size.findings.misfit > MISSED]
    if noisy:
        noise, missed = max(f.noise for f in noisy), max(f.misfit for f in noisy)
        console.print(
            f"\nThe machine was busy with other things: a repeat is off by up to {noise:.0%}, the fit by up to {missed:.0%}. The"
            " ranges of plans are as wide as that; measure again when it is quiet.",
            highlight=False,
        )
    command = f"tianji plan MODEL {pool} --calibration {calibration} --chips {sizes[-1].chips} --precision fp32"
    console.print(Text(f"\nPlan with them: {command}"))


def figures_table(sizes: Sequence[Size]) -> Table:
    """Return rates of one chip by how many are at work, with what the measurements are off by."""
    table = _table("Of one chip", sizes)
    for dtype in sizes[0].findings.peak:
        table.add_row(f"{dtype} peak, TFLOP/s", *(f"{size.findings.peak[dtype] / TERA:.3g}" for size in sizes))
    table.add_row("memory, GB/s", *(f"{size.findings.memory_bandwidth / GB:.3g}" for size in sizes))
    links = (size.findings.link_bandwidth / GB for size in sizes)
    table.add_row("links, GB/s", *(f"{rate:.3g}" if rate else "" for rate in links))
    table.add_row("noise of one repeat", *(f"{size.findings.noise:.1%}" for size in sizes))
    table.add_row("fit misses its samples by", *(f"{size.findings.misfit:.1%}" for size in sizes))
    return table


def constants_table(sizes: Sequence[Size]) -> Table:
    """Return the constants with their standard errors."""
    table = _table("Constants", sizes)
    names = dict.fromkeys(name for size in sizes for name in size.findings.constants)
    for name in names:
        cells = [size.findings.constants.get(name) for size in sizes]
        table.add_row(name, *(_spell(cell) if cell else "" for cell in cells))
    return table


def _spell(cell: Fitted) -> str:
    if cell.error is None:
        return f"{cell.value:.2g} ± ?"
    return f"{cell.value:.2g} ±{cell.error:.0%}" if cell.error < 1.0 else f"{cell.value:.2g} ±>99%"


def _table(title: str, sizes: Sequence[Size]) -> Table:
    table = plain_table(title)
    table.add_column("chips at work", no_wrap=True)
    for size in sizes:
        table.add_column(str(size.chips), justify="right", no_wrap=True)
    return table


def here_document(sizes: Sequence[Size], pool: str, calibration: str) -> dict[str, Any]:
    """Return all of it as plain values, in SI units."""
    return {
        "pool": pool,
        "calibration": calibration,
        "sizes": [
            {
                "chips": size.chips,
                "chip": size.survey.chip,
                "processors": size.survey.processors,
                "threads": size.survey.threads,
                "peak": dict(size.findings.peak),
                "memory_bandwidth": size.findings.memory_bandwidth,
                "link_bandwidth": size.findings.link_bandwidth or None,
                "noise": size.findings.noise,
                "misfit": size.findings.misfit,
                "constants": {
                    name: {"value": f.value, "standard_error": f.error, "samples": f.samples, "source": f.source}
                    for name, f in size.findings.constants.items()
                },
                "samples": [
                    {"probe": s.probe, **s.facts, "seconds": list(s.seconds), "noise": s.noise}
                    for s in size.survey.samples
                ],
            }
            for size in sizes
        ],
    }
