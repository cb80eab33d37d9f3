"""The document of ``tianji validate --columns``: what may stand in a table of measured runs."""

from __future__ import annotations

from typing import Literal, TypedDict

from tianji.catalog.architectures import list_architectures
from tianji.measurements.columns import COLUMNS, TYPES


class ColumnDocument(TypedDict):
    """One column of a table of measured runs."""

    name: str
    group: str
    type: str
    """One of the ``types``."""
    unit: str | None
    words: list[str]
    """All that a cell, or one word of it, may be; empty where the type says all."""
    meaning: str
    example: str | None
    empty: str | None
    """What an empty cell means; "needed" where the row is skipped without it."""


class ColumnsDocument(TypedDict):
    """Every column that ``tianji validate`` and ``tianji calibrate`` read or know."""

    document: Literal["columns"]
    columns: list[ColumnDocument]
    types: dict[str, str]
    """By type, what its cells hold."""
    architectures: list[str]
    """What ``arch_key`` may hold, beside the name of a model of the catalog."""


def columns_document() -> ColumnsDocument:
    """Return every column in the order of the shipped tables."""
    return {
        "document": "columns",
        "columns": [
            {
                "name": c.name,
                "group": c.group,
                "type": c.type,
                "unit": c.unit or None,
                "words": list(c.words),
                "meaning": c.meaning,
                "example": c.example or None,
                "empty": c.empty or None,
            }
            for c in COLUMNS.values()
        ],
        "types": dict(TYPES),
        "architectures": list(list_architectures()),
    }
