"""Leading pipelines with their best stages: which of a search get them, and whether they are worth the text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.strategy import Strategy
from tianji.perf.holdings import LayerSequence, hold_all
from tianji.perf.memory import usable_memory
from tianji.perf.step import estimate
from tianji.search.candidate import Candidate
from tianji.search.exhaustive import SearchResult
from tianji.search.improvable import WORTH
from tianji.search.options import SearchOptions
from tianji.search.stages import find_stages
from tianji.units import Seconds
from tianji.workload import Job

NAMED = 12
"""Leading layouts whose best stages are looked for in any case."""


@dataclass(frozen=True, slots=True)
class Named:
    """A strategy with its best stages, and what its step takes with them."""

    strategy: Strategy
    step_time: Seconds


def name_stages(
    job: Job, pool: Pool, constants: Constants, search: SearchResult, options: SearchOptions
) -> dict[Strategy, Named]:
    """Return the pipelines of a search that are faster with named stages, each with the best ones.

    The leading layouts are looked at, and all that may then be the fastest.
    """
    if not options.names_stages or "stages" in options.fixed:
        return {}
    leading = [c.strategy for c in (*search.best, *search.shortlist[:NAMED])]
    room = replace(pool, usable_memory=pool.usable_memory * (1.0 - options.margin))
    named = refine(job, room, constants, leading)
    fastest = min([search.best[0].step_time, *(one.step_time for one in named.values())])
    others = [c for c in search.improvable if c.strategy not in leading]
    return named | refine_improvable(job, room, constants, others, fastest)


def refine(job: Job, pool: Pool, constants: Constants, strategies: Sequence[Strategy]) -> dict[Strategy, Named]:
    """Return those of some strategies whose step is shorter with stages that are named, each with its stages."""
    named_by_dealt: dict[Strategy, Strategy] = {}
    for strategy in dict.fromkeys(s for s in strategies if s.pp > 1 and not s.stages):
        stages = find_stages(job, pool, constants, strategy)
        if stages is not None and hold_all(*_key(job, strategy)) != hold_all(*_key(job, strategy), str(stages)):
            named_by_dealt[strategy] = replace(strategy, stages=str(stages))
    if not named_by_dealt:
        return {}
    both = Grid.of(*named_by_dealt, *named_by_dealt.values())
    estimated = estimate(job, pool, constants, both, by_kind=False)
    times = np.broadcast_to(estimated.step_time, both.shape).reshape(2, -1)
    fits = np.broadcast_to(estimated.memory_total <= usable_memory(pool), both.shape).reshape(2, -1)[1]
    worth = fits & (times[1] < times[0] * (1.0 - WORTH))
    return {
        dealt: Named(named, seconds)
        for (dealt, named), is_worth, seconds in zip(
            named_by_dealt.items(), worth.tolist(), times[1].tolist(), strict=True
        )
        if is_worth
    }


def refine_improvable(
    job: Job, pool: Pool, constants: Constants, improvable: Sequence[Candidate], fastest: Seconds
) -> dict[Strategy, Named]:
    """Return the improvable pipelines that beat the ``fastest`` step time with named stages, each faster than those before.

    They come with their bounds, the least first: the first one whose bound is no less than what was found ends the look.
    """
    faster: dict[Strategy, Named] = {}
    for candidate in improvable:
        if candidate.step_time >= fastest * (1.0 - WORTH):
            break
        for dealt, named in refine(job, pool, constants, [candidate.strategy]).items():
            if named.step_time < fastest * (1.0 - WORTH):
                faster[dealt], fastest = named, named.step_time
    return faster


def _key(job: Job, s: Strategy) -> tuple[LayerSequence, str, int, int]:
    return LayerSequence.of(job.model), s.schedule, s.pp, s.vpp
