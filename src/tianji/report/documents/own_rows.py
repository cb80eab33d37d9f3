"""What one's own runs moved in a calibration, as a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from tianji.calibration import Added, OwnPair


class OwnPairDocument(TypedDict):
    """What own runs of one framework on one chip take, measured over predicted."""

    chip: str
    software: str
    rows: int
    before_ratio: float
    """Median with the calibration that they were added to."""
    after_ratio: float
    """Median with the new one."""
    scatter_ratio: float
    """Median distance from 1 with the new one."""


class MovedRunsDocument(TypedDict):
    """How much longer published runs of the same chip or the same software are predicted now."""

    chip: str
    software: str
    rows: int
    moved_ratio: float
    """Median of the step time now over that before; 1 where nothing moved."""


class AddedRowsDocument(TypedDict):
    """What own rows moved."""

    base: str
    """The calibration that they were added to."""
    own: list[OwnPairDocument]
    others: dict[str, float]
    """By chip, how much longer its runs are predicted under software that own rows do not have."""
    neighbours: list[MovedRunsDocument]


def added_rows_document(
    added: Added, pairs: Sequence[OwnPair], neighbours: Sequence[MovedRunsDocument]
) -> AddedRowsDocument:
    """Return what own rows moved."""
    return {
        "base": added.base.name,
        "own": [
            {
                "chip": pair.chip,
                "software": pair.software,
                "rows": pair.rows,
                "before_ratio": pair.before,
                "after_ratio": pair.after,
                "scatter_ratio": pair.scatter,
            }
            for pair in pairs
        ],
        "others": dict(added.factors),
        "neighbours": list(neighbours),
    }
