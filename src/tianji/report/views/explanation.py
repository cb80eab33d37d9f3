"""The view of an explanation: the terms of both steps, what stands beside them, and what the gap is made of."""

from __future__ import annotations

from tianji.report.charts import SwingChart
from tianji.report.documents.explanation import ExplanationDocument
from tianji.report.view import Cell, Highlight, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.breakdown import difference_of, swing_of
from tianji.report.views.cells import bytes_of, count_of, time_of
from tianji.report.views.plan_result import shorten_layout
from tianji.report.views.request_summary import bottom_lines


def explanation_view(document: ExplanationDocument) -> View:
    """Return the view of ``tianji explain``."""
    step = document["step_time_s"]
    title = f"Explanation: {document['model']} on {document['pool']}, run on {document['chip']}"
    lead = f"{shorten_layout(document['strategy'])}, engine {document['engine']}: the run took {document['ratio']:.3g} times"
    remarks = tuple(f"* {remark}." for remark in document["remarks"])
    sections = (
        ViewSection("Where a step goes", (gap_chart(document), term_table(document))),
        ViewSection("Beside it", (figure_table(document),)),
        ViewSection("Remarks", remarks),
    )
    highlights = (
        Highlight("predicted step", time_of(step["predicted"])),
        Highlight("measured step", time_of(step["measured"])),
    )
    return View(
        title, (f"{lead} the predicted step.",), highlights, sections, bottom=bottom_lines(document["bottom_line"])
    )


def gap_chart(document: ExplanationDocument) -> SwingChart:
    """Return by how much each term took longer than predicted, or less."""
    swings = tuple(
        swing_of(term["term"], term["gap_s"], difference_of(term["gap_s"]).text)
        for term in document["terms"]
        if term["gap_s"]
    )
    title = "What each term adds to the predicted step, or saves"
    return SwingChart("gaps", title, "s", swings, (0.0, "as predicted"), legend=("less", "more"), colours=(1, 0))


def term_table(document: ExplanationDocument) -> ViewTable:
    """Return the terms of both results; they add up to the steps."""
    rows: list[tuple[Cell, ...]] = [
        (term["term"], time_of(term["predicted_s"]), time_of(term["measured_s"]), difference_of(term["gap_s"]))
        for term in document["terms"]
    ]
    step = document["step_time_s"]
    rows.append(
        (
            "step",
            time_of(step["predicted"]),
            time_of(step["measured"]),
            difference_of(step["measured"] - step["predicted"]),
        )
    )
    columns = (
        ViewColumn("term"),
        ViewColumn("predicted", "s"),
        ViewColumn("measured", "s"),
        ViewColumn("gap", "s"),
    )
    return ViewTable("terms", "", columns, tuple(rows), has_total=True)


def figure_table(document: ExplanationDocument) -> ViewTable:
    """Return speed, memory and what each axis sends, predicted and measured."""
    rows: list[tuple[Cell, ...]] = [
        ("tokens/s", *(count_of(document["tokens_per_s"][kind]) for kind in ("predicted", "measured"))),
        (
            "memory of the fullest chip",
            *(bytes_of(document["memory_bytes"][kind]) for kind in ("predicted", "measured")),
        ),
    ]
    rows += [
        (f"{axis} sends of one chip", bytes_of(sent["predicted"]), bytes_of(sent["measured"]))
        for axis, sent in document["traffic_bytes"].items()
    ]
    return ViewTable("figures", "", (ViewColumn(""), ViewColumn("predicted"), ViewColumn("measured")), tuple(rows))
