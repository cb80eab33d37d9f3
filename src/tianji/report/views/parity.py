"""What is shown of a judgement of parity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from tianji.formatting import format_percent
from tianji.report.charts import ChartPoint, ChartSeries, CurveChart
from tianji.report.documents.parity import MoveDumpsDocument, MoveParityDocument
from tianji.report.view import Block, Cell, Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of
from tianji.report.views.request_summary import bottom_lines

Document = Mapping[str, Any]
BAND = 0.01
"""Half-width of the band around the reference: the tightest rule for a mean loss."""
_LEADS = {
    "pass": "Parity holds by every check that these runs allow.",
    "beyond the noise": "Inside the standards, yet further apart than noise explains: look at it before you go on.",
    "fail": "Parity fails.",
}


def parity_view(document: MoveParityDocument) -> View:
    """Return what is shown of ``parity_document``."""
    checks = document["checks"]
    failed = sum(check["outcome"] == "fail" for check in checks)
    highlights = [
        Highlight("checks that fail", Number(failed, f"{failed}", span=f"of {len(checks)}")),
        Highlight("steps compared", count_of(document["steps"])),
        Highlight("repeats of the reference", count_of(document["repeats"])),
    ]
    reference, candidate = document["reference"], document["candidate"]
    asked = Facts(
        (
            ("Reference", f"{reference['name']} ({reference['kind']}, {reference['steps']:,} steps)"),
            ("Candidate", f"{candidate['name']} ({candidate['kind']}, {candidate['steps']:,} steps)"),
            ("Rounding", f"that of {document['precision']}"),
        )
    )
    sections = tuple(section for section in parity_sections(document) if section.blocks)
    bottom = bottom_lines(document["bottom_line"])
    return View("Parity of two runs", parity_lead(document), tuple(highlights), sections, asked, bottom)


def parity_lead(document: Document) -> tuple[str, ...]:
    """Return the outcome as a sentence, and where the runs part."""
    divergence = document["divergence"]
    parts = () if divergence is None else (f"The runs part at step {divergence['step']}: {divergence['stage']}.",)
    return (_LEADS[document["outcome"]], *parts)


def parity_sections(document: Document) -> list[ViewSection]:
    """Return the checks, both curves and what stays open."""
    return [
        ViewSection("Checks", (check_table(document["checks"]),)),
        ViewSection("Curves", (loss_chart(document),)),
        ViewSection("What stays open", tuple(document["open"])),
    ]


def check_table(checks: Sequence[Document]) -> ViewTable:
    """Return every check with its limit, its noise and its source."""
    columns = (
        ViewColumn("check"),
        ViewColumn("outcome"),
        ViewColumn("what was measured"),
        ViewColumn("limit"),
        ViewColumn("noise", "1", rank=1),
        ViewColumn("source", rank=2),
    )
    rows: list[tuple[Cell, ...]] = []
    for check in checks:
        noise: Cell = "unknown" if check["noise"] is None else Number(check["noise"], f"{check['noise']:.1e}")
        rows.append((check["name"], check["outcome"], check["says"], check["limit"], noise, check["source"] or "-"))
    return ViewTable("checks", "", columns, tuple(rows))


def loss_chart(document: Document) -> CurveChart:
    """Return both losses over the steps, with a band around the reference."""
    curves = document["curves"]
    series = []
    for label, key in zip(_labels(document), ("reference", "candidate"), strict=True):
        points = [
            ChartPoint(
                step,
                loss,
                f"{loss:.4g}",
                *((loss * (1 - BAND), loss * (1 + BAND)) if key == "reference" else (None, None)),
            )
            for step, loss in zip(curves["steps"], curves[key], strict=True)
            if loss is not None
        ]
        series.append(ChartSeries(label, tuple(points)))
    note = f"The band is {format_percent(BAND, 0)} on either side of the reference."
    divergence = document["divergence"]
    marks = () if divergence is None else ((1, float(divergence["step"]), f"they part at step {divergence['step']:,}"),)
    return CurveChart("losses", "Loss by step", "step", "loss", tuple(series), from_zero=False, marks=marks, note=note)


def _labels(document: Document) -> tuple[str, str]:
    """Return what the curves are called: the part that each plays, and the last parts of its path that tell it apart."""
    paths = [PurePath(document[key]["name"]).parts for key in ("reference", "candidate")]
    depth = next((d for d in (1, 2, 3) if len({path[-d:] for path in paths}) == 2), 1)
    first, second = ("/".join(path[-depth:]) for path in paths)
    return f"reference: {first}", f"candidate: {second}"


def dump_view(document: MoveDumpsDocument) -> View:
    """Return what is shown of ``dump_document``."""
    first = document["first"]
    lead = [
        "No call differs by msprobe's rules."
        if first is None
        else f"The dumps first part at {first['name']}: {first['reason']}."
    ]
    blocks: list[Block] = []
    if first is not None:
        facts = [
            ("Call", first["name"]),
            ("Flag", first["flag"]),
            ("Module", first["parent"] or "-"),
            ("Code", first["stack"] or "-"),
        ]
        blocks.append(Facts(tuple(facts)))
    columns = (
        ViewColumn("call"),
        ViewColumn("flag"),
        ViewColumn("input", "1"),
        ViewColumn("output", "1"),
        ViewColumn("reason", rank=1),
    )
    rows = tuple(
        (c["name"], c["flag"], _difference(c["input_difference"]), _difference(c["output_difference"]), c["reason"])
        for c in document["flagged"]
    )
    table = ViewTable("calls", "", columns, rows, most=20)
    sections = [
        ViewSection("First divergence", tuple(blocks)),
        ViewSection("Calls with a flag", (table,) if rows else ()),
    ]
    if document["missing"]:
        names = ", ".join(document["missing"][:5])
        sections.append(ViewSection("Only in the reference", (f"{len(document['missing'])} calls, such as {names}",)))
    highlights = (
        Highlight("calls compared", count_of(document["calls"])),
        Highlight("red", count_of(document["red"])),
        Highlight("yellow", count_of(document["yellow"])),
        Highlight("within assert_close", count_of(document["close"]), "by their statistics"),
    )
    asked = Facts((("Reference", document["reference"]), ("Candidate", document["candidate"])))
    shown, bottom = tuple(s for s in sections if s.blocks), bottom_lines(document["bottom_line"])
    return View("Parity of two dumps", tuple(lead), highlights, shown, asked, bottom)


def _difference(value: float | None) -> Cell:
    return "not finite" if value is None else Number(value, f"{value:.2g}")
