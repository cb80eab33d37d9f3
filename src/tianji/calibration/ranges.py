"""How sure a prediction is: 80 % ranges from the residuals of rows that the fit did not see.

Leaving rows out and fitting anew is done in closed form. At the fit's minimum one Gauss-Newton step without the rows G moves the
unknowns by d = (H - J_G' W J_G)^-1 J_G' W r_G, and their residuals to r_G + J_G d (Cook & Weisberg 1982 for single rows). The
same inverse says how unsure those residuals are because of the unknowns alone. A range adds both as squares: that doubt, which
each prediction has for itself, and what runs of jobs that were left out missed beyond it, which a chip's predictions share.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from tianji.calibration.fit import NOISE, Fit, FitSample, find_job
from tianji.hardware.calibration import CLASSES, OTHER, Spread
from tianji.hardware.uncertainty import DOUBTED, RANGE_80
from tianji.units import Array

SHARE = 0.8
"""Of the measured values that lie inside a range."""
FARTHEST = 0.5
"""Beyond a change of a residual (a logarithm) by this much one linear step says nothing."""
BORROWED = 6.0
"""A chip with so many jobs takes half of its range from its own rows and half from those of all chips; where all have so many
together, half of theirs comes from BELIEVED."""
BELIEVED = RANGE_80 * NOISE
"""An end of a range before any run is seen: a run differs from its like by NOISE at least."""
INHERITED = 0.28
"""What borrowed constants add to a range, in the logarithm.

Each chip of the published runs that has a relative was predicted with its own rows left out: the medians of what was missed
have a root mean square of 0.22 over nine pairs of chip and kind of model, and 1.28 times that is the end of an 80 % range.
"""
ROADMAP = 0.40
"""The same for a chip to come; its figures are taken to be as unsure as the constants that it borrows (an assumption)."""


def leave_out(fit: Fit, samples: Sequence[FitSample], group: Callable[[FitSample], Hashable]) -> tuple[Array, Array]:
    """Return log(predicted / measured) of each sample when all of its group were left out, and its standard deviation.

    The latter is that from the errors of the unknowns alone.
    """
    members: dict[Hashable, list[int]] = defaultdict(list)
    for i, sample in enumerate(samples):
        members[group(sample)].append(i)
    system, missed, deviations = fit.system, np.zeros(len(samples)), np.zeros(len(samples))
    weighted, hessian = system.slopes * system.weights[:, None], system.hessian
    for places in members.values():
        slopes, weighted_slopes = system.slopes[places], weighted[places]
        sides = np.column_stack([weighted_slopes.T @ fit.residuals[places], slopes.T])
        moved = np.linalg.solve(hessian - slopes.T @ weighted_slopes, sides)
        missed[places] = fit.residuals[places] + np.clip(slopes @ moved[:, 0], -FARTHEST, FARTHEST)
        deviations[places] = np.sqrt(np.einsum("ij,ji->i", slopes, moved[:, 1:]))
    return missed, deviations


def measure_spreads(fit: Fit, samples: Sequence[FitSample]) -> dict[str, dict[str, Spread]]:
    """Return the ranges of each chip by kind of model, and under OTHER those of all chips together."""
    missed, deviations = leave_out(fit, samples, find_job)
    beyond = -np.sign(missed) * np.sqrt(np.maximum(missed**2 - (RANGE_80 * DOUBTED * deviations) ** 2, 0.0))
    # A job's runs weigh together like the root of their number.
    weights = np.sqrt(share_of(samples, find_job))
    kinds = np.asarray(["moe" if s.plan.job.model.moe else "dense" for s in samples])
    chips = np.asarray([s.plan.pool.chip.name for s in samples])
    spreads: dict[str, dict[str, Spread]] = {OTHER: {}}
    for kind in CLASSES:
        alike = kinds == kind
        # A kind that no run is of has the range of the other, and no row to show for it.
        seen = alike if alike.any() else ~alike
        whole = _learn(samples, seen, beyond, weights, (-BELIEVED, BELIEVED))
        spreads[OTHER][kind] = _spread(*whole, "measured", _pick(samples, alike))
        for chip in fit.constants:
            ends = _learn(samples, seen & (chips == chip), beyond, weights, whole)
            spreads.setdefault(chip, {})[kind] = _spread(*ends, "measured", _pick(samples, alike & (chips == chip)))
    return spreads


def _pick(samples: Sequence[FitSample], chosen: Array) -> list[FitSample]:
    return [s for s, is_one in zip(samples, chosen, strict=True) if is_one]


def _learn(
    samples: Sequence[FitSample], chosen: Array, errors: Array, weights: Array, others: tuple[float, float]
) -> tuple[float, float]:
    """Return the ends that some samples tell, and the fewer their jobs, the more those of ``others``."""
    jobs = len({find_job(s) for s in _pick(samples, chosen)})
    if not jobs:
        return others
    own = jobs / (jobs + BORROWED)
    low, high = (own * a + (1.0 - own) * b for a, b in zip(_ends(errors[chosen], weights[chosen]), others, strict=True))
    return low, high


def share_of(samples: Sequence[FitSample], group: Callable[[FitSample], Hashable]) -> Array:
    """Return one over the number of samples in the group of each."""
    counts = Counter(group(s) for s in samples)
    return np.asarray([1.0 / counts[group(s)] for s in samples])


def widen(spread: Spread, basis: str) -> Spread:
    """Return a range for a chip without rows of its own: ``inherited`` from its relative, or wider still for a ``roadmap``.

    What its relative's runs miss and what borrowing adds are independent: they add as squares.
    """
    more = ROADMAP if basis == "roadmap" else INHERITED
    wide = spread.doubted(more / RANGE_80)
    return Spread(round(wide.low, 4), round(wide.high, 4), basis, 0, spread.chips)


def _ends(errors: Array, sizes: Array) -> tuple[float, float]:
    """Return the weighted quantiles that SHARE of the errors lie between."""
    order = np.argsort(errors, kind="stable")
    place = (np.cumsum(sizes[order]) - sizes[order] / 2.0) / sizes.sum()
    edge = (1.0 - SHARE) / 2.0
    low, high = np.interp([edge, 1.0 - edge], place, errors[order])
    return min(float(low), 0.0), max(float(high), 0.0)


def _spread(low: float, high: float, basis: str, rows: Sequence[FitSample]) -> Spread:
    most = max((s.plan.strategy.chips for s in rows), default=0)
    return Spread(round(math.exp(low), 4), round(math.exp(high), 4), basis, len(rows), most)
