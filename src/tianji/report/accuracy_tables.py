"""Tables of a validation for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tianji.formatting import format_duration
from tianji.ranges import Range
from tianji.report.render.terminal import plain_table
from tianji.report.vocabulary import percent_of, signed_percent_of, span_of
from tianji.units import GIB
from tianji.validation import Prediction, Verdict, find_sweeps

MOST_ROWS = 12
"""Rows that are shown one by one: the worst ones of a larger table."""
MOST_SWEEPS = 8
MOST_REASONS = 8


def print_verdict(console: Console, verdict: Verdict, groups: Sequence[str], *, every_row: bool = False) -> None:
    """Print the summary, the accuracy by group, the ranking of sweeps and the rows: all of them, or the worst."""
    console.print(Text.assemble(("Tables       ", "bold cyan"), ", ".join(verdict.tables)))
    console.print(Text.assemble(("Calibration  ", "bold cyan"), verdict.calibration))
    console.print()
    console.print(summary_table(verdict))
    for by in groups:
        console.print()
        console.print(group_table(verdict, by))
    if sweeps := find_sweeps(verdict.predictions):
        console.print()
        console.print(sweep_table(verdict, len(sweeps)))
    if verdict.predictions:
        console.print()
        console.print(row_table(verdict.predictions, every_row))
    if verdict.skipped:
        console.print()
        console.print(reason_table(verdict))


def summary_table(verdict: Verdict) -> Table:
    """Return the figures of all rows together."""
    time, memory = verdict.step_time, verdict.memory
    table = plain_table("Predicted against measured")
    for name in ("", "rows", "median error", "90th percentile", "bias", "in 80 % range"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=True)
    table.add_row(
        "step time",
        f"{time.count:,}",
        percent_of(time.median),
        percent_of(time.p90),
        signed_percent_of(time.bias),
        percent_of(time.coverage),
    )
    if memory.count:
        table.add_row(
            "memory", f"{memory.count:,}", percent_of(memory.median), percent_of(memory.p90), signed_percent_of(memory.bias), ""
        )  # fmt: skip
    table.caption = (
        f"{memory.called_out:,} of {memory.ran:,} rows that ran ({memory.share_called_out:.1%}) are called out of memory; "
        f"{len(verdict.skipped):,} rows were skipped"
    )
    table.caption_justify = "left"
    return table


def group_table(verdict: Verdict, by: str) -> Table:
    """Return the accuracy of each group."""
    table = plain_table(f"By {by}")
    table.add_column(by)
    for name in ("rows", "median", "p90", "bias", "covered", "memory", "rows "):
        table.add_column(name, justify="right", no_wrap=True)
    for name, (time, memory) in verdict.group(by).items():
        table.add_row(
            name,
            f"{time.count:,}",
            percent_of(time.median),
            percent_of(time.p90),
            signed_percent_of(time.bias),
            percent_of(time.coverage),
            percent_of(memory.median),
            f"{memory.count:,}" if memory.count else "",
        )
    return table


def sweep_table(verdict: Verdict, count: int) -> Table:
    """Return how well layouts of one job are ranked, the largest sweeps first."""
    ranking = verdict.ranking
    table = plain_table("Layouts of one job: order, and the measured price of our pick")
    table.add_column("job")
    for name in ("layouts", "Spearman", "regret"):
        table.add_column(name, justify="right", no_wrap=True)
    for s in find_sweeps(verdict.predictions)[:MOST_SWEEPS]:
        job = f"{s.architecture} on {s.chips:,} {s.chip} ({s.source})"
        table.add_row(job, str(len(s.predictions)), f"{s.spearman:.2f}", percent_of(s.regret))
    more = f"{count - MOST_SWEEPS} more; " if count > MOST_SWEEPS else ""
    table.caption = (
        f"{more}over {ranking.chosen} sweeps of four layouts or more: mean regret {percent_of(ranking.regret)}, exact best in "
        f"{percent_of(ranking.exact)}; median Spearman of the {ranking.ranked} with five or more: "
        f"{'' if ranking.spearman is None else f'{ranking.spearman:.2f}'}"
    )
    table.caption_justify = "left"
    return table


def row_table(predictions: Sequence[Prediction], every_row: bool) -> Table:
    """Return rows one by one: all, or the worst of many."""
    shown = list(predictions)
    if not every_row and len(shown) > MOST_ROWS:
        shown = sorted(shown, key=lambda p: -abs(p.error or 0.0))[:MOST_ROWS]
    title = "Every row" if len(shown) == len(predictions) else f"The {len(shown)} worst rows"
    table = plain_table(title)
    has_memory = any(p.row.measured_memory for p in shown)
    table.add_column("row", no_wrap=True)
    table.add_column("chip", no_wrap=True)
    for name in ("measured", "predicted", "80 % range", "error", *(["GiB", "predicted"] if has_memory else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for p in shown:
        measured, guess = p.row.measured_memory, p.memory
        sizes = [f"{measured / GIB:.1f}", f"{guess / GIB:.1f}"] if measured and guess else ["", ""]
        table.add_row(
            p.row.id,
            p.row.pool.chip.name,
            format_duration(p.row.measured_step_time),
            format_duration(p.step_time or 0.0),
            _ends(p),
            signed_percent_of(p.error),
            *(sizes if has_memory else []),
        )
    return table


def _ends(p: Prediction) -> str:
    if p.low is None or p.step_time is None or p.high is None:
        return ""
    return span_of(Range(p.low, p.step_time, p.high))


def reason_table(verdict: Verdict) -> Table:
    """Return why rows were skipped."""
    table = plain_table(f"{len(verdict.skipped):,} rows skipped")
    table.add_column("rows", justify="right")
    table.add_column("reason")
    reasons = verdict.reasons().most_common()
    for reason, count in reasons[:MOST_REASONS]:
        table.add_row(f"{count:,}", Text(reason))
    if len(reasons) > MOST_REASONS:
        rest = sum(count for _, count in reasons[MOST_REASONS:])
        table.add_row(f"{rest:,}", f"{len(reasons) - MOST_REASONS} other reasons (--json lists all)")
    return table
