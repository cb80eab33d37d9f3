"""A measured step time beside its prediction, in a view: the gap, who may have made it, and one change at a time."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.formatting import format_duration
from tianji.report.documents.measured import MeasuredDocument
from tianji.report.documents.plan_result import PlanResultDocument
from tianji.report.view import Facts, Number, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import share_of, size_of, time_of
from tianji.report.vocabulary import KINDS, signed_percent_of

MOST_CHANGES = 8
"""Rows of changes on a terminal."""


def measured_lead(measured: MeasuredDocument | None, plan: PlanResultDocument) -> Iterator[str]:
    """Yield the sentence on a measured step time that stands before the numbers."""
    if measured is None:
        return
    place = "inside" if measured["is_inside"] else "outside"
    span = plan["step_time_range_s"]
    yield (
        f"Measured {format_duration(measured['step_time_s'])}: {place} the range of {format_duration(span['low'])} to"
        f" {format_duration(span['high'])}, {signed_percent_of(measured['gap_ratio'])} of what is predicted."
    )


def measured_sections(measured: MeasuredDocument | None) -> Iterator[ViewSection]:
    """Yield the sections on a measured step time."""
    if measured is None:
        return
    gap = f"{'+' if measured['gap_s'] >= 0 else '-'}{format_duration(abs(measured['gap_s']))}"
    yield ViewSection("The gap", (_suspects(measured, gap),))
    if measured["causes"]:
        yield ViewSection("What is assumed of the run", (_causes(measured),))
    yield ViewSection("One change at a time", (_changes(measured),) if measured["changes"] else ("None gains.",))
    yield ViewSection("What to measure next", (Facts(tuple(("", text) for text in measured["measure_next"])),))


def _suspects(measured: MeasuredDocument, gap: str) -> ViewTable:
    rows = tuple(
        (
            KINDS.get(s["kind"], s["kind"]),
            time_of(s["predicted_s"]),
            "" if s["alone_s"] is None else time_of(s["alone_s"]),
        )
        for s in measured["suspects"]
    )
    columns = (ViewColumn("term"), ViewColumn("predicted", "s"), ViewColumn("if it made the gap", "s"))
    note = f"The gap is {gap}; the last column is what a term would take if it alone had made it."
    return ViewTable("gap", "", columns, rows, note)


def _causes(measured: MeasuredDocument) -> ViewTable:
    rows = tuple(
        (
            c["cause"],
            time_of(c["step_time_s"]),
            Number(c["longer_ratio"], signed_percent_of(c["longer_ratio"])),
            share_of(c["of_gap"], 0),
            c["flag"],
        )
        for c in measured["causes"]
    )
    columns = (
        ViewColumn("if it had"), ViewColumn("predicted", "s"), ViewColumn("longer", "1"), ViewColumn("of the gap", "1"),
        ViewColumn("flag"),
    )  # fmt: skip
    return ViewTable(
        "causes", "", columns, rows, "The experts are taken in perfect balance, as forced routing has them."
    )


def _changes(measured: MeasuredDocument) -> ViewTable:
    columns = (
        ViewColumn("flag"), ViewColumn("predicted", "s"), ViewColumn("from the measured", "s"), ViewColumn("gain", "1"),
        ViewColumn("chance", "1"), ViewColumn("memory"),
    )  # fmt: skip
    rows = tuple(
        (
            c["flag"],
            time_of(c["step_time_s"]),
            time_of(c["from_measured_s"]),
            share_of(c["gain_ratio"]),
            share_of(c["chance"], 0),
            size_of(c["memory_bytes"]),
        )
        for c in measured["changes"]
    )
    note = (
        "All else as it is; data parallelism takes the chips that are left. Chance: that it gains at all. Memory: of the"
        " fullest chip with it."
    )
    return ViewTable("changes", "", columns, rows, note, most=MOST_CHANGES)
