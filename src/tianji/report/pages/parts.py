"""What a page is made of, before anybody draws it: numbers with their texts, tables, facts, charts in sections."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.report.pages.charts import Chart


@dataclass(frozen=True, slots=True)
class Number:
    """One number of a table or a tile: ``value`` as the JSON document has it, ``text`` as people read it."""

    value: float
    text: str
    low: float | None = None
    high: float | None = None
    span: str = ""
    """The range in words; empty where low and high are one."""


Cell = str | Number


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column. ``unit`` is that of the values, which files need and the texts of a page have in them."""

    title: str
    unit: str = ""
    is_ranged: bool = False
    """Its numbers have a low and a high end, which a file gives columns of their own."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells. ``name`` is that of its file, ``best`` the row that stands out."""

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    best: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Lines that each start with a label."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Publications:
    """Sources: key, title, address or nothing, kind."""

    rows: tuple[tuple[str, str, str, str], ...]


Part = str | Table | Facts | Publications | Chart
"""A text is a paragraph."""


@dataclass(frozen=True, slots=True)
class Section:
    """Parts under one heading."""

    title: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page. ``lead`` is what a reader in a hurry reads, ``tiles`` are the few numbers that most came for."""

    title: str
    lead: tuple[str, ...]
    tiles: tuple[tuple[str, Number], ...]
    sections: tuple[Section, ...]

    def tables(self) -> tuple[Table, ...]:
        """Return all tables in the order of the page."""
        return tuple(part for section in self.sections for part in section.parts if isinstance(part, Table))

    def charts(self) -> tuple[Chart, ...]:
        """Return all charts in the order of the page."""
        return tuple(part for section in self.sections for part in section.parts if isinstance(part, Chart))
