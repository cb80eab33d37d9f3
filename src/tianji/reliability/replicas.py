"""Runs in which a failure stops one data-parallel replica and the others go on, event by event.

Rates and times have their sources in the failure profile.
"""

from __future__ import annotations

import math

import numpy as np

from tianji.reliability.failure_case import FailureCase
from tianji.reliability.repairs import Repairs, draw_gaps, scatter
from tianji.units import Array


def run_replicas(case: FailureCase, jobs: int, rng: np.random.Generator) -> tuple[Array, dict[str, Array]]:
    """Return the seconds of full-strength work of each of ``jobs`` runs, and where its other time went (seconds by kind).

    A failure stalls all replicas for a while; the one that failed is away until it has recovered (and, without a spare node,
    until one is back). A silent corruption takes all replicas back by its delay.
    """
    horizon, replicas = case.settings.horizon, case.replicas
    mean_away = case.rate * (case.recovery_time + case.reconfigure)
    size = min(replicas, math.ceil(mean_away + 12.0 * math.sqrt(mean_away) + 20.0))
    waiting = np.full((jobs, size), math.inf)
    # When each missing replica comes back, in no order.
    repairs = Repairs(case, jobs)
    now, work, stalled, missing = np.zeros(jobs), np.zeros(jobs), np.zeros(jobs), np.zeros(jobs)
    runs, away = np.arange(jobs), np.zeros(jobs, dtype=np.intp)
    while (running := now < horizon).any():
        up = np.where(away < size, 1.0 - away / replicas, 0.0)
        with np.errstate(divide="ignore"):
            gap = np.where(up > 0, draw_gaps(case, case.rate, rng, jobs) / up, math.inf)
        slot = waiting.argmin(axis=1)
        back = np.maximum(waiting[runs, slot], now)
        is_back = back <= now + gap
        then = np.minimum(np.minimum(back, now + gap), horizon)
        work += (then - now) * (1.0 - away / replicas)
        missing += (then - now) * away / replicas
        is_failure = running & ~is_back & (then < horizon)
        is_back &= running & (then < horizon)
        now = then
        ready = repairs.add(now, is_failure) + scatter(np.full(jobs, case.recovery_time), case, rng)
        free = waiting.argmax(axis=1)
        waiting[runs, slot] = np.where(is_back, math.inf, waiting[runs, slot])
        waiting[runs, free] = np.where(is_failure, ready, waiting[runs, free])
        away = away + is_failure - is_back
        stall = np.where(is_failure, np.minimum(case.reconfigure, horizon - now), 0.0)
        stalled += stall
        now = now + stall
    corrupted = work * (1.0 - 1.0 / (1.0 + case.corruption_rate * case.corruption_delay))
    work = work - corrupted
    return work, {"restart": stalled, "missing_replicas": missing, "silent_corruption": corrupted}
