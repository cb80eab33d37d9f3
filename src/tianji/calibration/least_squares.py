"""Robust, regularised least squares by Levenberg and Marquardt's method, on plain NumPy and without randomness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tianji.units import Array

MAX_STEPS = 60
TOLERANCE = 1e-5
"""A step that lowers the loss by a smaller share ends the search."""


MOST_DAMPING = 500_000.0
"""So short a step that does not lower the loss either says that none does."""


def solve(
    residuals: Callable[[Array], Array], jacobian: Callable[[Array], Array], start: Array, low: Array, high: Array
) -> Array:
    """Return the x within bounds that minimises the sum of squared residuals.

    Unknowns at a bound that want to cross it rest there.
    """
    x = np.clip(start, low, high)
    r = residuals(x)
    j = jacobian(x)
    loss, damping = float(r @ r), 1e-3
    for _ in range(MAX_STEPS):
        slope, curve = j.T @ r, j.T @ j
        free = ~(((x <= low) & (slope > 0)) | ((x >= high) & (slope < 0)))
        scale = np.diag(np.diag(curve)[free] * damping)
        step = np.zeros(len(x))
        step[free] = np.linalg.solve(curve[np.ix_(free, free)] + scale, -slope[free])
        tried = np.clip(x + step, low, high)
        fresh = residuals(tried)
        gained = loss - float(fresh @ fresh)
        if gained <= 0:
            damping *= 5.0
            if damping > MOST_DAMPING:
                break
            continue
        x, r, loss, damping = tried, fresh, loss - gained, max(damping / 5.0, 1e-9)
        j = jacobian(x)
        if gained <= TOLERANCE * loss:
            break
    return x
