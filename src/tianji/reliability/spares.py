"""Spare nodes: how many keep the job from waiting, in logarithms, because e^-300 has no place among the floats.

Failed nodes are away for the repair time; with failures at a constant rate the number away has a Poisson distribution of
mean rate x repair, whatever the distribution of the repair itself (M/G/∞). Sources: Takács 1962 for the number away, Erlang 1917
and Sevastyanov 1957 for the loss formula with repairs of any distribution.
"""

from __future__ import annotations

import math

TINY = 1e-18
"""A term this small beside the sum changes nothing."""
HUGE = 1e250
"""A sum beyond it is on its way out of the floats, and its inverse is nothing."""


def spares_for(mean_away: float, confidence: float = 0.99) -> int:
    """Return the fewest spares s with P(number away <= s) >= confidence.

    ``mean_away`` is the mean number of nodes in repair, failures a second · seconds of a repair; ``confidence`` lies below 1.

    8,192 chips in nodes of eight, 24 h of repair, 3.79e-3 failures of a node in a day:

    >>> spares_for(1024 * 3.79e-3)
    9
    """
    if mean_away <= 0:
        return 0
    # Twelve deviations below the mean nothing is left to count.
    spares = max(math.floor(mean_away - 12.0 * math.sqrt(mean_away) - 10.0), 0)
    term = total = math.exp(_log_poisson(spares, mean_away))
    # A confidence within rounding of 1 is reached when nothing more comes.
    while total < confidence and (spares < mean_away or term > TINY):
        spares += 1
        term *= mean_away / spares
        total += term
    return spares


def poisson_tail(count: int, mean: float) -> float:
    """Return P(N > count) of a Poisson distribution of a ``mean``.

    It is summed from its largest term on: no digit is lost when it is small.
    """
    if mean <= 0:
        return 0.0
    first = max(count + 1, math.floor(mean))
    term = math.exp(_log_poisson(first, mean))
    total, down, n = term, term, first
    while (down := down * n / mean) > TINY * total and n - 1 > count:
        n -= 1
        total += down
    n = first
    while (term := term * mean / (n + 1)) > TINY * total:
        n += 1
        total += term
    return min(total, 1.0)


def waiting_share(spares: int, mean_away: float) -> float:
    """Return the share of time in which the job waits for a repair: more nodes are away than there are spares.

    While it waits nothing more fails, so that at most spares + 1 are away: Erlang's loss formula with spares + 1 places,
    which holds for any distribution of the repair. With a = ``mean_away`` nodes in repair and n = ``spares`` + 1::

        share = (a^n / n!) / (1 + a + ... + a^n / n!)

    >>> round(waiting_share(0, 0.25), 3)
    0.2
    """
    if mean_away <= 0:
        return 0.0
    places, term, total = spares + 1, 1.0, 1.0
    for n in range(places, 0, -1):
        term *= n / mean_away
        total += term
        if term > HUGE or (n < mean_away and term < TINY * total):
            break
    return 1.0 / total


def mean_excess(spares: int, mean_away: float) -> float:
    """Return the mean number of nodes that are away beyond the ``spares``, for a Poisson number away of mean ``mean_away``.

    With a that mean and s the spares it is a · P(N > s - 1) - s · P(N > s).

    >>> round(mean_excess(0, 2.5), 6)
    2.5
    """
    return max(mean_away * poisson_tail(spares - 1, mean_away) - spares * poisson_tail(spares, mean_away), 0.0)


def _log_poisson(count: int, mean: float) -> float:
    return count * math.log(mean) - mean - math.lgamma(count + 1)
