"""Random gaps between failures, random recoveries, and nodes that go to repair and come back.

A shape below 1 of the Weibull distribution makes failures come in clusters. Source: Schroeder and Gibson 2006, who fit shapes of
0.7 to 0.8 to failures of large systems.
"""

from __future__ import annotations

import math

import numpy as np

from tianji.reliability.failure_case import FailureCase
from tianji.units import Array

NEVER = 1e-9
"""A share of waiting below which spares need not be counted."""


class Repairs:
    """The nodes in repair of many runs; each is away for the same time.

    With s spares a run goes on while at most s nodes are away: after a failure, when the node of the failure s before it is
    back. A ring holds the times of the last s + 1 failures of each run.
    """

    def __init__(self, case: FailureCase, jobs: int) -> None:
        self.repair, self.spares = case.repair, case.spares
        has_spares = case.settings.replacement == "spare"
        self.is_counted = has_spares and case.waiting > NEVER
        size = case.spares + 1 if self.is_counted else 0
        self.ring = np.full((size, jobs), -math.inf)
        self.next, self.runs = np.zeros(jobs, dtype=np.intp), np.arange(jobs)

    def add(self, now: Array, is_failure: Array) -> Array:
        """Send a node of each failing run away, and return when (s) each run has all the nodes that it needs.

        ``now`` is the time of each run (s), ``is_failure`` says which runs have just lost a node.
        """
        if not self.is_counted:
            return now
        slot = self.next
        self.ring[slot, self.runs] = np.where(is_failure, now, self.ring[slot, self.runs])
        self.next = np.where(is_failure, (slot + 1) % (self.spares + 1), slot)
        back = self.ring[self.next, self.runs] + self.repair
        return np.where(is_failure, np.maximum(now, back), now)


def draw_gaps(case: FailureCase, rate: float, rng: np.random.Generator, jobs: int) -> Array:
    """Return random times (s) between two failures of each of ``jobs`` runs, of mean 1 / ``rate`` (failures a second)."""
    if not rate:
        return np.full(jobs, math.inf)
    shape = case.settings.shape
    if shape == 1:
        return rng.standard_exponential(jobs) / rate
    return rng.weibull(shape, jobs) / (rate * math.gamma(1.0 + 1.0 / shape))


def scatter(lengths: Array, case: FailureCase, rng: np.random.Generator) -> Array:
    """Return the ``lengths`` of recoveries (s), scattered log-normally around their means as the settings say."""
    spread = case.settings.recovery_spread
    if not spread:
        return lengths
    scattered: Array = lengths * rng.lognormal(-(spread**2) / 2.0, spread, len(lengths))
    return scattered
