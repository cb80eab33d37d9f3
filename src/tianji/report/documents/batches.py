"""The same question at other batches, in a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from tianji.comparison.batches import AtBatch
from tianji.comparison.measures import Assessed
from tianji.comparison.mixed_assessment import MixedAssessment
from tianji.comparison.side_by_side import format_pool
from tianji.parallel.layouts import abbreviate_layout
from tianji.ranges import RangeDocument


class PoolAtBatchDocument(TypedDict):
    """The best plan of one pool at one batch."""

    pool: str
    """With its chips."""
    chips: int
    layout: str
    step_time_s: float
    useful_tokens_per_s: RangeDocument
    """After failures."""
    mfu: float | None
    """null for a mixture, whose peaks are unlike."""
    over_first: RangeDocument | None
    """Useful tokens over those of the first pool; null where nothing fits that one."""


class AtBatchDocument(TypedDict):
    """All pools at one batch."""

    batch: int
    """Sequences of a step."""
    is_answer: bool
    """All else in the document is about this batch."""
    pools: list[PoolAtBatchDocument | None]
    """null where no strategy is legal and fits."""


class OtherBatchesDocument(TypedDict):
    """How the answer moves with the batch."""

    says: str
    """In a sentence or two; empty where there is one pool."""
    points: list[AtBatchDocument]
    """By rising batch, that of the answer among them."""


def other_batches_document(points: Sequence[AtBatch], batch: int, says: str = "") -> OtherBatchesDocument | None:
    """Return what the pools give at each batch; None where there is no other than that of the answer, ``batch``."""
    if len(points) < 2:
        return None
    return {"says": says, "points": [_at_batch(point, batch) for point in points]}


def _at_batch(point: AtBatch, batch: int) -> AtBatchDocument:
    pools = [
        None if a is None else _pool_at_batch(a, point.assessments[0] if place else None)
        for place, a in enumerate(point.assessments)
    ]
    return {"batch": point.batch, "is_answer": point.batch == batch, "pools": pools}


def _pool_at_batch(a: Assessed, first: Assessed | None) -> PoolAtBatchDocument:
    return {
        "pool": format_pool(a),
        "chips": a.offered,
        "layout": a.layout if isinstance(a, MixedAssessment) else abbreviate_layout(a.result.plan.strategy),
        "step_time_s": a.step_time.nominal,
        "useful_tokens_per_s": a.useful.to_dict(),
        "mfu": a.mfu.nominal if a.mfu else None,
        "over_first": None if first is None else (a.useful / first.useful).to_dict(),
    }
