"""The frame of every page: one HTML document that asks nobody for anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from xml.etree.ElementTree import Element

from tianji.report.pages.canvas import chart_style
from tianji.report.pages.charts import Bars, Curves, Scatter, Swings
from tianji.report.pages.drawing import NARROW, draw_chart
from tianji.report.pages.markup import Child, tag, to_html
from tianji.report.pages.parts import Cell, Column, Facts, Number, Page, Part, Publications, Section, Table

STYLE = Path(__file__).parent / "frame.css"
SLIM, SLIM_WITH_TEXT = 6, 4
"""Columns up to which a table stands beside another part: without long texts, and with them."""
LONG = 28
"""Letters from which on a text needs room to wrap."""


def write_html(page: Page, command: str = "") -> str:
    """Return the HTML document of a page; ``command`` is what makes it again."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'"),
        tag("title", f"{page.title} - Tianji"),
        tag("style", STYLE.read_text(encoding="utf-8") + chart_style()),
    )
    sections = [_section(section, place) for place, section in enumerate(page.sections)]
    body = tag("body", _header(page), tag("main", *sections), _footer(command))
    return "<!doctype html>\n" + to_html(tag("html", head, body, lang="en")) + "\n"


def _header(page: Page) -> Element:
    links = [tag("a", section.title, href=f"#s{place}") for place, section in enumerate(page.sections)]
    tiles = [
        tag("div", tag("span", label), tag("b", _data(number)), tag("span", number.span or "\u00a0"), class_="tile")
        for label, number in page.tiles
    ]
    return tag(
        "header", tag("h1", page.title), *(tag("p", text, class_="lead") for text in page.lead),
        tag("div", *tiles, class_="tiles"), tag("nav", *links),
    )  # fmt: skip


def _footer(command: str) -> Element:
    again: list[Child] = ["; made by ", tag("code", command)] if command else []
    return tag("footer", f"Tianji {version('tianji')}", *again, ".")


def _section(section: Section, place: int) -> Element:
    parts: list[Element] = []
    for flows, run in groupby(section.parts, key=lambda part: isinstance(part, (Bars, Swings, Curves, Scatter, Table))):
        drawn = list(_parts(run))
        parts += [tag("div", *drawn, class_="flow")] if flows else drawn
    return tag("section", tag("h2", section.title), *parts, id=f"s{place}")


def _parts(parts: Iterable[Part]) -> Iterator[Element]:
    for part in parts:
        if isinstance(part, str):
            yield tag("p", part)
        elif isinstance(part, Table):
            yield _table(part)
        elif isinstance(part, Facts):
            yield tag(
                "dl", *(tag(name, text) for row in part.rows for name, text in zip(("dt", "dd"), row, strict=True))
            )
        elif isinstance(part, Publications):
            yield tag("ul", *(_publication(*row) for row in part.rows), class_="sources")
        else:
            wide, narrow = draw_chart(part), draw_chart(part, NARROW)
            yield tag("figure", tag("div", wide, class_="wide"), tag("div", narrow, class_="narrow"), id=part.name)


def _table(table: Table) -> Element:
    is_number = [_holds_numbers(table.rows, place) for place in range(len(table.columns))]
    head = tag("tr", *(_head(column, right) for column, right in zip(table.columns, is_number, strict=True)))
    rows = [
        tag("tr", *map(_cell, row, is_number), class_="best" if place == table.best else None)
        for place, row in enumerate(table.rows)
    ]
    note = tag("p", table.note, class_="soft") if table.note else None
    whole = tag("table", tag("caption", table.title), tag("thead", head), tag("tbody", *rows))
    return tag(
        "div",
        whole,
        note,
        class_="scroll slim" if _is_slim(table) else "scroll",
        tabindex="0",
        role="region",
        aria_label=table.title,
    )


def _is_slim(table: Table) -> bool:
    """Whether a table is narrow enough to stand beside another; long texts take the room of columns."""
    is_wordy = any(isinstance(cell, str) and len(cell) > LONG for row in table.rows for cell in row)
    return len(table.columns) <= (SLIM_WITH_TEXT if is_wordy else SLIM)


def _holds_numbers(rows: Sequence[Sequence[Cell]], place: int) -> bool:
    return any(isinstance(row[place], Number) for row in rows)


def _head(column: Column, right: bool) -> Element:
    return tag("th", column.title, class_="n" if right else None, scope="col")


def _cell(cell: Cell, right: bool) -> Element:
    if isinstance(cell, Number):
        return tag("td", _data(cell), tag("small", cell.span) if cell.span else None, class_="n")
    return tag("td", cell, class_="n" if right else "w" if len(cell) > LONG else None)


def _data(number: Number) -> Element:
    """Return a number as people read it, with its whole value for programs and for whoever points at it."""
    return tag("data", number.text, value=repr(float(number.value)), title=f"{number.value:.10g}")


def _publication(key: str, title: str, url: str, kind: str) -> Element:
    words: list[Child] = [tag("b", key), " "] if key else []
    words.append(f"{title} ({kind}) " if kind else f"{title} ")
    is_address = url.startswith(("https://", "http://"))
    return tag("li", *words, tag("a", url, href=url, rel="noreferrer") if is_address else url)
