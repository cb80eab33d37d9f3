"""A table of measured training runs, read into rows that can be predicted.

The columns are those of ``columns.COLUMNS``. A row that lacks what a prediction needs, or that describes what the model does
not know, is skipped with the reason; a cell that holds what its column never may ends the reading with row and column.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tianji.errors import FormatError, InputError
from tianji.formatting import count_noun
from tianji.measurements.cells import CellError, Cells, read_cells
from tianji.measurements.columns import AS_PUBLISHED, COLUMNS, suggest_columns
from tianji.measurements.rows import Row, read_row
from tianji.measurements.vocabulary import find_left_over, is_published, translate

OF_PUBLISHERS = ("chip", "derived", "hw_tflops_per_chip")
"""Columns of publishers' tables that a prediction has no use for beside the typed ones."""

MOST_WRONG = 5
"""Wrong cells that are named at once."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that cannot be predicted, and why."""

    id: str
    reason: str
    split: str = ""
    quality: str = ""


@dataclass(frozen=True, slots=True)
class MeasuredTable:
    """The rows of a table, those that were left out, and the columns that nothing reads."""

    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...]
    ignored: tuple[str, ...] = ()
    left_over: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Words of a publisher that rows were read without: how many rows, by column and words."""

    def reasons(self) -> Counter[str]:
        """Return how many rows were skipped for each reason."""
        return Counter(skip.reason for skip in self.skipped)


def read_table(path: str | os.PathLike[str]) -> MeasuredTable:
    """Return the rows of a table of measured runs.

    A table with the columns of a publisher's words is translated first (:mod:`tianji.measurements.vocabulary`). A row that
    cannot be used is skipped with the reason.

    Raises FormatError when the file is no table of comma-separated values with named columns, and for cells of typed columns
    that hold what they never may.
    """
    rows: list[Row] = []
    skipped: list[Skipped] = []
    wrong: list[str] = []
    seen: set[str] = set()
    columns: tuple[str, ...] = ()
    left_over: Counter[tuple[str, str]] = Counter()
    for given in read_cells(Path(path)):
        columns = tuple(given.row)
        is_typed, cells = not is_published(given.row), translate_cells(given)
        name = cells.text("id") or f"line {cells.line}"
        try:
            if name in seen:
                raise FormatError("id: another row has the same")
            rows.append(read_row(cells, name))
            left_over.update(() if is_typed else find_left_over(given.row))
        except InputError as error:
            reason = str(error).removeprefix("row ?: ")
            if is_typed and isinstance(error, CellError):
                wrong.append(f"{path}, line {cells.line} ({name[:40]}), column {reason}")
            skipped.append(Skipped(name, reason, cells.text("split"), cells.text("quality")))
        seen.add(name)
    if wrong:
        more = f"\n... and {len(wrong) - MOST_WRONG} more cells" if len(wrong) > MOST_WRONG else ""
        raise FormatError(
            "\n".join(wrong[:MOST_WRONG]) + f"{more}\n`tianji validate --columns` says what each column may hold"
        )
    return MeasuredTable(tuple(rows), tuple(skipped), tuple(c for c in columns if not is_known(c)), left_over)


def is_known(column: str) -> bool:
    """Return whether a column is one that tables of measured runs have, typed or in a publisher's words."""
    return column in COLUMNS or column.startswith(AS_PUBLISHED) or is_published([column]) or column in OF_PUBLISHERS


def hint_columns(ignored: tuple[str, ...]) -> list[str]:
    """Return a sentence for each ignored column that looks like a slip of the pen."""
    hints = {column: suggest_columns(column) for column in ignored}
    return [
        f"column {column!r} is not read; did you mean {' or '.join(near)}?" for column, near in hints.items() if near
    ]


def hint_words(left_over: Mapping[tuple[str, str], int]) -> list[str]:
    """Return a sentence for all words of a publisher that rows were read without, those of most rows first."""
    most = sorted(left_over.items(), key=lambda item: -item[1])
    return [f"{column}: {words!r} is not read ({count_noun(rows, 'row')})" for (column, words), rows in most]


def read_published(path: Path) -> Iterator[Cells]:
    """Yield the rows of a table in typed columns, translated where they stand in a publisher's words."""
    return map(translate_cells, read_cells(path))


def translate_cells(cells: Cells) -> Cells:
    """Return a row in typed columns."""
    return Cells(translate(cells.row), cells.line) if is_published(cells.row) else cells
