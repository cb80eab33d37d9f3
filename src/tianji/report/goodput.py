"""Goodput as tables and as a JSON document: what lasts, where the rest goes, and what each remedy is worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from rich.console import Console, RenderableType
from rich.table import Table

from tianji.catalog import find_sources
from tianji.formatting import format_bytes
from tianji.hardware import Figure
from tianji.hardware.calibration import Calibration
from tianji.hardware.failure_profile import FailureProfile
from tianji.prediction.goodput import Goodput
from tianji.reliability import Expectation
from tianji.reliability.hazards import domain_chips
from tianji.report.documents.cited_figures import figure_document
from tianji.report.documents.goodput_summary import describe_loss
from tianji.report.documents.plan_result import plan_result_document
from tianji.report.documents.request import request_document
from tianji.report.render.terminal import bar, labelled, plain_table
from tianji.report.vocabulary import LOSSES, STORES
from tianji.result import Result
from tianji.units import DAY, HOUR, Dollars, show

MONTH = 30 * DAY / HOUR
"""Hours of the month that remedies are weighed over."""
BAR, TEXT = 24, 72
"""Columns of the longest bar, and those that a table of losses needs beside it."""


def print_goodput(
    console: Console, result: Result, found: Goodput, choices: Mapping[str, Goodput], price: Dollars | None
) -> None:
    """Print the goodput of a plan in full."""
    console.print(goodput_summary(result, found))
    console.print()
    console.print(loss_table(found, console.width))
    console.print()
    console.print(choice_table(found, choices, price))
    console.print()
    console.print(labelled([("Failures", found.profile.title), *(("Note", note) for note in found.profile.notes)]))


def goodput_summary(result: Result, found: Goodput) -> RenderableType:
    """Return what most readers came for: goodput, useful speed, the checkpoint interval and the spares."""
    span, nominal = found.goodput, found.nominal
    how = f", sampled, ± {nominal.standard_error:.2%}" if nominal.standard_error else ""
    rows = [
        ("goodput", f"{span.nominal:.1%} ({span.low:.1%} to {span.high:.1%}{how})"),
        ("useful", f"{result.tokens_per_s * span.nominal:,.0f} of {result.tokens_per_s:,.0f} tokens/s"),
        ("failures", f"one in {show(nominal.mtbf, 'time')} ({show(found.low.mtbf, 'time')} to "
                     f"{show(found.high.mtbf, 'time')}), {show(nominal.recovery_time, 'time')} to recover"),
    ]  # fmt: skip
    if found.reliability.loss == "replica":
        rows.append(("loss", describe_loss(found)))
    rows += [
        (f"save to {STORES[store]}", describe_interval(seconds, result))
        for store, seconds in reversed(list(nominal.intervals.items()))
    ]
    nodes = "node" if found.spare_nodes == 1 else "nodes"
    rows += [
        ("one save", describe_save(nominal)),
        ("spares", f"{found.spare_nodes:,} {nodes}; {found.high.spares_needed:,} / {nominal.spares_needed:,} / "
                   f"{found.low.spares_needed:,} needed at low / nominal / high failure rates"),
    ]  # fmt: skip
    if not result.fits:
        over = result.memory_total - result.memory_limit
        rows.insert(
            0,
            (
                "memory",
                f"this plan does not fit: {format_bytes(over)} over the usable {format_bytes(result.memory_limit)}",
            ),
        )
    if result.days is not None:
        ends = f"{result.days / span.high:,.1f} to {result.days / span.low:,.1f}"
        rows.append(("run", f"{result.days / span.nominal:,.1f} days ({ends}) with failures, at the nominal step time"))
    return labelled(rows)


def describe_interval(seconds: float, result: Result) -> str:
    """Return an interval as a time and a whole number of steps."""
    steps = max(round(seconds / result.step_time.nominal), 1)
    return f"every {show(seconds, 'time')}, {steps:,} step{'s' * (steps > 1)}"


def describe_save(case: Expectation) -> str:
    """Return how long a save stops the training, and how busy it keeps the storage."""
    text = f"stops the training for {show(case.save_time, 'time')}"
    if not case.drain_time or "storage" not in case.intervals:
        return text
    busy = case.drain_time / max(case.intervals["storage"], case.drain_time)
    return f"{text}; the storage writes for {show(case.drain_time, 'time')}, {busy:.0%} of the time"


def loss_table(found: Goodput, width: int) -> Table:
    """Return where the time goes, the longest first; with the goodput it adds up to all of it."""
    longest_bar = min(max(width - TEXT, 0), BAR)
    table = plain_table("Where the time goes, share of wall-clock time")
    for name in ("", "nominal", "many failures", "few failures"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_column("", no_wrap=True)
    nominal = found.nominal.losses
    shown = sorted((kind for kind in LOSSES if any(c.losses[kind] for c in _cases(found))), key=lambda k: -nominal[k])
    most = max((nominal[kind] for kind in shown), default=0.0) or 1.0
    for kind in shown:
        shares = [f"{case.losses[kind]:.2%}" for case in _cases(found)]
        table.add_row(
            LOSSES[kind], *shares, bar(nominal[kind] / most, longest_bar), style="yellow" if shown[0] == kind else ""
        )
    table.add_section()
    table.add_row("goodput", *(f"{case.goodput:.2%}" for case in _cases(found)), style="bold")
    return table


def choice_table(found: Goodput, choices: Mapping[str, Goodput], price: Dollars | None) -> Table:
    """Return what each rung of the recovery ladder, and each other choice, would give and is worth in a month."""
    table = plain_table("What each choice is worth beside yours, in 30 days")
    table.add_column("choice")
    for name in ("goodput", "range", "chip-hours", *(["money"] if price is not None else [])):
        table.add_column(name, justify="right", no_wrap=True)
    for name, other in choices.items():
        gain = other.goodput.nominal - found.goodput.nominal
        hours = found.chip_hours(gain, MONTH)
        money = [f"{'-' if hours < 0 else '+'}{show(abs(hours * price), 'money')}"] if price is not None else []
        span = f"{other.goodput.low:.1%} to {other.goodput.high:.1%}"
        table.add_row(name, f"{other.goodput.nominal:.2%}", span, f"{hours:+,.0f}", *money)
    return table


def goodput_document(
    result: Result, found: Goodput, choices: Mapping[str, Goodput], calibration: Calibration, price: Dollars | None
) -> Any:
    """Return the goodput of a plan as plain values; times are seconds, shares are of wall-clock time."""
    plan, span = result.plan, found.goodput
    choice_of = {f.name: getattr(found.reliability, f.name) for f in fields(found.reliability) if f.name != "profile"}
    return {
        "document": "goodput",
        **request_document(plan.job, plan.pool, calibration),
        "plan": plan_result_document(result, found.reliability),
        "goodput": {"low": span.low, "nominal": span.nominal, "high": span.high, "leans_on": span.leans_on},
        "useful_tokens_per_s": result.tokens_per_s * span.nominal,
        "days": None if result.days is None else result.days / span.nominal,
        "spare_nodes": found.spare_nodes,
        "replicas": found.replicas,
        "loss_in_words": describe_loss(found),
        "cases": {
            name: case_document(case) for name, case in zip(("nominal", "low", "high"), _cases(found), strict=True)
        },
        "choices": [
            {
                "name": name,
                "goodput": {"low": o.goodput.low, "nominal": o.goodput.nominal, "high": o.goodput.high},
                "chip_hours_in_30_days": found.chip_hours(o.goodput.nominal - span.nominal, MONTH),
                "money_in_30_days": None
                if price is None
                else found.chip_hours(o.goodput.nominal - span.nominal, MONTH) * price,
            }
            for name, o in choices.items()
        ],
        "price_per_chip_hour": price,
        "reliability": choice_of,
        "failure_domains": {
            name: domain_chips(name, plan.pool, plan.strategy.chips) for name in found.nominal.failures
        },
        "failure_profile": profile_document(found.profile),
    }


def case_document(case: Expectation) -> dict[str, Any]:
    """Return one case: ``low`` is that of low goodput, with many failures."""
    return {
        "goodput": case.goodput,
        "standard_error": case.standard_error,
        "losses": dict(case.losses),
        "mtbf_s": case.mtbf,
        "recovery_time_s": case.recovery_time,
        "save_time_s": case.save_time,
        "drain_time_s": case.drain_time,
        "checkpoint_intervals_s": dict(case.intervals),
        "spares": case.spares,
        "spares_needed": case.spares_needed,
        "failures_per_day": dict(case.failures),
    }


def profile_document(profile: FailureProfile) -> dict[str, Any]:
    """Return a failure profile with the source of each figure."""
    figures = {
        name: value for name in profile.__dataclass_fields__ if isinstance(value := getattr(profile, name), Figure)
    }
    keys = {key.strip() for figure in figures.values() for key in figure.source.split(",")}
    return {
        "name": profile.name,
        "title": profile.title,
        "notes": list(profile.notes),
        "figures": {name: _figure_document(figure) for name, figure in figures.items()},
        "causes": [
            {"name": c.name, "component": c.component, "per": c.per, "count": c.count.value, "source": c.count.source}
            for c in profile.causes
        ],
        "rungs": [
            {"name": r.name, "detection": _figure_document(r.detection), "restart": _figure_document(r.restart)}
            for r in profile.rungs
        ],
        "sources": [asdict(source) for key in sorted(keys) for source in find_sources(key)],
    }


def _figure_document(figure: Figure) -> dict[str, Any]:
    return {**figure_document(figure), "source": figure.source}


def _cases(found: Goodput) -> tuple[Expectation, Expectation, Expectation]:
    return found.nominal, found.low, found.high
