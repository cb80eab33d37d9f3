"""The course of a run: its failures, its saves and its spares in one case, before anybody adds up what they cost."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tianji.hardware.failures import FailureProfile, bound
from tianji.reliability.checkpoints import Exposure, Save, price_saves
from tianji.reliability.cycles import Cycle, nest
from tianji.reliability.hazards import YEAR, Hazard, find_hazards
from tianji.reliability.ladder import assign
from tianji.reliability.settings import Reliability
from tianji.reliability.spares import spares_for
from tianji.units import Seconds


@dataclass(frozen=True, slots=True)
class Course:
    """What happens to a run in one case; rates are events a second of the whole job."""

    settings: Reliability
    hazards: tuple[Hazard, ...]
    rate: float
    """Of all failures."""
    storage: Save
    cycles: list[Cycle]
    repair: Seconds
    spares: int
    spares_needed: int
    replicas: int
    """Of which one failure stops only one (``loss="replica"``), or lacks a node (``replacement="shrink"``)."""
    reconfigure: Seconds
    corruption_rate: float
    corruption_delay: Seconds
    straggle: float

    @property
    def is_replica_lost(self) -> bool:
        """A failure stops one replica and not the job; where there is only one, it is the job."""
        return self.settings.loss == "replica" and self.replicas > 1

    @property
    def mtbf(self) -> Seconds:
        """Mean time between failures that stop the job, or one of its replicas."""
        return 1.0 / self.rate if self.rate else math.inf

    @property
    def nodes_away(self) -> float:
        """Mean number of nodes in repair."""
        return self.rate * self.repair

    @property
    def recovery_time(self) -> Seconds:
        """Mean time from a failure until training goes on, loading included, without the work that is repeated."""
        levels = [cycle.level for cycle in self.cycles]
        return sum(s * (d + r) for level in levels for s, d, r in level.recoveries) / self.rate if self.rate else 0.0

    @property
    def detection_time(self) -> Seconds:
        """Mean time from a failure until it is noticed."""
        levels = [cycle.level for cycle in self.cycles]
        return sum(s * d for level in levels for s, d, _ in level.recoveries) / self.rate if self.rate else 0.0


def chart(
    settings: Reliability, profile: FailureProfile, exposure: Exposure, case: str = "nominal", spares: int | None = None
) -> Course:
    """Return the course of a run; the case ``low`` is that of few failures.

    ``spares`` nodes stand by; None: those of the settings, or as many as this case needs.
    """
    hazards = find_hazards(profile, exposure.pool, exposure.chips, case)
    saves = price_saves(settings, profile, exposure)
    rate = sum(hazard.rate for hazard in hazards)
    repair = settings.repair_time or profile.repair.value
    needed = _needed_spares(settings, rate * repair)
    size = exposure.model_chips
    if settings.loss == "replica":
        size = max(settings.replica_chips or exposure.pool.unit, exposure.model_chips)
    return Course(
        settings=settings,
        hazards=hazards,
        rate=rate,
        storage=saves["storage"],
        cycles=nest(assign(hazards, settings, profile, saves), saves, exposure.step_time, settings.interval),
        repair=repair,
        spares=needed if spares is None else spares,
        spares_needed=needed,
        replicas=max(exposure.chips // size, 1),
        reconfigure=profile.reconfigure.value,
        corruption_rate=bound(profile.corruption_rate, case) / YEAR * exposure.chips if settings.corruption else 0.0,
        corruption_delay=profile.corruption_delay.value,
        straggle=profile.straggle.value if settings.straggle is None else settings.straggle,
    )


def _needed_spares(settings: Reliability, away: float) -> int:
    # Each failure sends a node to repair: nobody knows at once that it was only software.
    if settings.replacement == "shrink":
        return 0
    return spares_for(away, settings.confidence) if settings.spare_nodes is None else settings.spare_nodes
