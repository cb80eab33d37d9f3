"""The view of an operation from its first attempt to its last."""

from __future__ import annotations

from collections.abc import Callable

from tianji.formatting import format_duration
from tianji.report.charts import ChartPoint, ChartSeries, CurveChart
from tianji.report.documents.operation_report import AttemptDocument, OperationReportDocument
from tianji.report.view import Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of, time_of
from tianji.report.views.operation import account_highlights, account_table, time_chart
from tianji.report.views.operation_status import describe_chips
from tianji.report.views.request_summary import bottom_lines

Place = Callable[[AttemptDocument, int], tuple[float, float]]
"""Where one of the listed steps of an attempt lies in a chart."""


def operation_report_view(document: OperationReportDocument) -> View:
    """Return the view of ``tianji operate report``."""
    charts = (progress_chart(document), loss_chart(document)) if any(a["steps"] for a in document["attempts"]) else ()
    sections = [ViewSection("Attempts", (attempt_table(document), *charts))]
    if document["failures"]:
        sections.append(ViewSection("Failures", (failure_table(document),)))
    account = document["account"]
    sections.append(ViewSection("Where the time went", (time_chart(account), account_table(account))))
    began = f", begun {document['began']}" if document["began"] else ""
    return View(
        f"Operation in {document['folder']}", (f"State {document['state']}{began}.",), account_highlights(account),
        tuple(sections), bottom=bottom_lines(document["bottom_line"]),
    )  # fmt: skip


def attempt_table(document: OperationReportDocument) -> ViewTable:
    """Return each attempt: when, how the job was cut, how far it came, and what ended it."""
    columns = (
        ViewColumn("attempt"), ViewColumn("began", "s"), ViewColumn("for", "s"), ViewColumn("layout"),
        ViewColumn("chips", rank=1), ViewColumn("steps"), ViewColumn("ended by"),
    )  # fmt: skip
    rows = tuple(
        (
            count_of(a["attempt"]), Number(a["began_s"], format_duration(max(a["began_s"], 0.0))),
            "at work" if a["seconds"] is None else time_of(a["seconds"]), a["layout"], describe_chips(a["chips"]),
            "none" if a["first_step"] is None else f"{a['first_step']:,} to {a['last_step']:,}", a["end"] or "at work",
        )
        for a in document["attempts"]
    )  # fmt: skip
    return ViewTable("attempts", "", columns, rows, most=20, thinning="even")


def failure_table(document: OperationReportDocument) -> ViewTable:
    """Return each failure with what the culprit said last."""
    columns = (
        ViewColumn("time", rank=1), ViewColumn("attempt"), ViewColumn("kind"), ViewColumn("chips"), ViewColumn("at step"),
        ViewColumn("saved"), ViewColumn("last words"),
    )  # fmt: skip
    rows = tuple(
        (
            f["time"] or "unknown", count_of(f["attempt"]), f["kind"], describe_chips(f["chips"]), count_of(f["step"]),
            "none" if f["saved"] is None else count_of(f["saved"]), f["message"] or "none",
        )
        for f in document["failures"]
    )  # fmt: skip
    return ViewTable("failures", "", columns, rows, most=20, thinning="even")


def progress_chart(document: OperationReportDocument) -> CurveChart:
    """Return the step over the time: an attempt that loses work falls back."""
    return _chart(
        document, "progress", "Steps over the time", "step", lambda a, i: (a["at_s"][i], float(a["steps"][i]))
    )


def loss_chart(document: OperationReportDocument) -> CurveChart:
    """Return the loss of each step, by attempt."""
    return _chart(
        document, "losses", "The loss of each step", "loss", lambda a, i: (float(a["steps"][i]), a["losses"][i])
    )


def _chart(document: OperationReportDocument, name: str, title: str, y_axis: str, place: Place) -> CurveChart:
    x_axis = "seconds since the begin" if name == "progress" else "optimizer steps"
    series = tuple(
        ChartSeries(f"attempt {a['attempt']}", tuple(_point(a, i, place) for i in range(len(a["steps"]))))
        for a in document["attempts"]
        if a["steps"]
    )
    return CurveChart(name, title, x_axis, y_axis, series, from_zero=False)


def _point(a: AttemptDocument, i: int, place: Place) -> ChartPoint:
    x, y = place(a, i)
    return ChartPoint(x, y, f"attempt {a['attempt']}, step {a['steps'][i]}: loss {a['losses'][i]:.4f}")
