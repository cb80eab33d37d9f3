"""A view as a page: one HTML document that asks nobody for anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from xml.etree.ElementTree import Element

from tianji.report.charts import Chart
from tianji.report.render.html.sources import link_sources
from tianji.report.render.markup import Child, tag, to_html
from tianji.report.render.svg.canvas import chart_style
from tianji.report.render.svg.drawing import NARROW, draw_chart
from tianji.report.view import (
    Block,
    Cell,
    Facts,
    Highlight,
    Number,
    Publications,
    View,
    ViewColumn,
    ViewSection,
    ViewTable,
)  # fmt: skip

STYLE = Path(__file__).parent / "page.css"
ASKED = "What was asked"
"""Heading of what an answer answers."""
SLIM, SLIM_WITH_TEXT = 6, 4
"""Columns up to which a table stands beside another part: without long texts, and with them."""
SOURCE = "source"
"""Column whose cells hold addresses."""
LONG = 28
"""Letters from which on a text needs room to wrap."""


def write_html(view: View, command: str = "") -> str:
    """Return a view as an HTML document; ``command`` is what makes it again."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content="default-src 'none'; style-src 'unsafe-inline'"),
        tag("title", f"{view.title} - Tianji"),
        tag("style", STYLE.read_text(encoding="utf-8") + chart_style()),
    )
    sections = in_page_order(view)
    drawn = [_section(section, place) for place, section in enumerate(sections)]
    body = tag("body", _header(view, sections), tag("main", *drawn), _footer(command))
    return "<!doctype html>\n" + to_html(tag("html", head, body, lang="en")) + "\n"


def in_page_order(view: View) -> tuple[ViewSection, ...]:
    """Return the sections of a page: the answer, what was asked, then the details."""
    answer = tuple(section for section in view.sections if not section.is_detail)
    details = tuple(section for section in view.sections if section.is_detail)
    asked = (ViewSection(ASKED, (view.asked,)),) if view.asked.rows else ()
    return (*answer, *asked, *details)


def _header(view: View, sections: Sequence[ViewSection]) -> Element:
    links = [tag("a", section.title, href=f"#s{place}") for place, section in enumerate(sections)]
    return tag(
        "header", tag("h1", view.title), *(tag("p", text, class_="bottom") for text in view.bottom),
        *(tag("p", text, class_="lead") for text in view.lead),
        tag("div", *map(_tile, view.highlights), class_="tiles"), tag("nav", *links),
    )  # fmt: skip


def _tile(highlight: Highlight) -> Element:
    """Return a number with its range and its note below it; a tile with neither keeps the height of the others."""
    lines = [line for line in (highlight.number.span, highlight.note) if line] or ["\u00a0"]
    below = (tag("span", line) for line in lines)
    return tag("div", tag("span", highlight.label), tag("b", _data(highlight.number)), *below, class_="tile")


def _footer(command: str) -> Element:
    again: list[Child] = ["; made by ", tag("code", command)] if command else []
    return tag("footer", f"Tianji {version('tianji')}", *again, ".")


def _section(section: ViewSection, place: int) -> Element:
    blocks: list[Element] = []
    for flows, run in groupby(section.blocks, key=lambda block: isinstance(block, (Chart, ViewTable))):
        drawn = list(_blocks(run, section.title))
        blocks += [tag("div", *drawn, class_="flow")] if flows else drawn
    return tag("section", tag("h2", section.title), *blocks, id=f"s{place}")


def _blocks(blocks: Iterable[Block], heading: str) -> Iterator[Element]:
    for block in blocks:
        if isinstance(block, str):
            yield tag("p", block)
        elif isinstance(block, ViewTable):
            yield _table(block, heading)
        elif isinstance(block, Facts):
            yield tag(
                "dl", *(tag(name, text) for row in block.rows for name, text in zip(("dt", "dd"), row, strict=True))
            )
        elif isinstance(block, Publications):
            yield tag("ul", *(_publication(*row) for row in block.rows), class_="sources")
        else:
            wide, narrow = draw_chart(block), draw_chart(block, NARROW)
            yield tag("figure", tag("div", wide, class_="wide"), tag("div", narrow, class_="narrow"), id=block.name)


def _table(table: ViewTable, heading: str) -> Element:
    is_number = [_holds_numbers(table.rows, place) for place in range(len(table.columns))]
    head = tag("tr", *(_head(column, right) for column, right in zip(table.columns, is_number, strict=True)))
    # A narrow screen shows a row as a card, each cell with its head; the first cell is the card's own.
    heads = [None, *(column.title or None for column in table.columns[1:])]
    rows = [
        tag("tr", *map(_cell, row, is_number, heads), class_="best" if place in _strong_rows(table) else None)
        for place, row in enumerate(table.rows)
    ]
    caption = tag("caption", table.title) if table.title else None
    note = tag("p", table.note, class_="soft") if table.note else None
    whole = tag("table", caption, tag("thead", head), tag("tbody", *rows))
    class_ = "scroll slim" if _is_slim(table) else "scroll"
    return tag("div", whole, note, class_=class_, tabindex="0", role="region", aria_label=table.title or heading)


def _strong_rows(table: ViewTable) -> set[int | None]:
    return {table.best, len(table.rows) - 1 if table.has_total else None}


def _is_slim(table: ViewTable) -> bool:
    """Whether a table is narrow enough to stand beside another; long texts take the room of columns."""
    is_wordy = any(isinstance(cell, str) and len(cell) > LONG for row in table.rows for cell in row)
    return len(table.columns) <= (SLIM_WITH_TEXT if is_wordy else SLIM)


def _holds_numbers(rows: Sequence[Sequence[Cell]], place: int) -> bool:
    return any(isinstance(row[place], Number) for row in rows)


def _head(column: ViewColumn, right: bool) -> Element:
    return tag("th", column.title, class_="n" if right else None, scope="col")


def _cell(cell: Cell, right: bool, head: str | None) -> Element:
    if isinstance(cell, Number):
        span = tag("small", cell.span) if cell.span else None
        return tag("td", _data(cell), span, class_="n", data_head=head)
    if head == SOURCE:
        return tag("td", *link_sources(cell), class_="s", data_head=head)
    return tag("td", cell, class_="w" if len(cell) > LONG else "n" if right else None, data_head=head)


def _data(number: Number) -> Element:
    """Return a number as people read it, with its whole value for programs and for whoever points at it."""
    return tag("data", number.text, value=repr(float(number.value)), title=f"{number.value:.10g}")


def _publication(key: str, title: str, url: str, kind: str) -> Element:
    words: list[Child] = [tag("b", key), " "] if key else []
    words.append(f"{title} ({kind}) " if kind else f"{title} ")
    is_address = url.startswith(("https://", "http://"))
    return tag("li", *words, tag("a", url, href=url, rel="noreferrer") if is_address else url)
