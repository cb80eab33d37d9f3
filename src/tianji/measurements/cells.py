"""Read a table of comma-separated values cell by cell: a cell that cannot be used says so in words that can be counted.

Files are untrusted: they are parsed and never executed, and a file of any bytes ends in rows or in a FormatError.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path

from tianji.errors import FormatError
from tianji.input_files import read_text
from tianji.measurements.columns import COLUMNS, TYPES
from tianji.units import MIB, TERA, BytesPerSecond, parse

MAX_SIZE = 64 * int(MIB)
"""Bytes of the largest table that is read; the longest published one has a sixtieth of it."""
MAX_COUNT = 10**9
"""Of anything that a row counts: chips, tokens of a sequence, sequences of a batch, the width of a layer."""

MAX_NUMBER = TERA
"""Of anything that a row measures; one over it is the least."""

EMPTY = ("", "-", "n/a", "na", "nan", "none stated", "not stated", "null")
"""What people write into a cell that they have nothing for."""

NO = ("false", "off", "no", "0")
YES = ("true", "on", "yes", "1")


class CellError(FormatError):
    """A cell holds what its column never may: the table is wrong, not the run unusual."""


class Cells:
    """The cells of one row by column; a missing column reads like an empty cell."""

    def __init__(self, row: Mapping[str, str], line: int) -> None:
        self.row, self.line = row, line

    def text(self, column: str) -> str:
        """Return a cell without the blanks around it; empty when nothing is stated."""
        cell = self.row.get(column)
        return _strip(cell) if cell else ""

    def raw(self, columns: Iterable[str]) -> tuple[str, ...]:
        """Return some cells as they stand: rows that are alike in them have much in common."""
        return tuple([self.row.get(column) or "" for column in columns])

    def require(self, column: str) -> str:
        """Return a cell that must not be empty.

        Raises FormatError when it is.
        """
        text = self.text(column)
        if not text:
            raise FormatError(f"{column} is not stated")
        return text

    def number(self, column: str) -> float | None:
        """Return a positive number, or None for an empty cell.

        Raises CellError for anything else.
        """
        text = self.text(column)
        if not text:
            return None
        # Nearly all cells are plain; the general parser takes ten times as long.
        is_plain = text.isascii() and text.replace(".", "", 1).isdecimal()
        value = float(text) if is_plain else _parse(text, "ratio", column)
        if not 1.0 / MAX_NUMBER <= value <= MAX_NUMBER:
            raise CellError(f"{column}: expected a number above 0 and below {MAX_NUMBER:g}, got {text!r}")
        return value

    def count(self, column: str, default: int | None = None) -> int:
        """Return a whole number of at least 1, or the default for an empty cell.

        Raises CellError for anything else, and FormatError for an empty cell without a default.
        """
        text = self.text(column) if default is not None else self.require(column)
        if not text:
            assert default is not None
            return default
        if len(text) < 10 and text.isascii() and text.isdecimal() and int(text):
            return int(text)  # nearly all cells; the general parser takes ten times as long
        value = _parse(text, "count", column)
        if value != int(value) or not 1 <= value <= MAX_COUNT:
            raise CellError(f"{column}: expected a whole number from 1 to {MAX_COUNT:,}, got {text!r}")
        return int(value)

    def fraction(self, column: str, default: float) -> float:
        """Return a number above 0 and up to 1, also written like 3/8, or the default for an empty cell.

        Raises CellError for anything else.
        """
        text = self.text(column)
        if not text:
            return default
        above, slash, below = text.partition("/")
        value = _parse(above, "ratio", column) / (_parse(below, "ratio", column) or -1.0 if slash else 1.0)
        if not 0.0 < value <= 1.0:
            raise CellError(f"{column}: expected a number above 0 and up to 1, or a fraction like 3/8, got {text!r}")
        return value

    def switch(self, column: str) -> bool | None:
        """Return a yes or a no, or None for an empty cell.

        Raises CellError for anything else.
        """
        text = self.text(column).lower()
        if text and text not in (*YES, *NO):
            raise CellError(f"{column}: expected true or false, got {text!r}")
        return None if not text else text in YES

    def word(self, column: str) -> str:
        """Return one of the words that a column allows, or nothing for an empty cell.

        Raises CellError for any other word.
        """
        cell = self.row.get(column)
        if not cell:
            return ""
        text, allowed = cell.strip().lower(), _allowed_words(column)
        if text not in allowed and text not in EMPTY:
            raise CellError(f"{column}: expected {_list(allowed)}, got {text[:60]!r}")
        return allowed.get(text, "")

    def words(self, column: str) -> tuple[str, ...]:
        """Return some of the words that a column allows, none for an empty cell.

        Raises CellError for any other word.
        """
        text, allowed = self.text(column), COLUMNS[column].words
        words = tuple(text.lower().split())
        if not set(words) <= set(allowed):
            raise CellError(f"{column}: expected some of {', '.join(allowed)}, got {text[:60]!r}")
        return words

    def name(self, column: str) -> str:
        """Return a name in lower case, or nothing for an empty cell.

        Raises CellError for a text with other signs than letters, digits, dots, underscores and hyphens.
        """
        text = self.text(column)
        if not all(sign.isalnum() or sign in "._-" for sign in text):
            raise CellError(f"{column}: expected a name of letters, digits, dots and hyphens, got {text[:60]!r}")
        return text.lower()

    def bandwidth(self, column: str) -> BytesPerSecond | None:
        """Return bytes a second, or None for an empty cell.

        Raises CellError for a text that is no number with a unit.
        """
        text = self.text(column)
        return _parse(text, "bandwidth", column) if text else None


@lru_cache(maxsize=65536)
def _strip(cell: str) -> str:
    """Return a cell without the blanks around it; the same few thousand texts stand in all tables."""
    text = cell.strip()
    return "" if text.lower() in EMPTY else text


@cache
def _allowed_words(column: str) -> Mapping[str, str]:
    """Return the words of a column by their lower case."""
    return {word.lower(): word for word in COLUMNS[column].words}


def _parse(text: str, kind: str, column: str) -> float:
    try:
        return parse(text, kind, column)
    except FormatError:
        known = COLUMNS.get(column)
        expected = f"{TYPES[known.type]}{f', in {known.unit}' if known.unit else ''}" if known else f"a {kind}"
        raise CellError(f"{column}: expected {expected}, got {text[:60]!r}") from None


def _list(words: Mapping[str, str]) -> str:
    *most, last = words.values()
    return f"{', '.join(most)} or {last}" if most else last


def read_cells(path: Path) -> Iterator[Cells]:
    """Yield the rows of a table of comma-separated values whose first line names the columns.

    Raises FormatError, with the file and the line, for what is missing, too large or no such table.
    """
    text = read_text(path, "a table of measured runs, as comma-separated values", MAX_SIZE)
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [name.strip() for name in next(lines, [])]
        if not {"id", "n_chips"} <= set(columns) or not {"pool", "chip"} & set(columns):
            raise FormatError(
                f"{path}: expected a first line that names the columns, among them id, pool and n_chips; "
                f"got {', '.join(columns[:6])[:120] or 'nothing'} (`tianji validate --columns` lists them all)"
            )
        again = [(at, columns.index(name)) for at, name in enumerate(columns) if name and columns.index(name) != at]
        width = len(columns)
        for cells in lines:
            for at, first in again:
                if at < len(cells) and cells[at] != cells[first]:
                    raise FormatError(
                        f"{path}, line {lines.line_num}: two columns {columns[at]} hold {cells[first]!r:.40} and "
                        f"{cells[at]!r:.40}; keep the one that is right"
                    )
            if len(cells) > width and any(cell.strip() for cell in cells[width:]):
                raise FormatError(
                    f"{path}, line {lines.line_num}: {len(cells)} cells under {width} columns; a text with a comma "
                    "stands in quotation marks"
                )
            if (cells and cells[0].strip()) or any(cell.strip() for cell in cells):
                yield Cells(dict(zip(columns, cells, strict=False)), lines.line_num)
    except csv.Error as error:
        raise FormatError(f"{path}, line {lines.line_num}: {error}; expected comma-separated values") from None
