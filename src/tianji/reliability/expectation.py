"""Expected goodput of a job and where its time goes: the closed forms together.

Failures that roll back to a newer state recur inside those that roll back to an older one. Each level is a renewal process
(:mod:`tianji.reliability.renewal`) in the time that the levels below it leave over, so their efficiencies multiply; waiting
for spares, silent corruption and stragglers are further factors. The losses are exclusive and add up to 1 - goodput.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tianji.hardware.failures import FailureProfile, bound
from tianji.reliability.checkpoints import Exposure, Save, price_saves
from tianji.reliability.hazards import YEAR, find_hazards
from tianji.reliability.ladder import Level, assign
from tianji.reliability.renewal import LARGEST, best_interval
from tianji.reliability.settings import Reliability
from tianji.reliability.spares import spares_for, waiting_share
from tianji.units import DAY, Seconds

LOST = (
    "checkpointing", "lost_work", "detection", "restart", "waiting_for_spares", "missing_replicas", "silent_corruption",
    "stragglers",
)  # fmt: skip
"""Where time goes that is no progress."""
LEAST = 1e-12
"""A job that practically never gets on is said to keep this share, because a goodput of nothing has no inverse."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """Goodput in one case, and where the rest of the time goes.

    ``losses`` are shares of wall-clock time by kind, which add up to 1 - goodput. ``intervals`` are the training times between
    two checkpoints to each store, ``spares`` the nodes that stand by beyond those that work, ``spares_needed`` those that this
    case asks for.
    """

    goodput: float
    losses: Mapping[str, float]
    mtbf: Seconds
    """Mean time between failures that stop the job, or one of its replicas."""
    intervals: Mapping[str, Seconds]
    save_time: Seconds
    """How long one checkpoint to storage stops the training."""
    recovery_time: Seconds
    """Mean time from a failure until training goes on, loading included, without the work that is repeated."""
    spares: int
    spares_needed: int
    failures: Mapping[str, float]
    """Failures a day by component."""


def expect(
    settings: Reliability, profile: FailureProfile, exposure: Exposure, case: str = "nominal", spares: int | None = None
) -> Expectation:
    """Return the expected goodput of a job; the case ``low`` is that of few failures.

    ``spares`` nodes stand by; None: those of the settings, or as many as this case needs.
    """
    hazards = find_hazards(profile, exposure.pool, exposure.chips, case)
    saves = price_saves(settings, profile, exposure)
    total = sum(hazard.rate for hazard in hazards)
    losses = dict.fromkeys(LOST, 0.0)
    needed = needed_spares(settings, profile, total)
    spares = needed if spares is None else spares
    left = _wait(losses, settings, profile, exposure, total, spares)
    levels = assign(hazards, settings, profile, saves)
    if settings.loss == "replica":
        left, intervals = _replica_losses(losses, left, levels, settings, profile, exposure)
    else:
        left, intervals = _job_losses(losses, left, levels, settings, saves, exposure)
    if settings.corruption:
        rate = bound(profile.corruption_rate, case) / YEAR * exposure.chips
        left = _take(losses, "silent_corruption", left, 1.0 - 1.0 / (1.0 + rate * profile.corruption_delay.value))
    straggle = profile.straggle.value if settings.straggle is None else settings.straggle
    left = _take(losses, "stragglers", left, straggle)
    return Expectation(
        goodput=max(left, LEAST),
        losses=losses,
        mtbf=1.0 / total if total else math.inf,
        intervals=intervals,
        save_time=saves["storage"].stop,
        recovery_time=_mean_recovery(levels),
        spares=spares,
        spares_needed=needed,
        failures={hazard.component: hazard.rate * DAY for hazard in hazards},
    )


def needed_spares(settings: Reliability, profile: FailureProfile, rate: float) -> int:
    """Return the spare nodes: those given, or as many as suffice; each failure sends a node to repair."""
    if settings.replacement == "shrink":
        return 0
    if settings.spare_nodes is not None:
        return settings.spare_nodes
    return spares_for(rate * (settings.repair_time or profile.repair.value), settings.confidence)


def _take(losses: dict[str, float], kind: str, left: float, share: float) -> float:
    losses[kind] += left * share
    return left * (1.0 - share)


def _wait(
    losses: dict[str, float],
    settings: Reliability,
    profile: FailureProfile,
    exposure: Exposure,
    rate: float,
    spares: int,
) -> float:
    """Return what waiting for spares leaves of the time, or, without spares, the replicas that lack a node."""
    away = rate * (settings.repair_time or profile.repair.value)
    if settings.replacement == "spare":
        return _take(losses, "waiting_for_spares", 1.0, waiting_share(spares, away))
    # Each node away takes its whole replica along; independent replicas of which each is whole a share e^-away/n of the time.
    replicas = max(exposure.chips // exposure.model_chips, 1)
    return _take(losses, "missing_replicas", 1.0, -math.expm1(-away / replicas))


def _job_losses(
    losses: dict[str, float], left: float, levels: list[Level], settings: Reliability, saves: Mapping[str, Save],
    exposure: Exposure,
) -> tuple[float, dict[str, Seconds]]:  # fmt: skip
    """Return what failures of the whole job leave of the time, and the intervals between checkpoints."""
    cycles, intervals, inner, rate = [], {}, 1.0, 0.0
    for level in levels:
        if level.rate <= 0:
            continue
        rate += level.rate
        save = saves.get(level.name, Save(0.0, 0.0, 0.0))
        if level.name == "step":
            interval = exposure.step_time
        elif level.name == "storage" and settings.interval is not None:
            interval = settings.interval / inner
        else:
            interval = best_interval(save.stop, 1.0 / level.rate, max(save.drain, exposure.step_time))
        cycle = Cycle.of(level, interval, save, rate)
        cycles.append(cycle)
        if level.name != "step":
            intervals[level.name] = interval * inner
        inner *= cycle.useful
    for cycle in reversed(cycles):
        for kind, share in cycle.losses.items():
            losses[kind] += left * share
        left *= cycle.useful
    return left, intervals


@dataclass(frozen=True, slots=True)
class Cycle:
    """From one checkpoint to the next: the useful share of the time, and the losses, which add up to the rest."""

    useful: float
    losses: Mapping[str, float]

    @classmethod
    def of(cls, level: Level, interval: Seconds, save: Save, rate: float) -> Cycle:
        """Return the cycle of a level: Daly's form, with several recovery times and a save that is safe only after a while.

        ``rate`` is that of all failures that can interrupt a recovery. What was done while a save drained is repeated after
        a failure, which is a longer recovery. A recovery of R succeeds with e^{-rate R}; the tries before it are lost too.
        """
        mtbf, stop = 1.0 / level.rate, save.stop
        longest = max(d + r for _, d, r in level.recoveries) + save.drain
        exponent = (interval + stop) / mtbf
        if exponent + rate * longest > LARGEST:
            return cls(LEAST, {"restart": 1.0 - LEAST})
        success = sum(share * math.exp(-rate * (d + r + save.drain)) for share, d, r in level.recoveries) / level.rate
        recovery = (1.0 / success - 1.0) / rate
        failures = math.expm1(exponent)
        whole = (mtbf + recovery) * failures
        planned = [sum(x) / level.rate for x in zip(*((s * d, s * r) for s, d, r in level.recoveries), strict=True)]
        part = failures * recovery / (sum(planned) + save.drain) / whole
        repeated = max((failures * mtbf - interval - stop) / whole, 0.0)
        losses = {
            "checkpointing": stop / whole,
            "lost_work": repeated + part * save.drain,
            "detection": part * planned[0],
            "restart": part * planned[1],
        }
        return cls(1.0 - sum(losses.values()), losses)


def _replica_losses(
    losses: dict[str, float], left: float, levels: list[Level], settings: Reliability, profile: FailureProfile,
    exposure: Exposure,
) -> tuple[float, dict[str, Seconds]]:  # fmt: skip
    """Return what is left when a failure stops one replica: the others stall briefly, twice, and go on without it.

    A replica that comes back copies the state of another, so that no finished step is lost and checkpoints are a matter of
    safety, not of speed.
    """
    size = settings.replica_chips or max(exposure.pool.unit, exposure.model_chips)
    replicas = max(exposure.chips // size, 1)
    rate = sum(level.rate for level in levels)
    if rate <= 0:
        return left, {}
    stalls = rate * profile.reconfigure.value
    left = _take(losses, "restart", left, stalls / (1.0 + stalls))
    away = _mean_recovery(levels) * rate / replicas
    left = _take(losses, "missing_replicas", left, away / (1.0 + away))
    return left, {}


def _mean_recovery(levels: list[Level]) -> Seconds:
    rate = sum(level.rate for level in levels)
    return sum(s * (d + r) for level in levels for s, d, r in level.recoveries) / rate if rate else 0.0
