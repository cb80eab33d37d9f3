"""The page of a validation, made from its JSON document: predicted beside measured."""

from __future__ import annotations

from collections.abc import Sequence

from tianji.report.charts import ChartPoint, ChartSeries, ScatterChart
from tianji.report.view import Cell, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.basis import Document
from tianji.report.vocabulary import percent_of, signed_percent_of

BAND = 0.18
"""Relative error of the band around the diagonal."""
TIME = (
    ViewColumn("rows"),
    ViewColumn("median error", "1"),
    ViewColumn("90th percentile", "1"),
    ViewColumn("bias", "1"),
)
RANGE = ViewColumn("in 80 % range", "1")


def accuracy_page(document: Document) -> View:
    """Return the page of ``verdict_document``."""
    summary = document["summary"]
    time, memory = summary["step_time"], summary["memory"]
    predicted = [row for row in document["rows"] if row["status"] == "predicted"]
    alarms = (
        f"{memory['called_out_of_memory']:,} of {memory['ran']:,} rows that ran ({memory['share_called_out_of_memory']:.1%}) are"
        f" called out of memory. {summary['skipped']:,} rows were skipped."
    )
    lead = (f"Tables: {', '.join(summary['tables'])}. Calibration: {summary['calibration']}.", alarms)
    tiles = (
        ("rows predicted", Number(summary["predicted"], f"{summary['predicted']:,}", span=f"of {summary['rows']:,}")),
        ("median error of step time", _share(time["median_error"])),
        ("90th percentile", _share(time["p90_error"])),
        ("measured inside the 80 % range", _share(time["coverage"])),
        ("median error of memory", _share(memory["median_error"])),
    )
    kept = tuple(Highlight(words, number) for words, number in tiles if isinstance(number, Number))
    sections = [ViewSection("Predicted against measured", (scatter_chart(predicted), _summary_table(time, memory)))]
    sections += [ViewSection(f"By {by}", (_group_table(by, groups),)) for by, groups in summary["groups"].items()]
    if summary["sweeps"]:
        sections.append(ViewSection("Layouts of one job", (_sweep_table(summary["sweeps"]),)))
    sections.append(ViewSection("Every row", (_row_table(predicted),)))
    if summary["reasons"]:
        rows = tuple((reason, Number(count, f"{count:,}")) for reason, count in summary["reasons"].items())
        sections.append(
            ViewSection(
                "Skipped rows", (ViewTable("skipped", "Why", (ViewColumn("reason"), ViewColumn("rows")), rows),)
            )
        )
    return View("Predicted against measured", lead, kept, tuple(sections))


def scatter_chart(rows: Sequence[Document]) -> ScatterChart:
    """Return predicted against measured step times of predicted rows, a series for each chip, the largest first."""
    series: dict[str, list[ChartPoint]] = {}
    for row in rows:
        measured, guess = row["measured_step_time_s"], row["predicted_step_time_s"] or 0.0
        text = f"{row['id']}: {measured:.3g} s measured, {guess:.3g} s predicted"
        series.setdefault(row["chip"], []).append(ChartPoint(measured, guess, text))
    ordered = sorted(series.items(), key=lambda item: -len(item[1]))
    return ScatterChart(
        "accuracy", "Step time, predicted against measured", "measured, s", "predicted, s",
        tuple(ChartSeries(f"{chip} ({len(points):,})", tuple(points), is_line=False) for chip, points in ordered), BAND,
        note=f"Band: {BAND:.0%} to both sides.",
    )  # fmt: skip


def _share(value: float | None) -> Cell:
    return "" if value is None else Number(value, percent_of(value))


def _bias(value: float | None) -> Cell:
    return "" if value is None else Number(value, signed_percent_of(value))


def _accuracy_cells(accuracy: Document) -> tuple[Cell, ...]:
    count = Number(accuracy["count"], f"{accuracy['count']:,}")
    return (count, _share(accuracy["median_error"]), _share(accuracy["p90_error"]), _bias(accuracy["bias"]))


def _summary_table(time: Document, memory: Document) -> ViewTable:
    rows = (("step time", *_accuracy_cells(time), _share(time["coverage"])), ("memory", *_accuracy_cells(memory), ""))
    return ViewTable("summary", "All rows together", (ViewColumn("of"), *TIME, RANGE), rows)


def _group_table(by: str, groups: Document) -> ViewTable:
    rows = tuple(
        (name, *_accuracy_cells(group["step_time"]), _share(group["step_time"]["coverage"]),
         _share(group["memory"]["median_error"]))
        for name, group in groups.items()
    )  # fmt: skip
    columns = (ViewColumn(by), *TIME, RANGE, ViewColumn("median error of memory", "1"))
    return ViewTable(f"by-{by}", f"Step time, by {by}", columns, rows)


def _sweep_table(sweeps: Sequence[Document]) -> ViewTable:
    columns = (
        ViewColumn("job"),
        ViewColumn("source"),
        ViewColumn("layouts"),
        ViewColumn("Spearman"),
        ViewColumn("regret of our pick", "1"),
    )
    rows = tuple(
        (f"{s['architecture']} on {s['chips']:,} {s['chip']}", s["source"], Number(s["layouts"], f"{s['layouts']:,}"),
         Number(s["spearman"], f"{s['spearman']:.2f}"), _share(s["regret"]))
        for s in sweeps
    )  # fmt: skip
    return ViewTable("sweeps", "Layouts of one job, ranked", columns, rows)


def _row_table(rows: Sequence[Document]) -> ViewTable:
    columns = (
        ViewColumn("row"),
        ViewColumn("chip"),
        ViewColumn("measured", "s"),
        ViewColumn("predicted", "s", is_ranged=True),
        ViewColumn("error", "1"),
        ViewColumn("measured memory", "GiB"),
        ViewColumn("predicted memory", "GiB"),
        ViewColumn("source"),
    )
    return ViewTable("rows", "Every predicted row", columns, tuple(map(_row, rows)))


def _row(row: Document) -> tuple[Cell, ...]:
    guess, low, high = row["predicted_step_time_s"], row["low_s"], row["high_s"]
    span = "" if low is None or low == high else f"{low:.3g} to {high:.3g}"
    measured, memory = row["measured_memory_gb"], row["predicted_memory_gb"]
    return (
        row["id"], row["chip"], Number(row["measured_step_time_s"], f"{row['measured_step_time_s']:.4g} s"),
        "" if guess is None else Number(guess, f"{guess:.4g} s", low, high, span), _bias(row["error"]),
        "" if measured is None else Number(measured, f"{measured:.1f}"),
        "" if measured is None or memory is None else Number(memory, f"{memory:.1f}"), row["source"],
    )  # fmt: skip
