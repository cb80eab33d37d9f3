"""Fit a few rates that cannot be negative to times, by relative error: a small op counts as much as a large one."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from tianji.units import Array


def fit_times(terms: Array, times: Array) -> tuple[Array, Array]:
    """Return x >= 0 that makes terms · x closest to times, relatively, and the relative standard error of each x.

    ``terms`` is (rows, unknowns). The error of an x that is best left at 0 is not a number: the rows say nothing of it.
    With so few unknowns every set of them is tried and the best that is not negative is kept.

    >>> x, error = fit_times(np.array([[1.0, 1.0], [1.0, 100.0], [1.0, 1000.0]]), np.array([12.0, 210.0, 2010.0]))
    >>> x.round(6).tolist(), bool(error.max() < 1e-9)
    ([10.0, 2.0], True)
    """
    rows, unknowns = terms.shape
    a, b = terms / times[:, None], np.ones(rows)
    best, least = np.zeros(unknowns), float(rows)
    chosen: tuple[int, ...] = ()
    for size in range(1, min(unknowns, rows) + 1):
        for unknown_set in combinations(range(unknowns), size):
            part = a[:, unknown_set]
            x, *_ = np.linalg.lstsq(part, b, rcond=None)
            left = float(np.square(part @ x - b).sum())
            if np.all(x >= 0.0) and left < least:
                best, least, chosen = np.zeros(unknowns), left, unknown_set
                best[list(unknown_set)] = x
    errors = np.full(unknowns, np.nan)
    if chosen:
        part = a[:, chosen]
        variance = least / max(rows - len(chosen), 1)
        spread = np.sqrt(np.maximum(variance * np.diag(np.linalg.pinv(part.T @ part)), 0.0))
        errors[list(chosen)] = spread / np.maximum(best[list(chosen)], 1e-300)
    return best, errors
