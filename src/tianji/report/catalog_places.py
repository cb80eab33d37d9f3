"""Tables of what stands around pools: mixtures of them, sites, and lists of prices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from rich.console import Console
from rich.text import Text

from tianji.catalog import load_quotes, load_site
from tianji.catalog.mixtures import load_mixture
from tianji.hardware import Figure
from tianji.report.render.terminal import labelled, plain_table

UNITS = {"exchange": "CNY for a USD", "electricity": "USD a kWh", "carbon": "kg of CO₂ a kWh"}
"""Of the figures of a site; those of cooling are ratios."""


def mixture_row(name: str) -> list[str]:
    """Return chips, parts and joint of a mixture."""
    found = load_mixture(name)
    joint = f"{found.joint.name}, {found.joint.bandwidth.text}" if found.joint.bandwidth else found.joint.name
    return [f"{found.chips:,}", " + ".join(f"{part.chips:,} × {part.name}" for part in found.parts), joint]


def site_row(name: str) -> list[str]:
    """Return what a site's electricity, carbon and cooling are."""
    found = load_site(name)
    names = ("electricity", "carbon", "pue_air", "pue_liquid")
    return [*(f"{getattr(found, figure).value:g}" for figure in names), found.title]


def price_row(name: str) -> list[str]:
    """Return how many quotes a list has, and of which chips."""
    quotes = load_quotes(name)
    return [f"{len(quotes)}", ", ".join(dict.fromkeys(q.chip for q in quotes))]


def print_mixture(console: Console, name: str) -> None:
    """Print the parts of a mixture and what joins them."""
    found = load_mixture(name)
    lines = [("Mixture", f"{found.name}: {found.title}")]
    lines += [("Part", f"{part.chips:,} x {part.chip.name} of {part.name}") for part in found.parts]
    console.print(labelled(lines))
    console.print()
    _print_figures(console, [(f"{found.joint.name} bandwidth", "", found.joint.bandwidth)])
    for note in found.notes:
        console.print()
        console.print(Text(f"Note: {note}"))


def print_site(console: Console, name: str) -> None:
    """Print the figures of a site."""
    found = load_site(name)
    home = ", ".join(found.vendors) or "all others"
    console.print(labelled([("Site", f"{found.name}: {found.title}"), ("Home of", home)]))
    console.print()
    figures = [(f.name, getattr(found, f.name)) for f in fields(found)]
    _print_figures(console, [(n.replace("_", " "), UNITS.get(n, ""), f) for n, f in figures if isinstance(f, Figure)])


def print_prices(console: Console, name: str) -> None:
    """Print the quotes of a price list."""
    table = plain_table(f"Prices: {name}; a rent is of one chip-hour, a purchase of one chip")
    for column in ("chip", "item", "amount", "date", "market", "source and note"):
        table.add_column(column, justify="right" if column == "amount" else "left")
    for q in load_quotes(name):
        said = f"{q.amount.source}, {q.amount.confidence}. {q.amount.note}".strip(" .")
        table.add_row(q.chip, q.item, f"{q.amount.value:g} {q.currency}", q.date, q.market, said)
    console.print(table)


def _print_figures(console: Console, figures: list[tuple[str, str, Figure | None]]) -> None:
    table = plain_table("Figures")
    for column in ("figure", "value", "low to high", "confidence", "source and note"):
        table.add_column(column, justify="right" if column in ("value", "low to high") else "left")
    for name, unit, figure in figures:
        if figure is None:
            table.add_row(name, "?", "", "unknown", "not published")
            continue
        value = f"{figure.value:g} {unit}".strip() if unit else figure.text
        ends = [figure.value if end is None else end for end in (figure.low, figure.high)]
        span = f"{ends[0]:g} to {ends[1]:g}" if ends[0] != ends[1] else ""
        table.add_row(name, value, span, figure.confidence, f"{figure.source}. {figure.note}".strip(" ."))
    console.print(table)


ROWS: dict[str, tuple[tuple[str, ...], Callable[[str], list[str]]]] = {
    "mixtures": (("name", "all", "parts", "joint"), mixture_row),
    "sites": (("name", "electricity", "carbon", "PUE air", "PUE liquid", "title"), site_row),
    "prices": (("name", "quotes", "of"), price_row),
}
ENTRIES: dict[str, Callable[[Console, str], None]] = {
    "mixtures": print_mixture, "sites": print_site, "prices": print_prices,
}  # fmt: skip
