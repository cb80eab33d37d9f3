"""Cycles: from one checkpoint to the next, on each level of saved states, one inside the other.

Failures that roll back to a newer state recur inside the cycles of those that roll back to an older one. Each level is a renewal
process (:mod:`tianji.reliability.renewal`) in the time that the levels inside it need for the same work, so that the useful
shares multiply. Source of one level: Daly 2006; the nesting is shown in ``docs/reliability.md`` and held against samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tianji.reliability.checkpoints import Save
from tianji.reliability.recovery import Level
from tianji.reliability.renewal import LARGEST, best_interval
from tianji.units import Seconds

LEAST = 1e-12
"""A job that practically never gets on is said to keep this share, because a goodput of nothing has no inverse."""
FREE = Save(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Cycle:
    """One level: its failures, its save, its interval, the useful share of its time, and the losses that are the rest.

    ``interval`` is the time between two saves that the levels inside take for it, ``work`` the training in it.
    """

    level: Level
    save: Save
    interval: Seconds
    work: Seconds
    useful: float
    losses: Mapping[str, float]


def nest(
    levels: Sequence[Level], saves: Mapping[str, Save], step_time: Seconds, interval: Seconds | None = None
) -> list[Cycle]:
    """Return the cycles of all levels that have failures, the innermost first, each with its best interval.

    A save to a farther store is one to the nearer stores too, so a nearer one is worth its own saves only if it is made more
    often: else its failures go on from the farther store's saves.

    Args:
        levels: Failures by the state that they roll back to, the nearest store first; rates a second.
        saves: What a save to each store takes (seconds).
        step_time: Seconds of one step: no interval is shorter.
        interval: Training time (seconds) between two saves to storage; None: the best one.
    """
    cycles: list[Cycle] = []
    for level in levels:
        if level.rate <= 0:
            continue
        cycles = _add(cycles, level, saves, step_time, interval)
    return cycles


def _add(
    inside: list[Cycle], level: Level, saves: Mapping[str, Save], step_time: Seconds, given: Seconds | None
) -> list[Cycle]:
    rate = level.rate + sum(cycle.level.rate for cycle in inside)
    share = math.prod(cycle.useful for cycle in inside)
    save = saves.get(level.name, FREE)
    if level.name == "step":
        interval = step_time
    elif level.name == "storage" and given is not None:
        interval = given / share
    else:
        interval = best_interval(save.stop, 1.0 / level.rate, max(save.drain, step_time))
    if inside and inside[-1].level.name != "step" and inside[-1].work >= interval * share:
        nearer = inside[-1].level
        merged = Level(level.name, level.rate + nearer.rate, [*level.recoveries, *nearer.recoveries])
        return _add(inside[:-1], merged, saves, step_time, given)
    useful, losses = estimate_cycle(level, interval, save, rate)
    return [*inside, Cycle(level, save, interval, interval * share, useful, losses)]


def estimate_cycle(level: Level, interval: Seconds, save: Save, rate: float) -> tuple[float, dict[str, float]]:
    """Return the useful share of a level's time and its losses: Daly's form, with several recoveries and a slow save.

    With M the mean time between failures of the level, τ the interval, δ the save, R a recovery with all its tries::

        useful = τ / ((M + R) (e^{(τ + δ) / M} - 1))        R = (1 / mean of e^{-rate R_i} - 1) / rate

    What was done while a save drained is repeated after a failure, which is a longer recovery. A recovery of R_i succeeds with
    e^{-rate R_i}; the tries before it are lost too.

    Args:
        level: Its failures (a second) with detection and restart (seconds) of each way to recover; the rate is above 0.
        interval: Seconds between two saves, failures of the levels inside included.
        save: How long it stops the training, and drains (seconds).
        rate: Of all failures that can interrupt a recovery, a second.

    Source: Daly 2006 for one recovery and a save that is safe at once.
    """
    mtbf, stop = 1.0 / level.rate, save.stop
    longest = max(detection + restart for _, detection, restart in level.recoveries) + save.drain
    exponent = (interval + stop) / mtbf
    if exponent + rate * longest > LARGEST:
        return LEAST, {"restart": 1.0 - LEAST}
    success = detection = restart = 0.0
    for part, notice, back in level.recoveries:
        success += part / level.rate * math.exp(-rate * (notice + back + save.drain))
        detection += part / level.rate * notice
        restart += part / level.rate * back
    recovery = (1.0 / success - 1.0) / rate
    failures = math.expm1(exponent)
    whole = (mtbf + recovery) * failures
    planned = detection + restart + save.drain
    tries = failures * recovery / planned / whole if planned else 0.0
    repeated = max((failures * mtbf - interval - stop) / whole, 0.0)
    losses = {
        "checkpointing": stop / whole,
        "lost_work": repeated + tries * save.drain,
        "detection": tries * detection,
        "restart": tries * restart,
    }
    return max(1.0 - sum(losses.values()), LEAST), losses
