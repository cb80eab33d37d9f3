"""What is shown of a measured machine: figures and constants by the number of chips at work, with errors and noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tianji.report.view import Cell, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of, share_of
from tianji.units import GB, TERA

NOISY, MISSED = 0.1, 0.5
"""Noise of one repeat, and what a fit misses its samples by, from which a measurement is called that of a busy machine."""
SizeDocument = Mapping[str, Any]


def measured_pool_view(document: Mapping[str, Any]) -> View:
    """Return the figures and constants of all sizes side by side, and how to plan with them."""
    sizes, pool, calibration = document["sizes"], document["pool"], document["calibration"]
    command = f"tianji plan MODEL {pool} --calibration {calibration} --chips {sizes[-1]['chips']} --precision fp32"
    lead = [f"The pool is in {pool}, its calibration in {calibration}.", f"Plan with them: {command}"]
    if noisy := [size for size in sizes if size["noise"] > NOISY or size["misfit"] > MISSED]:
        noise, missed = max(size["noise"] for size in noisy), max(size["misfit"] for size in noisy)
        lead.append(
            f"The machine was busy with other things: a repeat is off by up to {noise:.0%}, the fit by up to {missed:.0%}. The"
            " ranges of plans are as wide as that; measure again when it is quiet."
        )
    names = dict.fromkeys(name for size in sizes for name in size["constants"])
    rows = tuple((name, *(_constant(size["constants"].get(name)) for size in sizes)) for name in names)
    sections = (
        ViewSection("Of one chip", (ViewTable("figures", "", _head(sizes), _figures(sizes)),)),
        ViewSection("Constants", (ViewTable("constants", "", _head(sizes), rows),)),
    )
    highlights = (Highlight("most chips at work", count_of(sizes[-1]["chips"])),)
    return View("This machine as a pool", tuple(lead), highlights, sections)


def _head(sizes: Sequence[SizeDocument]) -> tuple[ViewColumn, ...]:
    return (ViewColumn("chips at work"), *(ViewColumn(str(size["chips"])) for size in sizes))


def _figures(sizes: Sequence[SizeDocument]) -> tuple[tuple[Cell, ...], ...]:
    peaks = [
        (f"{dtype} peak, TFLOP/s", *(_scaled(size["peak"][dtype], TERA) for size in sizes))
        for dtype in sizes[0]["peak"]
    ]
    return (
        *peaks,
        ("memory, GB/s", *(_scaled(size["memory_bandwidth"], GB) for size in sizes)),
        ("links, GB/s", *(_scaled(size["link_bandwidth"], GB) for size in sizes)),
        ("noise of one repeat", *(share_of(size["noise"]) for size in sizes)),
        ("fit misses its samples by", *(share_of(size["misfit"]) for size in sizes)),
    )


def _scaled(value: float | None, scale: float) -> Cell:
    return "" if not value else Number(value, f"{value / scale:.3g}")


def _constant(constant: Mapping[str, Any] | None) -> Cell:
    if constant is None:
        return ""
    value, error = constant["value"], constant["standard_error"]
    sure = "± ?" if error is None else f"±{error:.0%}" if error < 1.0 else "±>99%"
    return Number(value, f"{value:.2g} {sure}")
