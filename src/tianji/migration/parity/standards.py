"""The named standards of parity, from the catalog's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from tianji.catalog.migration import expand_source, read_rows
from tianji.errors import UnknownNameError

DEFAULT = (
    "mindformers-migration-first-loss",
    "mindformers-migration-grad-norm",
    "mindformers-migration-mean-loss",
    "verl-ascend-2pct",
)
"""Checked where nobody asks for others: what to look at first, with both rules for the mean."""


@dataclass(frozen=True, slots=True)
class Standard:
    """One published rule."""

    name: str
    level: str
    """``run`` or ``operator``."""
    statistic: str
    rule: str
    limit: float | None
    limit_2: float | None
    unit: str
    """What the limit is of: ``relative``, ``absolute``, or ``absolute or relative`` (``limit_2`` is then the relative one)."""
    after_step: int
    min_steps: int
    applies: str
    source: str


@lru_cache(maxsize=1)
def load_standards() -> Mapping[str, Standard]:
    """Return all standards by their names."""
    return {
        row["name"]: Standard(
            row["name"],
            row["level"],
            row["statistic"],
            row["rule"],
            float(row["limit"]) if row["limit"] else None,
            float(row["limit_2"]) if row["limit_2"] else None,
            row["unit"],
            int(row["after_step"]),
            int(row["min_steps"]),
            row["applies"],
            expand_source(row["source"]),
        )
        for row in read_rows("standards")
    }


def find_standards(names: tuple[str, ...]) -> list[Standard]:
    """Return standards by name, the usual ones where none is named.

    Raises UnknownNameError for a name that the table lacks.
    """
    table = load_standards()
    for name in names:
        if name not in table:
            raise UnknownNameError("standard of parity", name, table)
    return [table[name] for name in (names or DEFAULT)]
