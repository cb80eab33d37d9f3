"""The view of a measured machine: for each number of chips at work their rates and constants, with errors and noise."""

from __future__ import annotations

from collections.abc import Sequence

from tianji.formatting import format_percent
from tianji.report.documents.machine import FittedDocument, MachineDocument, MeasuredSizeDocument
from tianji.report.view import Cell, Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import share_of
from tianji.report.views.request_summary import bottom_lines
from tianji.units import GB, TERA

NOISY, MISSED = 0.1, 0.5
"""Noise of one repeat, and what a fit misses its samples by, from which a measurement is called that of a busy machine."""


def machine_view(document: MachineDocument) -> View:
    """Return the view of ``tianji calibrate --here``."""
    sizes = document["sizes"]
    largest = sizes[-1]
    pool, calibration = document["pool"], document["calibration"]
    command = f"tianji plan MODEL {pool} --calibration {calibration} --chips {largest['chips']} --precision fp32"
    lead = [f"The pool is in {pool}, its calibration in {calibration}.", *_warnings(sizes)]
    highlights = (
        Highlight("noise", share_of(max(size["noise"] for size in sizes)), "of one repeat, at most"),
        Highlight("misfit", share_of(max(size["misfit"] for size in sizes)), "of the fit, at most"),
    )
    sections = (
        ViewSection("Of one chip", (rate_table(sizes),)),
        ViewSection("Constants", (constant_table(sizes),)),
    )
    title = f"This machine as a pool of {largest['chips']} x {largest['chip']}"
    asked = Facts((("Plan with it", command),))
    return View(title, tuple(lead), highlights, sections, asked, bottom_lines(document["bottom_line"]))


def _warnings(sizes: Sequence[MeasuredSizeDocument]) -> list[str]:
    busy = [size for size in sizes if size["noise"] > NOISY or size["misfit"] > MISSED]
    if not busy:
        return []
    noise, missed = max(size["noise"] for size in busy), max(size["misfit"] for size in busy)
    return [
        f"The machine was busy with other things: a repeat is off by up to {format_percent(noise, 0)},"
        f" the fit by up to {format_percent(missed, 0)}."
        " The ranges of plans are as wide as that; measure again when it is quiet."
    ]


def _columns(sizes: Sequence[MeasuredSizeDocument]) -> tuple[ViewColumn, ...]:
    return (ViewColumn("chips at work"), *(ViewColumn(f"{size['chips']}") for size in sizes))


def rate_table(sizes: Sequence[MeasuredSizeDocument]) -> ViewTable:
    """Return rates of one chip by how many are at work, with what the measurements are off by."""
    rows: list[tuple[Cell, ...]] = [
        (f"{dtype} peak", *(_flops(size["peak"][dtype]) for size in sizes)) for dtype in sizes[0]["peak"]
    ]
    rows += [
        ("memory", *(_bandwidth(size["memory_bandwidth"]) for size in sizes)),
        ("links", *(_bandwidth(size["link_bandwidth"]) for size in sizes)),
        ("noise of one repeat", *(share_of(size["noise"]) for size in sizes)),
        ("fit misses its samples by", *(share_of(size["misfit"]) for size in sizes)),
    ]
    return ViewTable("rates", "", _columns(sizes), tuple(rows))


def _flops(rate: float) -> Number:
    return Number(rate, f"{rate / TERA:.3g} TFLOP/s")


def _bandwidth(rate: float | None) -> Cell:
    return "none" if rate is None else Number(rate, f"{rate / GB:.3g} GB/s")


def constant_table(sizes: Sequence[MeasuredSizeDocument]) -> ViewTable:
    """Return the constants with their standard errors; the unit of each is that of the calibration file."""
    names = dict.fromkeys(name for size in sizes for name in size["constants"])
    rows = tuple((name, *(_constant(size["constants"].get(name)) for size in sizes)) for name in names)
    return ViewTable("constants", "", _columns(sizes), rows)


def _constant(fitted: FittedDocument | None) -> Cell:
    if fitted is None:
        return "none"
    value, error = fitted["value"], fitted["standard_error"]
    if error is None:
        return Number(value, f"{value:.2g} ± ?")
    return Number(value, f"{value:.2g} ±{format_percent(error, 0)}" if error < 1.0 else f"{value:.2g} ±>99 %")
