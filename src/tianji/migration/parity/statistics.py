"""Numbers that say how far two curves are apart, and how much of it is noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

ROUNDING: Mapping[str, float] = {
    "fp64": 1e-9,
    "fp32": 1e-5,
    "tf32": 1e-3,
    "hf32": 1e-3,
    "fp16": 1e-3,
    "bf16": 4e-3,
    "fp8": 2e-2,
}
"""Relative difference of a loss that another order of sums may make, by the number format of the matrix products."""
NORM_FACTOR = 10.0
"""How much further a gradient norm may differ by rounding than a loss."""
_T = (
    (1, 636.6),
    (2, 31.60),
    (3, 12.92),
    (4, 8.610),
    (5, 6.869),
    (6, 5.959),
    (7, 5.408),
    (8, 5.041),
    (9, 4.781),
    (10, 4.587),
)
_T_TAIL = ((15, 4.073), (20, 3.850), (30, 3.646), (60, 3.460), (10**9, 3.291))
"""Student's t at 99.95 %, by degrees of freedom."""
BLOCKS = 20
"""Parts of a curve whose means carry a slope: steps near each other are no independent samples."""
SPIKE_WINDOW, SPIKE_FACTOR, SPIKE_SHARE = 15, 8.0, 0.2


@dataclass(frozen=True, slots=True)
class Slope:
    """Relative difference that is gained over the whole length compared, with its interval (99.9 %)."""

    gained: float
    low: float
    high: float


def t_quantile(degrees: int) -> float:
    """Return Student's t at 99.95 % for degrees of freedom.

    >>> t_quantile(3)
    12.92
    """
    return next((value for limit, value in (*_T, *_T_TAIL) if degrees <= limit), 3.291)


def relative(a: float, b: float) -> float:
    """Return |b - a| / |a|; 0 for equal numbers, infinite where only one is finite or a is 0.

    >>> relative(2.0, 2.1), relative(0.0, 0.0)
    (0.050000000000000044, 0.0)
    """
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    if not (math.isfinite(a) and math.isfinite(b)) or a == 0:
        return math.inf
    return abs(b - a) / abs(a)


def mean_relative(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the mean over steps of |b - a| / |a|."""
    return fmean(relative(x, y) for x, y in zip(a, b, strict=True)) if a else 0.0


def mean_absolute(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the mean over steps of |b - a|."""
    return fmean(abs(y - x) for x, y in zip(a, b, strict=True)) if a else 0.0


def late_difference(a: Sequence[float], b: Sequence[float]) -> float:
    """Return by how much the means of the last fifth differ, relative and signed."""
    tail = max(len(a) // 5, 1)
    old, new = fmean(a[-tail:]), fmean(b[-tail:])
    return (new - old) / abs(old) if old else math.inf


def fit_slope(a: Sequence[float], b: Sequence[float]) -> Slope | None:
    """Return the trend of (b - a) / |a| over the length compared, or None for fewer than 40 steps.

    Least squares over the means of 20 blocks, with Student's interval.
    """
    if len(a) < 2 * BLOCKS:
        return None
    differences = [(y - x) / abs(x) if x else 0.0 for x, y in zip(a, b, strict=True)]
    size = len(differences) / BLOCKS
    means = [fmean(differences[int(i * size) : int((i + 1) * size)]) for i in range(BLOCKS)]
    places = [(i + 0.5) / BLOCKS for i in range(BLOCKS)]
    center, level = fmean(places), fmean(means)
    spread = sum((x - center) ** 2 for x in places)
    gained = sum((x - center) * (y - level) for x, y in zip(places, means, strict=True)) / spread
    rest = sum((y - level - gained * (x - center)) ** 2 for x, y in zip(places, means, strict=True))
    error = math.sqrt(rest / (BLOCKS - 2) / spread) * t_quantile(BLOCKS - 2)
    return Slope(gained, gained - error, gained + error)


def find_spikes(steps: Sequence[int], values: Sequence[float]) -> list[int]:
    """Return the steps whose value stands out of the steps before: by a fifth and by 8 times their usual scatter."""
    found = []
    for i in range(SPIKE_WINDOW, len(values)):
        before = values[i - SPIKE_WINDOW : i]
        if not all(map(math.isfinite, before)) or not math.isfinite(values[i]):
            continue
        middle = median(before)
        scatter = median(abs(value - middle) for value in before)
        if values[i] > middle + SPIKE_FACTOR * max(scatter, 1e-12) and values[i] > middle * (1 + SPIKE_SHARE):
            found.append(steps[i])
    return found


def find_stuck(steps: Sequence[int], values: Sequence[float], least: int = 3) -> list[int]:
    """Return where a run of exactly equal values starts: what saturates or stands still does not vary."""
    found, start = [], 0
    for i in range(1, len(values) + 1):
        if i < len(values) and values[i] == values[start]:
            continue
        if i - start >= least:
            found.append(steps[start])
        start = i
    return found
