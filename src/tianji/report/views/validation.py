"""What is shown of a validation: predicted beside measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tianji.formatting import count_noun, format_percent
from tianji.report.charts import ChartPoint, ChartSeries, ScatterChart
from tianji.report.documents.validation import (
    AccuracyDocument,
    GroupDocument,
    MemoryAccuracyDocument,
    RankingDocument,
    SweepDocument,
    ValidationDocument,
    ValidationRowDocument,
)
from tianji.report.view import Cell, Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of
from tianji.report.views.request_summary import bottom_lines
from tianji.report.vocabulary import percent_of, signed_percent_of

INSIDE = 0.9
"""Share of the rows inside the band around the diagonal."""
WIDEST_BAND = 0.95
"""A band to below nothing could not be drawn on a logarithmic axis."""
TIME = (
    ViewColumn("rows"),
    ViewColumn("median error", "1"),
    ViewColumn("90th percentile", "1"),
    ViewColumn("bias", "1"),
)
RANGE = ViewColumn("in 80 % range", "1")
MOST_ROWS = 12
"""Rows that a terminal shows, the worst first."""
MOST_SWEEPS = 8
MOST_REASONS = 8


def validation_view(document: ValidationDocument) -> View:
    """Return the accuracy of all rows and by group, the sweeps, the rows with the worst first, and what was skipped."""
    summary = document["summary"]
    time, memory = summary["step_time"], summary["memory"]
    predicted = [row for row in document["rows"] if row["status"] == "predicted"]
    share = format_percent(memory["share_called_out_of_memory"])
    alarms = (
        f"{memory['called_out_of_memory']:,} of {memory['ran']:,} rows that ran ({share}) are"
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
        sections.append(ViewSection("Layouts of one job", (_sweep_table(summary["sweeps"], summary["ranking"]),)))
    if predicted:
        sections.append(ViewSection("Rows, the worst first", (_row_table(predicted),)))
        if called_out := [row for row in predicted if row["fits"] is False]:
            sections.append(ViewSection("Rows that ran and are called out of memory", (_called_out_table(called_out),)))
    if summary["reasons"]:
        sections.append(ViewSection("Skipped rows", (_reason_table(document["rows"], summary["reasons"]),)))
    if summary["hints"]:
        sections.append(ViewSection("What is not read", (Facts(tuple(("", hint) for hint in summary["hints"])),)))
    return View("Predicted against measured", lead, kept, tuple(sections), bottom=bottom_lines(document["bottom_line"]))


def scatter_chart(rows: Sequence[ValidationRowDocument]) -> ScatterChart:
    """Return predicted against measured step times of predicted rows, a series for each chip, the largest first."""
    series: dict[str, list[ChartPoint]] = {}
    for row in rows:
        measured, guess = row["measured_step_time_s"] or 0.0, row["predicted_step_time_s"] or 0.0
        text = f"{row['id']}: {measured:.3g} s measured, {guess:.3g} s predicted"
        series.setdefault(row["chip"] or "", []).append(ChartPoint(measured, guess, text))
    ordered = sorted(series.items(), key=lambda item: -len(item[1]))
    errors = sorted(abs(row["error"] or 0.0) for row in rows)
    band = errors[min(int(INSIDE * len(errors)), len(errors) - 1)] if errors else 0.0
    by_chip = tuple(ChartSeries(f"{chip} ({len(points):,})", tuple(points), is_line=False) for chip, points in ordered)
    note = f"Band: {format_percent(INSIDE, 0)} of the rows are within {percent_of(band)}." if errors else ""
    return ScatterChart(
        "accuracy", "Step time, predicted against measured", "measured, s", "predicted, s", by_chip,
        min(band, WIDEST_BAND), note=note,
    )  # fmt: skip


def _share(value: float | None) -> Cell:
    return "" if value is None else Number(value, percent_of(value))


def _bias(value: float | None) -> Cell:
    return "" if value is None else Number(value, signed_percent_of(value))


def _accuracy_cells(accuracy: AccuracyDocument | MemoryAccuracyDocument) -> tuple[Cell, ...]:
    return (
        count_of(accuracy["count"]),
        _share(accuracy["median_error"]),
        _share(accuracy["p90_error"]),
        _bias(accuracy["bias"]),
    )


def _summary_table(time: AccuracyDocument, memory: MemoryAccuracyDocument) -> ViewTable:
    rows = (("step time", *_accuracy_cells(time), _share(time["coverage"])), ("memory", *_accuracy_cells(memory), ""))
    return ViewTable("summary", "All rows together", (ViewColumn("of"), *TIME, RANGE), rows)


def _group_table(by: str, groups: Mapping[str, GroupDocument]) -> ViewTable:
    rows = tuple(
        (name, *_accuracy_cells(group["step_time"]), _share(group["step_time"]["coverage"]),
         _share(group["memory"]["median_error"]))
        for name, group in groups.items()
    )  # fmt: skip
    columns = (ViewColumn(by), *TIME, RANGE, ViewColumn("median error of memory", "1"))
    return ViewTable(f"by-{by}", f"Step time, by {by}", columns, rows)


def _sweep_table(sweeps: Sequence[SweepDocument], ranking: RankingDocument) -> ViewTable:
    columns = (
        ViewColumn("job"),
        ViewColumn("source", rank=1),
        ViewColumn("layouts"),
        ViewColumn("Spearman"),
        ViewColumn("regret of our pick", "1"),
    )
    rows = tuple(
        (f"{s['architecture']} on {s['chips']:,} {s['chip']}", s["source"], Number(s["layouts"], f"{s['layouts']:,}"),
         Number(s["spearman"], f"{s['spearman']:.2f}"), _share(s["regret"]))
        for s in sweeps
    )  # fmt: skip
    chosen, ranked = ranking["chosen"], ranking["ranked"]
    notes = ["Spearman and regret over all need sweeps of four layouts or more; there is none."] if not chosen else [
        f"Over {count_noun(chosen, 'sweep')} of four layouts or more: mean regret {percent_of(ranking['regret'])}, exact best in "
        f"{percent_of(ranking['exact'])}."
    ]  # fmt: skip
    if ranking["spearman"] is not None:
        notes.append(f"Median Spearman of the {ranked} with five or more: {ranking['spearman']:.2f}.")
    note = " ".join(notes)
    title = "Order, and the measured price of our pick"
    return ViewTable("sweeps", title, columns, rows, note=note, most=MOST_SWEEPS)


def _reason_table(rows: Sequence[ValidationRowDocument], reasons: Mapping[str, int]) -> ViewTable:
    """Return why rows were skipped, with the first of each reason: it leads to the line of the table."""
    first: dict[str | None, str] = {}
    for row in rows:
        first.setdefault(row["reason"], row["id"])
    cells = tuple((count_of(count), reason, first[reason]) for reason, count in reasons.items())
    columns = (ViewColumn("rows"), ViewColumn("reason"), ViewColumn("the first"))
    return ViewTable("skipped", "", columns, cells, most=MOST_REASONS)


def _row_table(rows: Sequence[ValidationRowDocument]) -> ViewTable:
    columns = (
        ViewColumn("row"),
        ViewColumn("chip"),
        ViewColumn("measured", "s"),
        ViewColumn("predicted", "s", is_ranged=True),
        ViewColumn("error", "1"),
        ViewColumn("measured memory", "GiB", rank=1),
        ViewColumn("predicted memory", "GiB", rank=1),
        ViewColumn("source", rank=2),
    )
    worst_first = sorted(rows, key=lambda row: -abs(row["error"] or 0.0))
    return ViewTable("rows", "", columns, tuple(map(_row, worst_first)), most=MOST_ROWS)


def _called_out_table(rows: Sequence[ValidationRowDocument]) -> ViewTable:
    columns = (
        ViewColumn("row"),
        ViewColumn("chip"),
        ViewColumn("layout"),
        ViewColumn("predicted memory", "GiB"),
        ViewColumn("measured memory", "GiB"),
        ViewColumn("source", rank=1),
    )
    cells = tuple(
        (row["id"], row["chip"] or "", row["layout"] or "", _gibibytes(row["predicted_memory_gb"]),
         _gibibytes(row["measured_memory_gb"]), row["source"] or "")
        for row in rows
    )  # fmt: skip
    return ViewTable("called-out", "", columns, cells, most=MOST_ROWS)


def _gibibytes(value: float | None) -> Cell:
    return "" if value is None else Number(value, f"{value:.1f}")


def _row(row: ValidationRowDocument) -> tuple[Cell, ...]:
    guess, low, high = row["predicted_step_time_s"], row["low_s"], row["high_s"]
    span = "" if low is None or low == high else f"{low:.3g} to {high:.3g}"
    measured, memory = row["measured_memory_gb"], row["predicted_memory_gb"]
    time = row["measured_step_time_s"] or 0.0
    return (
        row["id"], row["chip"] or "", Number(time, f"{time:.4g} s"),
        "" if guess is None else Number(guess, f"{guess:.4g} s", low, high, span), _bias(row["error"]),
        _gibibytes(measured), _gibibytes(memory), row["source"] or "",
    )  # fmt: skip
