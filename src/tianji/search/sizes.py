"""Fewer chips than all: more chips are never slower, since a plan may leave some of them idle.

Some numbers divide badly: what the batch does not share with them falls to axes that communicate more. So the best plan is that
on at most all chips. Smaller numbers are found by the dealings of the coarse search (:mod:`tianji.search.coarse`), which prices
each way to cut one replica with the most replicas that batch and chips allow. What looks as fast as all chips is then searched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.strategy import SWITCHES
from tianji.search.candidate import Candidate, Smaller
from tianji.search.coarse import COLUMNS, DEGREES, rank_dealings
from tianji.search.exhaustive import SearchResult, explore, keep_front
from tianji.search.options import SearchOptions
from tianji.search.variants import find_fastest
from tianji.units import Seconds
from tianji.workload import Job

CLOSE_BY = 1.02
"""A number of chips whose dealings take so many times as long as all chips' under a few settings may be faster under all."""
DEALINGS = 32
"""Dealings of smaller numbers that are looked at."""
MOST = 2
"""Smaller numbers that are searched, at most."""
LARGE = 2048
"""Pools of more chips have smaller numbers searched over their leading dealings alone: a whole search takes too long."""
NEARLY = 0.02
"""A smaller number does nearly as well where its step takes longer by so much at most."""


HELD = {*COLUMNS, *SWITCHES, "ep_kind"}
"""Fields that the coarse search holds where they are fixed; with others its step times may be of none of the strategies."""


@dataclass(frozen=True, slots=True)
class NearSize:
    """The smallest number of chips that does nearly as well as the best plan's."""

    chips: int
    step_time: Seconds


def coarse_time(job: Job, pool: Pool, constants: Constants, fixed: Mapping[str, Any]) -> Seconds:
    """Return the step time of the fastest dealing of all chips, under a few settings; infinity where none fits."""
    whole = rank_dealings(job, pool, constants, fixed, 1, smaller=False)
    return whole[0][0] if whole else float("inf")


def find_smaller(
    job: Job, pool: Pool, constants: Constants, fixed: Mapping[str, Any], on_all: Seconds
) -> tuple[Smaller, ...]:
    """Return the smaller numbers of chips that may be as fast as all of a pool's, the most promising first.

    ``fixed`` holds strategy fields to values. ``on_all`` is :func:`coarse_time`: where no dealing of all chips fits, all smaller
    ones are promising.
    """
    bar = on_all * CLOSE_BY
    by_size: dict[int, list[tuple[Seconds, Mapping[str, int]]]] = {}
    for seconds, degrees in rank_dealings(job, pool, constants, fixed, DEALINGS, smaller=True, bar=bar):
        if seconds <= bar:
            by_size.setdefault(_chips(degrees), []).append((seconds, degrees))
    return tuple(
        Smaller(chips, starts[0][0], tuple(degrees for _, degrees in starts)) for chips, starts in by_size.items()
    )


def search_smaller(
    job: Job, pool: Pool, constants: Constants, options: SearchOptions, smaller: Smaller
) -> tuple[Pool, SearchResult]:
    """Return a search on a smaller number of chips: whole on small pools, over its leading dealings on large ones."""
    used = replace(pool, chips=smaller.chips)
    if pool.chips <= LARGE:
        return used, explore(job, used, constants, options)
    parts = [
        explore(job, used, constants, replace(options, fixed={**dealing, **options.fixed}))
        for dealing in smaller.dealings
        if all(options.fixed.get(name, value) == value for name, value in dealing.items())
    ]
    return used, _join(parts, options)


def find_near(
    job: Job, pool: Pool, constants: Constants, fixed: Mapping[str, Any], known: tuple[Smaller, ...], step_time: Seconds
) -> NearSize | None:
    """Return the smallest of the known numbers of chips that takes at most NEARLY longer than a step time; None: none does."""
    for smaller in sorted(known, key=lambda s: s.chips):
        best = find_fastest(job, pool, constants, [{**smaller.dealings[0], **fixed}], names_stages=True)
        if best and best.step_time <= step_time * (1.0 + NEARLY):
            return NearSize(smaller.chips, best.step_time)
    return None


def _chips(degrees: Mapping[str, int]) -> int:
    chips = 1
    for name in DEGREES:
        chips *= degrees[name]
    return chips


def _join(parts: list[SearchResult], options: SearchOptions) -> SearchResult:
    """Return the searches of several dealings as one."""

    def fastest(lists: list[tuple[Candidate, ...]]) -> list[Candidate]:
        return sorted((c for members in lists for c in members), key=lambda c: (c.step_time, c.memory))

    closest = [part.closest for part in parts if part.closest]
    return SearchResult(
        sum(part.candidates for part in parts), sum(part.feasible for part in parts), sum(part.seconds for part in parts),
        tuple(fastest([part.best for part in parts])[: options.top]),
        keep_front(fastest([part.front for part in parts])),
        min(closest, key=lambda c: c.memory, default=None),
        tuple(fastest([part.shortlist for part in parts])[: options.leading]),
        tuple(fastest([part.improvable for part in parts])),
    )  # fmt: skip
