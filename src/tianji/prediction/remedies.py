"""What each choice under failures is worth: rungs of the recovery ladder, checkpoint intervals, spare nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tianji.hardware.failure_profile import RUNGS
from tianji.prediction.goodput import Goodput, expect_goodput
from tianji.ranges import Range
from tianji.reliability import Reliability
from tianji.result import Result
from tianji.units import Seconds


class Stepping(Protocol):
    """What has a step time: a result, or the plan of a mixture."""

    @property
    def step_time(self) -> Range:
        """Seconds of a step."""


Expect = Callable[..., Goodput]
"""Returns the goodput of something that steps, under some settings; as :func:`expect_goodput`."""
TOLERANCE = 0.001
"""Goodput that a longer interval may cost: a tenth of a point is less than anybody can tell, and fewer saves wear less."""
MOST_WRITING = 0.5
"""Share of the time in which the storage may write: beyond it a slow hour of the storage delays the training."""
FACTOR = 2.0
"""Between two intervals of the table."""
FINE = 2.0**0.125
"""Between two intervals that are tried for the recommended one."""
LONGEST = 4096.0
"""Times the best interval, beyond which none is tried."""


def weigh_choices(
    result: Stepping, reliability: Reliability | None = None, *, expect: Expect = expect_goodput, **how: Any
) -> dict[str, Goodput]:
    """Return the goodput with each rung of the ladder, and with each further choice, in place of the settings' own.

    A rung is the fastest in use; with ``+ peer memory`` its restarts load from the memory of another node. ``how`` goes to
    :func:`expect_goodput`.
    """
    settings = reliability or Reliability()
    memory = ("local", "peer", "storage")
    choices = {f"{rung} restart": replace(settings, recovery=rung, loss="job") for rung in reversed(RUNGS)}
    choices["process restart + peer memory"] = replace(settings, recovery="process", loss="job", stores=memory)
    choices["in-process restart + peer memory"] = replace(settings, recovery="in-process", loss="job", stores=memory)
    choices["synchronous saves"] = replace(settings, asynchronous=False)
    if isinstance(result, Result):  # a mixture loses its job and takes a spare
        choices["shrink instead of spares"] = replace(settings, replacement="shrink")
    if isinstance(result, Result) and result.plan.strategy.dp > 1:
        choices["lost replica, not lost job"] = replace(settings, loss="replica")
    return {name: expect(result, choice, **how) for name, choice in choices.items()}


@dataclass(frozen=True, slots=True)
class IntervalChoice:
    """One checkpoint interval and what it leaves."""

    interval: Seconds
    """Training time between two checkpoints to storage."""
    goodput: Goodput
    writing: float
    """Share of the time in which the storage writes."""
    is_best: bool = False
    is_recommended: bool = False
    """The longest that keeps the best goodput but a tenth of a point, at the nominal failure rate."""


def weigh_intervals(
    result: Stepping, reliability: Reliability | None = None, *, expect: Expect = expect_goodput, **how: Any
) -> list[IntervalChoice]:
    """Return checkpoint intervals around the best one, and the recommended one among them, by length.

    The recommended one is never so short that the storage writes more than half of the time. Empty where a failure stops a
    replica and not the job: then no finished step is lost. ``how`` goes to :func:`expect_goodput`.
    """
    settings = reliability or Reliability()
    best = expect(result, replace(settings, interval=None), **how)
    shortest = best.nominal.intervals.get("storage")
    if shortest is None:
        return []

    def weigh(interval: Seconds) -> IntervalChoice:
        goodput = expect(result, replace(settings, interval=interval), **how)
        return IntervalChoice(interval, goodput, goodput.nominal.drain_time / interval)

    least = max(best.nominal.drain_time / MOST_WRITING, result.step_time.nominal)
    recommended = weigh(max(shortest, least))
    floor = recommended.goodput.nominal.goodput - TOLERANCE
    while recommended.interval * FINE < LONGEST * shortest:
        longer = weigh(recommended.interval * FINE)
        if longer.goodput.nominal.goodput < floor:
            break
        recommended = longer
    chosen = IntervalChoice(shortest, best, best.nominal.drain_time / shortest, is_best=True)
    around = [weigh(interval) for interval in _around(shortest, recommended.interval, best.nominal.drain_time)]
    marked = replace(recommended, is_recommended=True)
    return sorted([chosen, marked, *around], key=lambda choice: choice.interval)


def _around(best: Seconds, recommended: Seconds, drain: Seconds) -> Iterator[Seconds]:
    """Yield intervals from half of the best to four times the recommended one, none shorter than a save takes to write."""
    interval = best / FACTOR
    while interval <= recommended * FACTOR**2:
        is_new = all(abs(interval / known - 1.0) > 0.2 for known in (best, recommended))
        if is_new and interval >= drain:
            yield interval
        interval *= FACTOR


def recommend_interval(result: Result, reliability: Reliability | None = None, **how: Any) -> Seconds | None:
    """Return the recommended training time between two checkpoints to storage; None where failures lose no finished step."""
    return next((c.interval for c in weigh_intervals(result, reliability, **how) if c.is_recommended), None)


def weigh_spares(result: Result, reliability: Reliability | None = None, **how: Any) -> dict[int, Goodput]:
    """Return the goodput by the number of spare nodes, from none to two more than the settings take.

    Empty where lost nodes are not replaced.
    """
    settings = reliability or Reliability()
    if settings.replacement != "spare":
        return {}
    taken = expect_goodput(result, settings, **how).spare_nodes
    first = max(taken - 4, 0)
    counts = sorted({0, *range(first, taken + 3)})
    return {count: expect_goodput(result, replace(settings, spare_nodes=count), **how) for count in counts}
