"""Ranges on sources that were never seen: each source is left out of the fit, and its range comes from the others."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tianji.calibration import choose_rows, find_source, fit_chips, leave_out, sample_row
from tianji.measurements.table import Row
from tianji.units import Array

SHARE = 0.8
"""Of measured values that a range is to hold."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One source that was left out: the median of its absolute errors, and the share of its rows in the others' range."""

    source: str
    rows: int
    median: float
    coverage: float


def hold_out_sources(rows: Sequence[Row]) -> list[HeldOut]:
    """Return every source of the rows that set constants, predicted by a fit without it.

    Its range is that of the errors of all other left-out sources with models of the same class, each source weighing alike by
    the root of its rows. The refit is one Gauss-Newton step (see ``tianji.calibration.ranges``).
    """
    chosen = choose_rows(rows)
    if not chosen:
        return []
    samples = [sample_row(row) for row in chosen]
    errors = -leave_out(fit_chips(samples), samples, find_source)
    sources = np.asarray([str(find_source(s)) for s in samples])
    kinds = np.asarray([s.plan.job.model.moe is not None for s in samples])
    places: dict[str, list[int]] = defaultdict(list)
    for place, source in enumerate(sources):
        places[source].append(place)
    weights = np.asarray([len(places[s]) ** -0.5 for s in sources])
    found = []
    for source, mine in sorted(places.items()):
        inside = 0
        for kind in (False, True):
            here = [i for i in mine if kinds[i] == kind]
            others = (sources != source) & (kinds == kind)
            if here and others.any():
                low, high = _ends(errors[others], weights[others])
                inside += int(np.sum((errors[here] >= low) & (errors[here] <= high)))
        median = float(np.median(np.abs(np.expm1(-errors[mine]))))
        found.append(HeldOut(source, len(mine), median, inside / len(mine)))
    return found


def cover(held: Sequence[HeldOut], *, power: float = 1.0) -> float:
    """Return the share of left-out runs in their range, each source weighing by its rows to a power (0.5: their root)."""
    weights = [math.pow(h.rows, power) for h in held]
    return sum(h.coverage * w for h, w in zip(held, weights, strict=True)) / sum(weights)


def _ends(errors: Array, weights: Array) -> tuple[float, float]:
    order = np.argsort(errors, kind="stable")
    place = (np.cumsum(weights[order]) - weights[order] / 2.0) / weights.sum()
    edge = (1.0 - SHARE) / 2.0
    low, high = np.interp([edge, 1.0 - edge], place, errors[order])
    return float(low), float(high)
