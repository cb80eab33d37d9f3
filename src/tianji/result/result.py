"""A result: what a plan gives, predicted or measured. One type, so that both are compared, explained and drawn alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from tianji.hardware.uncertainty import RANGE_80
from tianji.parallel.plan import Plan
from tianji.ranges import Range
from tianji.result.measurement import Measurement
from tianji.units import DAY, Bytes, Seconds, show

RISKY = 0.1
"""Chance of not fitting from which on a plan is said to be at risk."""


@dataclass(frozen=True, slots=True)
class Result:
    """Time and memory of one plan.

    ``breakdown`` holds exclusive seconds of the critical path by kind; they add up to the step time. ``memory`` holds the bytes
    of the fullest stage's chip by part, ``stages`` the same for every stage.
    """

    plan: Plan
    kind: str
    """``predicted`` or ``measured``."""
    step_time: Range
    breakdown: Mapping[str, Seconds]
    memory: Mapping[str, Bytes]
    stages: tuple[Mapping[str, Bytes], ...]
    memory_limit: Bytes
    model_flops: float
    peak: float
    """Dense peak of one chip in the dtype of the linear layers, FLOP/s."""
    measurement: Measurement | None = None
    """What a run adds; None for a prediction."""
    host_memory: Mapping[str, Bytes] = field(default_factory=dict)
    """Bytes of the host's memory that the fullest stage's chip takes, by part; empty where nothing is offloaded."""
    memory_error: float = 0.0
    """Standard deviation of the logarithm of the bytes on a chip."""
    host_limit: Bytes | None = None
    """Host memory for each chip; None where nobody published it."""

    def __repr__(self) -> str:
        return f"Result({self.plan!r}, {self.kind}: {show(self.step_time.nominal, 'time')} a step)"

    @property
    def memory_total(self) -> Bytes:
        """Bytes on the fullest chip."""
        return sum(self.memory.values())

    @property
    def memory_range(self) -> Range:
        """Bytes on the fullest chip with their 80 % range."""
        error = math.exp(RANGE_80 * self.memory_error)
        return Range(self.memory_total / error, self.memory_total, self.memory_total * error)

    @property
    def misfit_chance(self) -> float:
        """The chance that the fullest chip is asked for more than it has."""
        if not self.memory_error or not self.memory_total:
            return float(self.memory_total > self.memory_limit)
        away = math.log(self.memory_limit / self.memory_total) / self.memory_error
        return math.erfc(away / math.sqrt(2.0)) / 2.0

    @property
    def host_total(self) -> Bytes:
        """Bytes of the host's memory that the fullest stage's chip takes."""
        return sum(self.host_memory.values())

    @property
    def worst_stage(self) -> int:
        """Index of the stage whose chips are fullest."""
        totals = [sum(parts.values()) for parts in self.stages]
        return totals.index(max(totals))

    @property
    def fits(self) -> bool:
        """The fullest chip holds what it must, and so does its host where its memory is known."""
        return self.memory_total <= self.memory_limit and (
            self.host_limit is None or self.host_total <= self.host_limit
        )

    @property
    def tokens_per_s(self) -> float:
        """Tokens of the whole job in a second."""
        return self.plan.job.tokens_per_step / self.step_time.nominal

    @property
    def tokens_per_s_per_chip(self) -> float:
        """Tokens a second over the chips that work."""
        return self.tokens_per_s / self.plan.strategy.chips

    @property
    def mfu(self) -> float:
        """Model FLOPs of a step over what the working chips could do at their dense peak in that time."""
        return self.model_flops / (self.step_time.nominal * self.plan.strategy.chips * self.peak)

    @property
    def days(self) -> float | None:
        """Days for the job's tokens without any failure, nominal; None when the job states no tokens."""
        return self.days_range.nominal if self.days_range else None

    @property
    def days_range(self) -> Range | None:
        """Days for the job's tokens without any failure: ``tokens / tokens of a step · step time``."""
        job = self.plan.job
        return self.step_time * (job.tokens / job.tokens_per_step / DAY) if job.tokens else None
