"""The view of a run: how fast it was, what it learnt, where a step went and what it sent."""

from __future__ import annotations

from collections.abc import Iterator

from tianji.formatting import format_duration
from tianji.report.charts import ChartPoint, ChartSeries, CurveChart
from tianji.report.documents.run import RunDocument
from tianji.report.view import Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.breakdown import breakdown_chart, breakdown_table
from tianji.report.views.cells import bytes_of, count_of, ranged, time_of
from tianji.report.views.plan_result import shorten_layout
from tianji.report.views.request_summary import bottom_lines


def run_view(document: RunDocument) -> View:
    """Return the view of ``tianji run``."""
    sections = [ViewSection("What it learnt", (_losses_in_words(document), loss_chart(document), step_table(document)))]
    if document["breakdown_s"]:
        breakdown = document["breakdown_s"]
        blocks = (
            breakdown_chart(breakdown, "Where the profiled step went"),
            breakdown_table(breakdown, "profiled step"),
        )
        sections.append(ViewSection("Where the profiled step went", blocks))
    if document["traffic"]:
        sections.append(ViewSection("What a step sends", (traffic_table(document),)))
    sections.append(ViewSection("Memory of each rank", (memory_table(document),), is_detail=True))
    return View(
        f"Run: {document['model']} on {document['chips']:,} x {document['chip']}",
        (f"{shorten_layout(document['strategy'])}, engine {document['engine']}, {describe_framework(document)}.",),
        tuple(_highlights(document)),
        tuple(sections),
        Facts((("files", document["folder"]),)),
        bottom_lines(document["bottom_line"]),
    )


def _highlights(document: RunDocument) -> Iterator[Highlight]:
    steps = len(document["step_times_s"])
    note = f"over {steps:,} step{'s' if steps != 1 else ''}, the first {document['warmup']} left out"
    yield Highlight("step", ranged(document["step_time_range_s"], format_duration), note)
    each = f"{document['tokens_per_s_per_chip']:,.0f} for each of {document['chips']:,} chips"
    yield Highlight("tokens/s", count_of(document["tokens_per_s"]), each)
    stands_in = ", which CPU processes stood in for" if document["stands_in"] else ""
    mfu = Number(document["mfu"], f"{100 * document['mfu']:.3g} %")  # of processes it is far below a tenth of a percent
    yield Highlight("MFU", mfu, f"of the peak of the plan's {document['plan_chip']}{stands_in}")
    whole = "of the whole process" if document["chip"] == "cpu" else "of the allocator"
    yield Highlight("memory", bytes_of(document["memory_total_bytes"]), f"at most on a chip, {whole}")


def describe_framework(document: RunDocument) -> str:
    """Return the library that trained, with its version."""
    versions = document["versions"]
    name = "mindspore" if "mindspore" in versions else "torch"
    return f"{name} {versions.get(name, '?')}"


def _losses_in_words(document: RunDocument) -> str:
    losses = document["losses"]
    return f"The loss was {losses[0]:.4f} at first and {losses[-1]:.4f} at last."


def loss_chart(document: RunDocument) -> CurveChart:
    """Return the loss of each step."""
    losses = document["losses"]
    points = tuple(ChartPoint(float(step), loss, f"step {step}: {loss:.4f}") for step, loss in enumerate(losses))
    series = (ChartSeries("loss", points),)
    return CurveChart("losses", "The loss of each step", "optimizer steps", "loss", series, from_zero=False)


def step_table(document: RunDocument) -> ViewTable:
    """Return loss, gradient norm and time of each step; warm-up steps have no time."""
    times, losses = document["step_times_s"], document["losses"]
    timed = len(losses) - len(times)
    rows = tuple(
        (
            Number(step, f"{step}"),
            Number(loss, f"{loss:.4f}"),
            Number(norm, f"{norm:.3g}"),
            time_of(times[step - timed]) if step >= timed else "not measured",
        )
        for step, (loss, norm) in enumerate(zip(losses, document["gradient_norms"], strict=True))
    )
    columns = (ViewColumn("step"), ViewColumn("loss"), ViewColumn("gradient norm"), ViewColumn("time", "s"))
    return ViewTable("steps", "", columns, rows, most=6, thinning="even")


def traffic_table(document: RunDocument) -> ViewTable:
    """Return what one chip sends along each axis."""
    rows = tuple(
        (axis, count_of(traffic["calls"]), bytes_of(traffic["bytes"])) for axis, traffic in document["traffic"].items()
    )
    columns = (ViewColumn("axis"), ViewColumn("calls"), ViewColumn("sent by one chip", "bytes"))
    return ViewTable("traffic", "", columns, rows)


def memory_table(document: RunDocument) -> ViewTable:
    """Return the peak of each rank."""
    peaks = document["memory_peaks_bytes"]
    rows = tuple((Number(rank, f"{rank}"), bytes_of(peak)) for rank, peak in enumerate(peaks))
    return ViewTable("memory", "", (ViewColumn("rank"), ViewColumn("peak", "bytes")), rows)
