"""A measured result beside its prediction: the table and the document of ``tianji explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tianji.units import show

if TYPE_CHECKING:
    from rich.console import Console

    from tianji.backends.explanation import Explanation


def print_explanation(console: Console, found: Explanation) -> None:
    """Print the terms of both results, largest gap first, then what each axis sent, then the remarks."""
    from rich.table import Table

    right: Any = {"justify": "right"}
    table = Table(title="Where a step goes", title_justify="left", box=None, header_style="")
    table.add_column("term")
    for name in ("predicted", "measured", "gap"):
        table.add_column(name, **right)
    for term in found.terms:
        table.add_row(
            term.name,
            _seconds(term.predicted),
            _seconds(term.measured),
            f"{'+' if term.gap > 0 else ''}{_seconds(term.gap)}",
        )
    predicted, measured = found.predicted.step_time.nominal, found.measured.step_time.nominal
    table.add_row("step", _seconds(predicted), _seconds(measured), f"x {found.ratio:.3g}", style="bold")
    console.print(table)
    console.print()
    facts = (
        ("tokens/s", f"{found.predicted.tokens_per_s:,.0f}", f"{found.measured.tokens_per_s:,.0f}"),
        (
            "memory of the fullest chip",
            show(found.predicted.memory_total, "bytes"),
            show(found.measured.memory_total, "bytes"),
        ),
    )
    sent = [(f"{axis} sends of one chip", *(show(x, "bytes") for x in pair)) for axis, pair in found.traffic.items()]
    other = Table(title="Beside it", title_justify="left", box=None, header_style="")
    other.add_column("")
    for name in ("predicted", "measured"):
        other.add_column(name, **right)
    for row in (*facts, *sent):
        other.add_row(*row)
    console.print(other)
    console.print()
    for remark in found.remarks:
        console.print(f"* {remark}.")


def explanation_document(found: Explanation) -> dict[str, Any]:
    """Return the same as plain values, for JSON; times in seconds, sizes in bytes."""
    return {
        "ratio": found.ratio,
        "step_time_s": {"predicted": found.predicted.step_time.nominal, "measured": found.measured.step_time.nominal},
        "terms": [
            {"term": t.name, "predicted_s": t.predicted, "measured_s": t.measured, "gap_s": t.gap} for t in found.terms
        ],
        "tokens_per_s": {"predicted": found.predicted.tokens_per_s, "measured": found.measured.tokens_per_s},
        "memory_bytes": {"predicted": found.predicted.memory_total, "measured": found.measured.memory_total},
        "traffic_bytes": {axis: {"predicted": pair[0], "measured": pair[1]} for axis, pair in found.traffic.items()},
        "remarks": list(found.remarks),
    }


def _seconds(value: float) -> str:
    return show(value, "time") if value else "0"
