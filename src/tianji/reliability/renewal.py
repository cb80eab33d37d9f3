"""Checkpoint and restart as a renewal process: Daly's exact form, and the interval that is best for it.

Failures come at random with a mean time M between them. Training runs for an interval τ, saves for δ, and so on; a failure
loses what was not saved and costs a recovery R, in which the next failure may come. A completed interval then takes
M e^{R/M} (e^{(τ+δ)/M} - 1) on average (J. T. Daly, "A higher order estimate of the optimum checkpoint interval for
restart dumps", 2006).
"""

from __future__ import annotations

import math

from tianji.units import Seconds

STEPS = 60
"""Newton steps at most; it takes about six."""
CLOSE = 1e-8
"""A Newton step this small has doubled its digits already: what is left is rounding."""
LARGEST = 600.0
"""Exponents beyond it mean that nothing is ever completed."""


def efficiency(interval: Seconds, save: Seconds, recovery: Seconds, mtbf: Seconds) -> float:
    """Return the share of time that becomes lasting progress: τ / (M e^{R/M} (e^{(τ+δ)/M} - 1)).

    Args:
        interval: τ, the training between two saves (seconds, above 0).
        save: δ, how long a save stops the training (seconds).
        recovery: R, from a failure until training goes on (seconds); failures may interrupt it.
        mtbf: M, the mean time between failures (seconds, above 0), which have no memory.

    Exact for exponential times between failures. Source: Daly 2006.

    >>> round(efficiency(966, 60, 600, 8424), 4)
    0.8245
    """
    exponent = (interval + save) / mtbf
    if exponent + recovery / mtbf > LARGEST:
        return 0.0
    return interval / (mtbf * math.exp(recovery / mtbf) * math.expm1(exponent))


def best_interval(save: Seconds, mtbf: Seconds, least: Seconds = 0.0) -> Seconds:
    """Return the interval (seconds) that loses the least time, at least ``least``.

    ``save`` is δ and ``mtbf`` is M, both in seconds and M above 0.

    With x = τ/M the derivative vanishes where (1 - x) e^x = e^{-δ/M}, so that x = 1 + W(-e^{-1-δ/M}) with Lambert's W;
    u = -ln(1 - x) solves u + e^{-u} - 1 = δ/M, which Newton does to the last digit, also where W would lose half of them.
    The efficiency at the best interval is e^{-u-R/M}. The recovery does not move it.

    >>> round(best_interval(60, 8424))
    966
    """
    loss = save / mtbf
    u = math.sqrt(2.0 * loss) + loss
    for _ in range(STEPS):
        if u == 0:
            break
        slope = -math.expm1(-u)
        change = (u - slope - loss) / slope
        u -= change
        if abs(change) <= CLOSE * u:
            break
    return max(-math.expm1(-u) * mtbf, least)
