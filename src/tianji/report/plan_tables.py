"""Tables of a search: the best plans, the front of time against memory, what binds, and why the obvious choice lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tianji.hardware.calibration import Calibration
from tianji.parallel.layouts import abbreviate_layout
from tianji.reliability import Reliability
from tianji.report.accuracy_tables import signed
from tianji.report.differences import describe_changes, difference_table
from tianji.report.headline import headlines
from tianji.report.lasting import lasting_lines
from tianji.report.result_tables import breakdown_table, memory_table
from tianji.report.wording import bar, duration, explain_gain, labelled, plain_table, size, span_of
from tianji.result import Result
from tianji.search import Outcome

if TYPE_CHECKING:
    from tianji.comparison.cheapest_size import Frugal
    from tianji.validation.expected_gains import Promise

MOST_FRONT = 8
"""Rows of the Pareto front; a longer one is thinned evenly, its ends kept."""
BAR = 16
SOON = 0.1
"""Seconds of a search below which its rate says nothing."""
RULE = "tp fills the node, smallest pp that fits"
"""What the naive choice is."""


def print_outcome(
    console: Console, outcome: Outcome, calibration: Calibration, *, explained: Result | None = None,
    reliability: Reliability | None = None, frugal: Frugal | None = None, published: Sequence[Promise] = (),
) -> None:  # fmt: skip
    """Print all that a search found, most wanted first; ``published`` are runs of this very job."""
    best = outcome.results[0]
    lines = [*headlines(best.plan.job, best.plan.pool, calibration), ("Search", describe_search(outcome))]
    if frugal is not None:
        lines.append(("Chosen", describe_choice(frugal)))
    console.print(labelled([*lines, ("Idle", outcome.idle_reason)] if outcome.idle_reason else lines))
    where = breakdown_table(best, console.width, "Where a step of plan 1 goes")
    for part in (top_table(outcome), where, memory_table(best, console.width), front_table(outcome)):
        console.print()
        console.print(part)
    console.print()
    console.print(Text("When chips fail, plan 1", style="bold"))
    console.print(labelled(lasting_lines(best, reliability)))
    console.print()
    console.print(Text("What binds plan 1", style="bold"))
    console.print(labelled(_parted(text) for text in outcome.binding))
    if published:
        console.print()
        console.print(Text("Published runs of this job", style="bold"))
        console.print(labelled((p.prediction.row.id, describe_promise(p)) for p in published))
    if explained is not None:
        _print_against(console, explained, best, "yours")
    elif outcome.naive is not None:
        _print_against(console, outcome.naive, best, "naive")
    else:
        console.print(Text(f"\nThe naive choice ({RULE}) gives nothing legal that fits."))


def _parted(text: str) -> tuple[str, str]:
    head, colon, tail = text.partition(": ")
    return (head, tail) if colon else ("", text)


def describe_search(outcome: Outcome) -> str:
    """Return how much was looked at, and how long it took."""
    found = outcome.search
    rate = f" ({found.candidates / found.seconds:,.0f} a second)" if found.seconds > SOON else ""
    fit = f"{found.feasible:,} fit the memory"
    return f"{found.candidates:,} legal strategies, all priced in {duration(found.seconds)}{rate}; {fit}"


def describe_promise(promise: Promise) -> str:
    """Return what was measured, how well it is predicted, and what plan 1 promises over it and why."""
    row = promise.prediction.row
    told = f"{row.source}: {duration(row.measured_step_time)} a step with {promise.published}"
    known = (
        f"{told}; predicted {signed(promise.prediction.error)}. Plan 1 promises {signed(promise.gain)} more tokens/s"
    )
    return f"{known}{explain_gain(promise.gain, promise.savings(), promise.is_doubtful)}."


def describe_choice(frugal: Frugal) -> str:
    """Return what the chosen number of chips spends, beside all that were offered."""
    spent = frugal.spent
    least = f"{frugal.pool.chips:,} of {frugal.offered:,} chips: the least {frugal.objective} of {frugal.tried} numbers tried,"
    nominal, low, high = (_figure(value) for value in (spent.nominal, spent.low, spent.high))
    figure = f"{nominal} {frugal.unit} ({low} to {high})"
    if frugal.on_all is None or frugal.pool.chips == frugal.offered:
        return f"{least} {figure}"
    return f"{least} {figure}; all {frugal.offered:,} chips: {_figure(frugal.on_all.nominal)}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def top_table(outcome: Outcome) -> Table:
    """Return the fastest plans, best first."""
    results = outcome.results
    has_range = any(span_of(r.step_time) for r in results)
    has_days = results[0].days is not None
    table = plain_table("Fastest plans")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("layout")
    columns = ["step", *(["80 % range"] if has_range else []), "tok/s/chip", "MFU", "memory"]
    for name in (*columns, *(["days"] if has_days else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for place, r in enumerate(results, 1):
        cells = [duration(r.step_time.nominal), *([span_of(r.step_time)] if has_range else [])]
        cells += [f"{r.tokens_per_s_per_chip:,.0f}", f"{r.mfu:.1%}", size(r.memory_total)]
        cells += [f"{r.days:,.1f}"] if r.days is not None else []
        table.add_row(str(place), abbreviate_layout(r.plan.strategy), *cells, style="bold" if place == 1 else "")
    return table


def front_table(outcome: Outcome) -> Table:
    """Return the Pareto front: what less memory costs in time."""
    front = outcome.front
    if len(front) > MOST_FRONT:
        places = sorted({round(i * (len(front) - 1) / (MOST_FRONT - 1)) for i in range(MOST_FRONT)})
        shown = [front[i] for i in places]
    else:
        shown = list(front)
    note = f", {len(shown)} of {len(front)}" if len(shown) < len(front) else ""
    table = plain_table(f"Time against memory: none is both faster and smaller{note}")
    table.add_column("layout")
    for name in ("step", "memory"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("of the usable", no_wrap=True, min_width=BAR)
    for r in shown:
        drawn = Text(bar(r.memory_total / r.memory_limit, BAR), style="magenta")
        table.add_row(abbreviate_layout(r.plan.strategy), duration(r.step_time.nominal), size(r.memory_total), drawn)
    return table


def _print_against(console: Console, result: Result, best: Result, name: str) -> None:
    is_slower = result.step_time.nominal > best.step_time.nominal
    title = f"Why the naive choice lost ({RULE})" if name == "naive" else "Your layout against plan 1"
    lines = [
        (name, abbreviate_layout(result.plan.strategy)),
        ("best", abbreviate_layout(best.plan.strategy)),
        ("changes", describe_changes(result.plan.strategy, best.plan.strategy)),
    ]
    if not result.fits:
        over = size(result.memory_total - result.memory_limit)
        lines.append(("memory", f"{name} does not fit: {over} over the usable {size(result.memory_limit)} of a chip"))
    if name == "naive" and not is_slower:
        title = f"The naive choice is as fast ({RULE})"
    console.print()
    console.print(Text(title, style="bold"))
    console.print(labelled(lines))
    console.print()
    console.print(difference_table(result, best, name))
