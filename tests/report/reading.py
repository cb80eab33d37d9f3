"""Reads a page as a program would: the values of its numbers, its elements, its tables, its text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from html.parser import HTMLParser


class Reader(HTMLParser):
    """Collects the values of numbers, the names of elements, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.values: list[float] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "data":
            self.values.append(float(found["value"] or "nan"))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    return reader


def numbers(value: object) -> list[float]:
    """Return every number in a document."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return []
    if isinstance(value, (int, float)):
        return [float(value)]
    return [n for inner in (value.values() if isinstance(value, dict) else value) for n in numbers(inner)]  # type: ignore[attr-defined]


def strangers(values: Iterable[float], known: Iterable[float]) -> list[float]:
    """Return the values that are none of the known ones, to the last digits of their arithmetic."""
    ordered = sorted(known)

    def is_known(value: float) -> bool:
        place = bisect_left(ordered, value)
        return any(abs(value - n) <= 1e-12 * abs(n) for n in ordered[max(place - 1, 0) : place + 1])

    return [value for value in values if not is_known(value)]


@dataclass(frozen=True)
class PageCell:
    """One cell of a table on a page: its text as a terminal has it, and its value, where it is a number."""

    text: str
    value: float | None


class TableReader(HTMLParser):
    """Collects the rows of all tables."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[PageCell]]] = []
        self.heads: list[list[str]] = []
        self.text, self.span, self.value = "", "", None
        self.place = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tbody":
            self.tables.append([])
        elif tag == "tr" and len(self.tables) == len(self.heads):
            self.tables[-1].append([])
        elif tag == "thead":
            self.heads.append([])
        elif tag in ("td", "th"):
            self.text, self.span, self.value, self.place = "", "", None, "text"
        elif tag == "small":
            self.place = "span"
        elif tag == "data" and self.place:
            self.value = float(dict(attrs)["value"] or "nan")

    def handle_endtag(self, tag: str) -> None:
        if tag == "td":
            words = f"{self.text} ({self.span})" if self.span else self.text
            self.tables[-1][-1].append(PageCell(words, self.value))
            self.place = ""
        elif tag == "th":
            self.heads[-1].append(self.text)
            self.place = ""
        elif tag == "small":
            self.place = "text"

    def handle_data(self, data: str) -> None:
        if self.place == "text":
            self.text += data
        elif self.place == "span":
            self.span += data


def read_tables(html: str) -> list[list[list[PageCell]]]:
    """Return the rows of every table of a page."""
    reader = TableReader()
    reader.feed(html)
    return [[row for row in table if row] for table in reader.tables]


def read_heads(html: str) -> list[list[str]]:
    """Return the heads of every table of a page."""
    reader = TableReader()
    reader.feed(html)
    return reader.heads
