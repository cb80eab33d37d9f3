"""One case of how a run fails: its failures, its saves and its spares, before anybody adds up the time that they take.

Rates of independent components add up (exponential times between failures). Each rate has its source in the failure profile.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tianji.hardware.failure_profile import FailureProfile
from tianji.reliability.checkpoints import Exposure, Save, estimate_saves
from tianji.reliability.hazards import YEAR, Hazard, find_hazards
from tianji.reliability.multilevel_checkpoints import Cycle, nest
from tianji.reliability.recovery import Level, assign
from tianji.reliability.settings import Reliability
from tianji.reliability.spares import mean_excess, spares_for, waiting_share
from tianji.units import Seconds

Exposed = tuple[FailureProfile, Exposure]
"""Chips of one kind, with how they fail."""


@dataclass(frozen=True, slots=True)
class Stock:
    """Spare nodes of one kind of chip: those that stand by, those that this case asks for, and the mean number in repair."""

    spares: int
    needed: int
    away: float


@dataclass(frozen=True, slots=True)
class FailureCase:
    """How a run fails in one case; rates are events a second of the whole job."""

    settings: Reliability
    hazards: tuple[Hazard, ...]
    rate: float
    """Of all failures."""
    storage: Save
    cycles: list[Cycle]
    repair: Seconds
    """Mean time until a failed node is back."""
    stocks: tuple[Stock, ...]
    """Of each kind of chip: a node of one kind takes no place of another's."""
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
        return sum(stock.away for stock in self.stocks)

    @property
    def spares(self) -> int:
        """Nodes that stand by."""
        return sum(stock.spares for stock in self.stocks)

    @property
    def spares_needed(self) -> int:
        """Spares that this case asks for."""
        return sum(stock.needed for stock in self.stocks)

    @property
    def waiting(self) -> float:
        """Share of time in which a node of some kind is wanted and none of its kind stands by."""
        return 1.0 - math.prod(1.0 - waiting_share(stock.spares, stock.away) for stock in self.stocks)

    @property
    def lacking(self) -> float:
        """Mean number of nodes in repair for which no spare is left."""
        return sum(mean_excess(stock.spares, stock.away) for stock in self.stocks)

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


def find_case(
    settings: Reliability, profile: FailureProfile, exposure: Exposure, case: str = "nominal", spares: int | None = None
) -> FailureCase:
    """Return how a run fails in one case: ``low`` is that of few failures.

    ``spares`` nodes stand by; None: those of the settings, or as many as this case needs.
    """
    return find_joint_case(settings, [(profile, exposure)], case, None if spares is None else [spares])


def find_joint_case(
    settings: Reliability, parts: Sequence[Exposed], case: str = "nominal", spares: Sequence[int] | None = None
) -> FailureCase:
    """Return how one job on several parts fails in one case, each part by its own profile.

    Failures of all parts add up; a save ends with the part that is the slowest at it; parts of the same chip share their spares.
    ``spares`` are those of each kind of chip in the order of the parts; None: those of the settings for each kind, or as many as
    this case needs.
    """
    hazards = [find_hazards(profile, exposure.pool, exposure.chips, case) for profile, exposure in parts]
    saves = _slowest([estimate_saves(settings, *part) for part in parts])
    levels = [assign(of_part, settings, profile, saves) for of_part, (profile, _) in zip(hazards, parts, strict=True)]
    rates = [sum(hazard.rate for hazard in of_part) for of_part in hazards]
    repairs = [settings.repair_time or profile.repair.value for profile, _ in parts]
    corrupting = [profile.corruption_rate.at(case) / YEAR * exposure.chips for profile, exposure in parts]
    away: dict[str, float] = {}
    for (_, exposure), rate, repair in zip(parts, rates, repairs, strict=True):
        away[exposure.pool.chip.name] = away.get(exposure.pool.chip.name, 0.0) + rate * repair
    needed = [_needed_spares(settings, mean) for mean in away.values()]
    stocks = tuple(map(Stock, needed if spares is None else spares, needed, away.values()))
    return FailureCase(
        settings=settings,
        hazards=_join_hazards(hazards),
        rate=sum(rates),
        storage=saves["storage"],
        cycles=nest(_join_levels(levels), saves, parts[0][1].step_time, settings.interval),
        repair=_mean(repairs, rates),
        stocks=stocks,
        replicas=max(sum(exposure.chips // _replica_size(settings, exposure) for _, exposure in parts), 1),
        reconfigure=max(profile.reconfigure.value for profile, _ in parts),
        corruption_rate=sum(corrupting) if settings.corruption else 0.0,
        corruption_delay=_mean([profile.corruption_delay.value for profile, _ in parts], corrupting),
        straggle=max(p.straggle.value for p, _ in parts) if settings.straggle is None else settings.straggle,
    )


def _replica_size(settings: Reliability, exposure: Exposure) -> int:
    if settings.loss == "replica":
        return max(settings.replica_chips or exposure.pool.unit, exposure.model_chips)
    return exposure.model_chips


def _mean(values: Sequence[float], weights: Sequence[float]) -> float:
    # One value stays itself to the last digit.
    whole = sum(weights)
    is_plain = len(set(values)) == 1 or not whole
    return values[0] if is_plain else sum(v * w for v, w in zip(values, weights, strict=True)) / whole


def _slowest(saves: Sequence[dict[str, Save]]) -> dict[str, Save]:
    return {
        store: Save(
            max(save[store].stop for save in saves),
            max(save[store].drain for save in saves),
            max(save[store].load for save in saves),
        )
        for store in saves[0]
    }


def _join_hazards(parts: Iterable[Iterable[Hazard]]) -> tuple[Hazard, ...]:
    rates: dict[str, float] = {}
    for hazard in (hazard for part in parts for hazard in part):
        rates[hazard.component] = rates.get(hazard.component, 0.0) + hazard.rate
    return tuple(Hazard(component, rate) for component, rate in rates.items())


def _join_levels(parts: Sequence[list[Level]]) -> list[Level]:
    """Return the failures of all parts by what they roll back to; the parts have the same levels."""
    return [
        Level(same[0].name, sum(level.rate for level in same), [way for level in same for way in level.recoveries])
        for same in zip(*parts, strict=True)
    ]


def _needed_spares(settings: Reliability, away: float) -> int:
    # Each failure sends a node to repair: nobody knows at once that it was only software.
    if settings.replacement == "shrink":
        return 0
    return spares_for(away, settings.confidence) if settings.spare_nodes is None else settings.spare_nodes
