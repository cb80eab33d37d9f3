"""The view of an operation: its account."""

from __future__ import annotations

from tianji.formatting import format_duration
from tianji.report.charts import BarChart, ChartBar
from tianji.report.documents.operation import AccountDocument, OperationDocument
from tianji.report.view import Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of, share_of, time_of
from tianji.report.views.request_summary import bottom_lines


def operation_view(document: OperationDocument) -> View:
    """Return the view of ``tianji operate``."""
    state = document["state"] + (f": {document['reason']}" if document["reason"] else "")
    highlights = account_highlights(document)
    sections = (ViewSection("Where the time went", (time_chart(document), account_table(document))),)
    asked = Facts((("events", document["events"]),))
    bottom = bottom_lines(document["bottom_line"])
    return View(f"Operation in {document['folder']}", (f"State {state}.",), highlights, sections, asked, bottom)


def account_highlights(document: AccountDocument) -> tuple[Highlight, ...]:
    """Return the few numbers that most readers come for."""
    return (
        Highlight("goodput", share_of(document["goodput"]), f"of {format_duration(document['seconds'])}"),
        Highlight("failures", count_of(document["failures"]), f"in {document['attempts']:,} attempts"),
        Highlight("recovery", time_of(document["recovery_time_s"]), "on average, from the last step to the next"),
    )


def _times(document: AccountDocument) -> tuple[tuple[str, float], ...]:
    """Return where the time went; the last is what no other accounts for."""
    lasting = document["goodput"] * document["seconds"]
    again = max(min(document["lost_steps"] * document["step_time_s"], document["seconds"] - lasting), 0.0)
    return (
        ("steps that last", lasting),
        ("steps done again", again),
        ("starts, recoveries, waiting", max(document["seconds"] - lasting - again, 0.0)),
    )


def time_chart(document: AccountDocument) -> BarChart:
    """Return where the time went."""
    bars = tuple(ChartBar(name, (("time", seconds),), format_duration(seconds)) for name, seconds in _times(document))
    return BarChart("time", "Where the time went", "s", bars)


def account_table(document: AccountDocument) -> ViewTable:
    """Return the account, line by line."""
    rows: list[tuple[str, Number]] = [
        ("steps that last", count_of(document["steps"])),
        ("steps done again", count_of(document["lost_steps"])),
        ("attempts", count_of(document["attempts"])),
        ("failures", count_of(document["failures"])),
        ("restarts to grow", count_of(document["growths"])),
        ("mean time of a step", time_of(document["step_time_s"])),
    ]
    rows += [(f"time of {name}", time_of(seconds)) for name, seconds in _times(document)]
    return ViewTable("account", "", (ViewColumn("account"), ViewColumn("value")), tuple(rows))
