"""Translate what publishers wrote into the words of typed columns.

``vocabulary.csv`` beside the shipped tables holds the translation: a line says what a text of one column means. A text
between two ellipses counts wherever a cell holds it; any other is the whole cell. ``where`` restricts a line to rows that
have some typed cells already; later lines override earlier ones. A text that no line has is read by its words
(:mod:`tianji.measurements.word_lines`).

The shipped tables were translated once (``docs/generators/measured_tables.py``) and keep the publishers' words beside the
typed cells. A table of somebody else that has the old columns is translated while it is read.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tianji.catalog.entries import DATA
from tianji.measurements.cells import EMPTY
from tianji.measurements.columns import AS_PUBLISHED
from tianji.measurements.word_lines import read_words

VOCABULARY = DATA / "measurements" / "vocabulary.csv"

PUBLISHED: dict[str, str] = {
    "framework": "framework",
    "source": "",
    "chip": "pool",
    "interconnect_scale_up": "",
    "interconnect_scale_out": "",
    "fsdp_zero": "zero",
    "precision": "precision",
    "recompute": "recompute",
    "vp": "vpp",
    "overlap": "",
    "notes": "",
    "id": "",
}
"""Columns of a publisher's words in the order in which they are translated, and the typed column that a text goes to which
is a typed word already. A line for an ``id`` says what is known of one row alone."""

NAMES = {
    "interconnect_scale_up": "scale_up",
    "interconnect_scale_out": "scale_out",
    "fsdp_zero": "sharding",
}
"""What the publisher's words are called after ``as_published_`` where not as the column."""
KEPT = ("source", "notes", "id")
"""Columns that keep their name: nothing else is made of them."""
MARKS = ("fsdp_zero", "vp", "overlap", "interconnect_scale_out")
"""Columns that only tables in a publisher's words have."""
OPEN = ("source", "notes", "id", "interconnect_scale_up")
"""Columns of which most texts mean nothing to a prediction."""


@dataclass(frozen=True, slots=True)
class Translation:
    """What a text means: typed cells, and the typed cells that a row must have for it."""

    means: Mapping[str, str]
    where: Mapping[str, str]

    def applies(self, cells: Mapping[str, str]) -> bool:
        """Return whether a row has all that the entry is restricted to."""
        return all((cells.get(name) or "") == value for name, value in self.where.items())


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The entries of one column: of whole texts, and of phrases in them."""

    whole: dict[str, list[Translation]] = field(default_factory=lambda: defaultdict(list))
    phrases: list[tuple[str, Translation]] = field(default_factory=list)

    def find(self, text: str) -> list[Translation]:
        """Return the entries of a text, those of its phrases first."""
        return [*(entry for phrase, entry in self.phrases if phrase in text), *self.whole.get(text, ())]


@lru_cache(maxsize=1)
def read_vocabulary(path: Path = VOCABULARY) -> dict[str, Vocabulary]:
    """Return the shipped vocabulary by column."""
    columns: dict[str, Vocabulary] = defaultdict(Vocabulary)
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            entry = Translation(_read_cells(line["means"]), _read_cells(line["where"]))
            text = " ".join(line["text"].lower().split())
            if text.startswith("…"):
                columns[line["column"]].phrases.append((text.strip("…"), entry))
            else:
                columns[line["column"]].whole[text].append(entry)
    return columns


def _read_cells(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in pairs}


def is_published(columns: Iterable[str]) -> bool:
    """Return whether a table has columns that only publishers' words stand in."""
    return any(mark in columns for mark in MARKS)


def translate(row: Mapping[str, str]) -> dict[str, str]:
    """Return a row of a publisher's words in typed columns, its words under ``as_published_``.

    A text that is not in the vocabulary is read by its words. Where they say nothing of its typed column it goes there as it
    is, where it is a typed word or refused.
    """
    words = {column: (row.get(column) or "").strip() for column in PUBLISHED}
    cells = {column: text for column, text in row.items() if column not in PUBLISHED or column in KEPT}
    vocabulary = read_vocabulary()
    for column, target in PUBLISHED.items():
        text = " ".join(words[column].lower().split())
        if column not in KEPT:
            cells[f"{AS_PUBLISHED}{NAMES.get(column, column)}"] = words[column]
        entries = vocabulary[column].find(text) if column in vocabulary else []
        reading = None if entries or text in EMPTY else read_words(column, text)
        if reading is not None:
            cells.update(reading.cells)
        if target and not entries and (reading is None or target not in reading.cells):
            cells[target] = _make_name(words[column]) if column == "framework" else words[column]
        for entry in entries:
            if entry.applies(cells):
                cells.update(entry.means)
    return cells


def _make_name(text: str) -> str:
    """Return a name for a framework that nobody has named: its own first two words, so that its rows stay together."""
    start = text.lower().partition("/")[0].partition("(")[0]
    return "-".join("".join(sign if sign.isalnum() else " " for sign in start).split()[:2])


def find_left_over(row: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the columns and words of a row that were not read though the row was: a prediction does not know what they say."""
    left_over = []
    for column, text in find_unknown(row, {}):
        reading = read_words(column, text)
        if reading is not None and reading.left_over:
            left_over.append((column, " ".join(reading.left_over)))
        elif reading is None and not PUBLISHED[column]:
            left_over.append((column, text))
    return left_over


def find_unknown(row: Mapping[str, str], typed_words: Mapping[str, Iterable[str]]) -> list[tuple[str, str]]:
    """Return the columns and texts of a row that the vocabulary lacks and that are no ``typed_words`` of a column either."""
    vocabulary, unknown = read_vocabulary(), []
    for column, target in PUBLISHED.items():
        text = " ".join((row.get(column) or "").lower().split())
        is_known = column in vocabulary and bool(vocabulary[column].find(text))
        is_typed = text in typed_words.get(target, ()) or (column == "vp" and text.isdecimal())
        if text and column not in OPEN and not is_known and not is_typed:
            unknown.append((column, text))
    return unknown
