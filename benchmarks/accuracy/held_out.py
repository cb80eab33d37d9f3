"""Groups that were never seen: each source, pair of software and chip, and architecture is left out of the fit in turn.

Leaving rows out and fitting anew is done in closed form (:func:`tianji.calibration.leave_out`): one Gauss-Newton step from the
fit of all rows, with the doubt that is left without them. Ranges are those of the shipped kind, widened by that doubt and, where
the pair was left out, by what a strange pair may do.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.accuracy.sources import COMPOSED
from tianji.calibration import FitSample, calibrate_rows, choose_rows, fit_chips, leave_out, sample_row
from tianji.hardware.calibration import UNSEEN_PAIR, Calibration
from tianji.hardware.uncertainty import DOUBTED
from tianji.measurements.rows import Row
from tianji.units import Array

KINDS: dict[str, Callable[[FitSample], Hashable]] = {
    "source": lambda s: s.source,
    "chip and framework": lambda s: f"{s.traits[0]} on {s.plan.pool.chip.name}",
    "architecture": lambda s: s.architecture,
}
"""What is left out together, by the name of its kind."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One group that was left out: the median of its absolute errors, and the share of its rows in their 80 % range."""

    source: str
    rows: int
    median: float
    coverage: float
    errors: tuple[float, ...] = ()
    """Of each row, predicted over measured, less 1."""


def hold_out_groups(rows: Sequence[Row], calibration: Calibration | None = None) -> dict[str, list[HeldOut]]:
    """Return by kind every group of the rows that set constants, predicted without it. No rows give no groups."""
    chosen = choose_rows(rows)
    if not chosen:
        return {kind: [] for kind in KINDS}
    samples = [sample_row(row) for row in chosen]
    fit, known = fit_chips(samples), calibration or calibrate_rows(chosen)
    found = {}
    for kind, name in KINDS.items():
        missed, deviations = leave_out(fit, samples, name)
        inside = [
            _covers(known, row, float(m), DOUBTED * float(d), strange=kind == "chip and framework")
            for row, m, d in zip(chosen, missed, deviations, strict=True)
        ]
        # What no clock gave is a source of its own, and no part of a pair or an architecture.
        apart = [kind == "source" or sample.source not in COMPOSED for sample in samples]
        found[kind] = _group(samples, name, np.expm1(missed), inside, apart)
    return found


def _covers(known: Calibration, row: Row, missed: float, deviation: float, *, strange: bool) -> bool:
    chips, moe = row.strategy.chips, row.job.model.moe is not None
    spread = known.spread(row.pool.chip, moe=moe, chips=chips, traits=row.traits).doubted(deviation)
    if strange and (effect := known.software.get(UNSEEN_PAIR, {}).get("software")):
        spread = spread.doubted(effect.standard_error)
    return math.log(spread.low) <= -missed <= math.log(spread.high)


def _group(
    samples: Sequence[FitSample],
    name: Callable[[FitSample], Hashable],
    errors: Array,
    inside: Sequence[bool],
    counts: Sequence[bool],
) -> list[HeldOut]:
    places: dict[str, list[int]] = defaultdict(list)
    for i, sample in enumerate(samples):
        if counts[i]:
            places[str(name(sample))].append(i)
    return [
        HeldOut(
            group, len(its), float(np.median(np.abs(errors[its]))), float(np.mean([inside[i] for i in its])),
            tuple(float(e) for e in errors[its]),
        )
        for group, its in sorted(places.items())
    ]  # fmt: skip


def cover(held_out: Sequence[HeldOut], *, power: float = 1.0) -> float:
    """Return the share of left-out runs in their range, each group weighing by its rows to a power (0.5: their root)."""
    weights = [math.pow(h.rows, power) for h in held_out]
    return sum(h.coverage * w for h, w in zip(held_out, weights, strict=True)) / sum(weights)


def quantiles(held_out: Sequence[HeldOut]) -> tuple[float, float]:
    """Return the median and the 90th percentile of all absolute errors."""
    errors = np.abs([e for h in held_out for e in h.errors])
    return float(np.median(errors)), float(np.percentile(errors, 90))
