"""Ranges on sources that were never seen: each source is left out, and predicted with what the others alone would have given."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from tianji.calibration import calibrate_rows, choose_rows
from tianji.measurements.table import Row
from tianji.validation.pricing import predict_rows


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One source that was left out: the median of its absolute errors, and the share of its rows in their 80 % range."""

    source: str
    rows: int
    median: float
    coverage: float


def hold_out_sources(rows: Sequence[Row], tell: Callable[[int], None] | None = None) -> list[HeldOut]:
    """Return every source of the rows that set constants, predicted by a whole calibration on all other sources.

    Constants, effects of software and ranges all come from the others: what a user with runs of a new source would have been
    told. ``tell`` is told how many sources are done. A source without which nothing is left is not among them.
    """
    places: dict[str, list[Row]] = defaultdict(list)
    for row in choose_rows(rows):
        places[row.source].append(row)
    held_out = []
    for done, (source, members) in enumerate(sorted(places.items()), 1):
        others = [row for other, its_rows in places.items() if other != source for row in its_rows]
        if others:
            predicted = predict_rows(members, calibrate_rows(others))
            errors = [abs(p.error) for p in predicted if p.error is not None]
            held_out.append(HeldOut(source, len(members), median(errors), fmean(p.is_covered for p in predicted)))
        if tell:
            tell(done)
    return held_out


def cover(held_out: Sequence[HeldOut], *, power: float = 1.0) -> float:
    """Return the share of left-out runs in their range, each source weighing by its rows to a power (0.5: their root)."""
    weights = [math.pow(h.rows, power) for h in held_out]
    return sum(h.coverage * w for h, w in zip(held_out, weights, strict=True)) / sum(weights)
