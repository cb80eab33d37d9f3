"""Reads a page as a program would: the values of its numbers, its elements, its text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
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
