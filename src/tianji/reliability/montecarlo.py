"""Goodput by Monte Carlo: many runs of one job, failure by failure, all runs at once.

Seeded: the same seed gives the same answer. It needs none of the closed forms' assumptions: failures may come in clusters,
recoveries may scatter, runs may be short, and spares are counted out and back one by one. Rates and times have their sources in
the failure profile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tianji.errors import FormatError
from tianji.hardware.failure_profile import FailureProfile
from tianji.reliability.checkpoints import Exposure
from tianji.reliability.expectation import LOST, Expectation, summarize
from tianji.reliability.failure_case import FailureCase, find_case
from tianji.reliability.repairs import Repairs, draw_gaps, scatter
from tianji.reliability.replicas import run_replicas
from tianji.reliability.schedule import Schedule
from tianji.reliability.settings import Reliability
from tianji.units import Array

JOBS = 10_000
MOST_JOBS = 100_000
"""Runs are held side by side in memory."""
CORRUPTION = -1
"""Stands for a silent corruption where failures have the level that they roll back to."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Seconds of each run: lasting work, and where the rest went; together they are the horizon."""

    work: Array
    lost: dict[str, Array]


def sample(
    settings: Reliability, profile: FailureProfile, exposure: Exposure, case: str = "nominal", spares: int | None = None,
    *, jobs: int = JOBS, seed: int = 0,
) -> Expectation:  # fmt: skip
    """Return the mean goodput of many runs of ``settings.horizon``, with its standard error.

    Args:
        settings: What the user chooses: stores, interval, rung, spares, length of the run (s).
        profile: Rates and times of failures, each with its range.
        exposure: The chips that can fail, and the bytes that they hold.
        case: ``low`` (few failures), ``nominal`` or ``high``.
        spares: Nodes that stand by; None: those of the settings, or as many as this case needs.
        jobs: Runs to sample. 10,000 runs of a month at 131,072 chips are about 19 million failures.
        seed: Of the random numbers; the same seed gives the same answer.

    Raises FormatError for fewer than 1 or more than 100,000 runs.
    """
    if not 1 <= jobs <= MOST_JOBS:
        raise FormatError(f"jobs: expected 1 to {MOST_JOBS:,} runs to sample, got {jobs:,}")
    return sample_case(find_case(settings, profile, exposure, case, spares), jobs, seed)


def sample_case(case: FailureCase, jobs: int, seed: int) -> Expectation:
    """Return the mean goodput of so many ``jobs`` (runs) that all fail as one case says, with random numbers of ``seed``."""
    settings, rng = case.settings, np.random.default_rng(seed)
    if case.is_replica_lost:
        work, lost = run_replicas(case, jobs, rng)
        totals = Totals(work, lost)
    else:
        totals = Runs(case, jobs, rng).finish()
    # Stragglers and missing nodes slow the work that lasts; they do not change when it is lost.
    kept = 1.0 - case.straggle
    if settings.replacement == "shrink":
        kept *= math.exp(-case.nodes_away / case.replicas)
    share = totals.work / settings.horizon
    losses = dict.fromkeys(LOST, 0.0) | {kind: float(np.mean(x)) / settings.horizon for kind, x in totals.lost.items()}
    mean = float(np.mean(share))
    losses["stragglers"] += mean * case.straggle * (kept / (1.0 - case.straggle))
    losses["missing_replicas"] += mean * (1.0 - kept / (1.0 - case.straggle))
    error = float(np.std(share)) * kept / math.sqrt(jobs)
    return summarize(case, mean * kept, losses, error)


