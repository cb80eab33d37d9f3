"""A view: what is shown of an answer, before anybody draws it. The terminal, a page and CSV files show the same view.

Plain frozen data: a view holds no markup, no width and no colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tianji.report.charts import Chart


@dataclass(frozen=True, slots=True)
class Number:
    """One number: ``value`` as the JSON document has it, ``text`` as people read it."""

    value: float
    text: str
    low: float | None = None
    high: float | None = None
    span: str = ""
    """The range in words; empty where low and high are one."""

    @property
    def words(self) -> str:
        """The number with its range, in one line.

        >>> Number(217.0, "217 s", 187.0, 255.0, "187 s to 255 s").words
        '217 s (187 s to 255 s)'
        """
        return f"{self.text} ({self.span})" if self.span else self.text


Cell = str | Number


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """The head of a column. ``unit`` is that of the values: files name it, texts have it in them."""

    title: str
    unit: str = ""
    is_ranged: bool = False
    """Its numbers have a low and a high end, which a file gives columns of their own."""
    rank: int = 0
    """0 stays at any width. On a narrow terminal the columns of the highest rank go first, into a table below."""


@dataclass(frozen=True, slots=True)
class ViewTable:
    """Rows of cells. ``name`` is that of its file; without a title the section's heading is enough."""

    name: str
    title: str
    columns: tuple[ViewColumn, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    best: int | None = None
    """The row that stands out."""
    has_total: bool = False
    """The last row is the sum of those above."""
    bar: int | None = None
    """The column that a terminal also draws as bars, where no chart can stand beside the table."""
    bar_limit: float | None = None
    """Value of a full bar; without it the largest of the column."""
    most: int | None = None
    """Rows that a terminal shows; a page and a file have all."""
    keys: int = 1
    """Leading columns that say which row it is: where a terminal is too narrow, each part of the table has them."""
    thinning: Literal["first", "even"] = "first"
    """Which rows a terminal shows of more: the first, or evenly chosen ones with both ends."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Lines that each start with a label."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Publications:
    """Sources: key, title, address or nothing, kind."""

    rows: tuple[tuple[str, str, str, str], ...]


Block = str | ViewTable | Facts | Publications | Chart
"""A text is a paragraph."""


@dataclass(frozen=True, slots=True)
class ViewSection:
    """Blocks under one heading."""

    title: str
    blocks: tuple[Block, ...]
    is_detail: bool = False
    """Too long for a terminal: a page and files have it."""


@dataclass(frozen=True, slots=True)
class Highlight:
    """One of the few numbers that most readers came for, with what it needs to be read."""

    label: str
    number: Number
    note: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """One answer. ``lead`` is what a reader in a hurry reads; ``asked`` is what it answers, and what it takes for granted."""

    title: str
    lead: tuple[str, ...]
    highlights: tuple[Highlight, ...]
    sections: tuple[ViewSection, ...]
    asked: Facts = Facts(())
    bottom: tuple[str, ...] = ()
    """The bottom line, in three lines: they stand before all else."""

    def tables(self) -> tuple[ViewTable, ...]:
        """Return all tables in order."""
        return tuple(block for section in self.sections for block in section.blocks if isinstance(block, ViewTable))

    def charts(self) -> tuple[Chart, ...]:
        """Return all charts in order."""
        return tuple(block for section in self.sections for block in section.blocks if isinstance(block, Chart))