class Runs:
    """All ``jobs`` (runs) of one case, side by side: each array has one entry for each run.

    ``place`` is how far a run has come in the undisturbed schedule, ``safe[i]`` the newest place that it can go back to on
    level i; ``recovery`` is what is left of the one that is under way, ``length`` all of it.
    """

    def __init__(self, case: FailureCase, jobs: int, rng: np.random.Generator) -> None:
        self.case, self.rng, self.jobs = case, rng, jobs
        self.schedule = Schedule(case.cycles)
        self.repairs = Repairs(case, jobs)
        self.now, self.place = np.zeros(jobs), np.zeros(jobs)
        self.safe = np.zeros((len(case.cycles), jobs))
        self.pending = np.full(jobs, -1)
        self.recovery, self.length = np.zeros(jobs), np.zeros(jobs)
        self.waited, self.recovered, self.corrupted = np.zeros(jobs), np.zeros(jobs), np.zeros(jobs)
        causes = [(i, s, d + r) for i, c in enumerate(case.cycles) for s, d, r in c.level.recoveries]
        causes.append((CORRUPTION, case.corruption_rate, 0.0))
        self.rate = sum(rate for _, rate, _ in causes)
        self.levels = np.array([level for level, _, _ in causes])
        self.lengths = np.array([length for _, _, length in causes])
        self.bounds = np.cumsum([rate for _, rate, _ in causes])[:-1] / self.rate if self.rate else np.zeros(0)

    def finish(self) -> Totals:
        """Let every run go on to the horizon, and return what each did with its time."""
        horizon = self.case.settings.horizon
        running = np.ones(self.jobs, dtype=bool)
        while running.any():
            gap = draw_gaps(self.case, self.rate, self.rng, self.jobs)
            left = horizon - self.now
            running = gap < left
            gap = np.where(running, gap, left)
            spent = np.minimum(gap, self.recovery)
            self.recovered += spent
            self.recovery -= spent
            self.place += gap - spent
            self.now = np.where(running, self.now + gap, horizon)
            if running.any():
                self._fail(running)
        return self._total()

    def _total(self) -> Totals:
        work = self.schedule.work(self.place)
        planned = self.case.recovery_time
        detection = self.case.detection_time / planned if planned else 0.0
        lost = {
            "checkpointing": self.place - work,
            "detection": self.recovered * detection,
            "restart": self.recovered * (1.0 - detection),
            "waiting_for_spares": self.waited,
            "silent_corruption": self.corrupted,
        }
        lost["lost_work"] = self.case.settings.horizon - work - sum(lost.values())
        return Totals(work, lost)

    def _fail(self, running: Array) -> None:
        """Roll each run back to what outlives its failure, and start its recovery."""
        causes = np.searchsorted(self.bounds, self.rng.random(self.jobs), side="right")
        level, length = self.levels[causes], scatter(self.lengths[causes], self.case, self.rng)
        is_failure = running & (level != CORRUPTION)
        # A failure in a recovery that goes further back begins that recovery again.
        again = is_failure & (self.recovery > 0) & (self.pending > level)
        level = np.where(again, self.pending, level)
        length = np.where(again, self.length, length)
        self._roll_back(level, is_failure)
        if self.case.corruption_rate:
            self._corrupt(running & ~is_failure)
        self.pending = np.where(is_failure, level, self.pending)
        self.length = np.where(is_failure, length, self.length)
        self.recovery = np.where(is_failure, length, self.recovery)
        ready = np.minimum(self.repairs.add(self.now, is_failure), self.case.settings.horizon)
        self.waited += ready - self.now
        self.now = ready

    def _roll_back(self, level: Array, is_failure: Array) -> None:
        for i, cycle in enumerate(self.case.cycles):
            newest = self.schedule.floor(self.place - cycle.save.drain, i)
            self.safe[i] = np.maximum(self.safe[i], newest)
        for i in range(len(self.case.cycles)):
            hit = is_failure & (level == i)
            self.place = np.where(hit, self.safe[i], self.place)
            self.safe[:i] = np.where(hit, self.safe[i], self.safe[:i])

    def _corrupt(self, hit: Array) -> None:
        # What was done in the delay is the run's mean pace over it; nobody keeps the whole history of a run.
        pace = self.place / np.maximum(self.now, self.case.corruption_delay)
        back = np.where(hit, pace * self.case.corruption_delay, 0.0)
        self.corrupted += back
        self.place = self.place - back
        self.safe = np.minimum(self.safe, self.place)
