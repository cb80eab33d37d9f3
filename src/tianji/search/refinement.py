"""Leading pipelines with their best stages: which of a search get them, and whether they are worth the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.strategy import Strategy
from tianji.perf.context import largest
from tianji.perf.holdings import LayerSequence, hold_all
from tianji.perf.memory import usable_memory
from tianji.perf.passes import Counts, all_counts, pass_seconds
from tianji.perf.step import estimate, estimate_job_layers, microbatches
from tianji.search.candidate import Candidate
from tianji.search.exhaustive import SearchResult
from tianji.search.improvable import WORTH
from tianji.search.options import SearchOptions
from tianji.search.stages import PartTimes, find_stages
from tianji.units import Array, Seconds
from tianji.workload import Job

NAMED = 12
"""Leading layouts whose best stages are looked for in any case."""
LOOKED = 16
"""Further pipelines that are looked at, at most: those of the least bounds."""
FEW = 4
"""Pipelines of a dealing that a narrow search looks at, at most."""


def name_stages(
    job: Job, pool: Pool, constants: Constants, search: SearchResult, options: SearchOptions
) -> dict[Strategy, Candidate]:
    """Return the pipelines of a search that are faster with named stages, each with the best ones.

    The leading layouts are looked at, and all that may then be the fastest.
    """
    if options.uneven != "named" or "stages" in options.fixed:
        return {}
    leading = [c.strategy for c in (*search.best, *search.shortlist[:NAMED])]
    room = replace(pool, usable_memory=pool.usable_memory * (1.0 - options.margin))
    named = refine(job, room, constants, leading, options.can_name)
    fastest = min([search.best[0].step_time, *(one.step_time for one in named.values())])
    others = sharpen(job, room, constants, [c for c in search.improvable if c.strategy not in leading])
    return named | refine_improvable(job, room, constants, others, fastest, options.can_name)


def refine_best(
    job: Job, pool: Pool, constants: Constants, dealings: Sequence[Sequence[Candidate]], fastest: Seconds
) -> Candidate | None:
    """Return the fastest of the pipelines that searches of some dealings noted, with its best stages.

    None where none beats ``fastest``. The dealings are looked at one after the other, each at its FEW least bounds.
    """
    bar = fastest * (1.0 - WORTH)
    sharper = sharpen(job, pool, constants, [c for noted in dealings for c in noted if c.step_time < bar])
    best: Candidate | None = None
    for noted in dealings if sharper else ():
        own = {c.strategy for c in noted}
        bounded = [c for c in sharper if c.strategy in own]
        named = refine_improvable(job, pool, constants, bounded, fastest, most=FEW)
        best = min(named.values(), key=lambda c: c.step_time, default=best)
        fastest = best.step_time if best else fastest
    return best


def refine(
    job: Job, pool: Pool, constants: Constants, strategies: Sequence[Strategy],
    can_name: Callable[[Strategy], bool] | None = None, parts: Mapping[Strategy, PartTimes] | None = None,
) -> dict[Strategy, Candidate]:  # fmt: skip
    """Return those of some strategies whose step is shorter with stages that are named, each with its stages.

    Those that ``can_name`` is False for are left out. ``parts`` are the job's under each strategy, where they are known.
    """
    named_by_dealt: dict[Strategy, Strategy] = {}
    dealt_out = list(dict.fromkeys(s for s in strategies if s.pp > 1 and not s.stages))
    if not dealt_out:
        return {}
    known = parts or dict(zip(dealt_out, PartTimes.of_all(job, pool, constants, dealt_out), strict=True))
    for strategy in dealt_out:
        stages = find_stages(job, pool, constants, strategy, known[strategy])
        if stages is not None and hold_all(*_key(job, strategy)) != hold_all(*_key(job, strategy), str(stages)):
            named_by_dealt[strategy] = replace(strategy, stages=str(stages))
    if not named_by_dealt:
        return {}
    both = Grid.of(*named_by_dealt, *named_by_dealt.values())
    estimated = estimate(job, pool, constants, both, by_kind=False)
    times = np.broadcast_to(estimated.step_time, both.shape).reshape(2, -1)
    memory = np.broadcast_to(estimated.memory_total, both.shape).reshape(2, -1)[1]
    worth = (memory <= usable_memory(pool)) & (times[1] < times[0] * (1.0 - WORTH))
    candidates = map(Candidate, named_by_dealt.values(), times[1].tolist(), memory.tolist())
    return {
        dealt: one
        for dealt, one, is_worth in zip(named_by_dealt, candidates, worth.tolist(), strict=True)
        if is_worth and (can_name is None or can_name(one.strategy))
    }


def sharpen(job: Job, pool: Pool, constants: Constants, improvable: Sequence[Candidate]) -> list[Candidate]:
    """Return improvable pipelines with bounds that count whole layers, the least bound first."""
    if not improvable:
        return []
    g = Grid.of(*(c.strategy for c in improvable))
    counts, layers = all_counts(job.model), estimate_job_layers(job, pool, constants, g)

    def seconds(content: Counts) -> Array:
        return np.broadcast_to(sum(pass_seconds(content, layers)), g.shape)[:, None]

    first = seconds({name: n for name, n in counts.items() if name == "embedding"})
    last = seconds({name: n for name, n in counts.items() if name in ("head", "mtp")})
    even = seconds(counts) / g.pp[:, None]
    kinds = [name for name in counts if name not in ("embedding", "head", "mtp")]
    quickest = largest([-seconds({kind: np.asarray(1.0)}) for kind in kinds]) * -1.0
    # Two ranks of DualPipe share their layers, and each takes half of their work.
    shared = np.broadcast_to(1.0 + g.by_schedule(lambda s: np.asarray(float(s.is_paired))), g.shape)[:, None]
    longer = _least_seconds(job.model.num_layers, g.pp[:, None], quickest, first, last, even, shared) - even[:, 0]
    delayed = constants.software * (1.0 + constants.straggle * np.log(g.chips))
    more = (microbatches(job, g) * longer * delayed).tolist()
    sharper = [replace(c, step_time=c.step_time + added) for c, added in zip(improvable, more, strict=True)]
    return sorted(sharper, key=lambda c: c.step_time)


def _least_seconds(
    num_layers: int, pp: Array, layer: Array, first: Array, last: Array, even: Array, shared: Array
) -> Array:
    """Return what the slowest rank takes at least, for each row: layers cannot be halved.

    In B seconds a rank holds as many layers of the quickest kind as fit beside embedding (``first``) and head (``last``); the
    answer is the least B from the even share on in which all layers find a place. ``shared`` ranks (1 or 2) hold the same layers
    and part their work.
    """
    pp, layer, first, last = pp / shared, layer / shared, first / shared, last / shared
    whole = [np.arange(num_layers + 1) * layer + end for end in (0.0, first, last, first + last)]
    tries = np.concatenate([even, *whole], axis=1)

    def room(seconds: Array) -> Array:
        return np.floor(np.maximum(seconds, 0.0) / layer * (1.0 + 1e-12))

    apart = room(tries - first) + room(tries - last) + (pp - 2) * room(tries)
    together = room(tries - first - last) + (pp - 1) * room(tries)
    # Of two ranks that share their layers the first pair holds both ends.
    room_of_all = np.where(shared > 1.0, together, np.maximum(apart, together))
    holds = (room_of_all >= num_layers) & (tries >= even)
    least: Array = np.where(holds, tries, np.inf).min(axis=1)
    return least


def refine_improvable(
    job: Job, pool: Pool, constants: Constants, improvable: Sequence[Candidate], fastest: Seconds,
    can_name: Callable[[Strategy], bool] | None = None, most: int = LOOKED,
) -> dict[Strategy, Candidate]:  # fmt: skip
    """Return the improvable pipelines that beat the ``fastest`` step time with named stages, each faster than those before.

    They come with their bounds, the least first: the first one whose bound is no less than what was found ends the look, or
    the last of ``most``.
    """
    faster: dict[Strategy, Candidate] = {}
    looked = [c for c in improvable[:most] if c.step_time < fastest * (1.0 - WORTH)]
    if not looked:
        return faster
    strategies = [c.strategy for c in looked]
    parts = dict(zip(strategies, PartTimes.of_all(job, pool, constants, strategies), strict=True))
    for candidate in looked:
        if candidate.step_time >= fastest * (1.0 - WORTH):
            break
        for dealt, named in refine(job, pool, constants, [candidate.strategy], can_name, parts).items():
            if named.step_time < fastest * (1.0 - WORTH):
                faster[dealt], fastest = named, named.step_time
    return faster


def _key(job: Job, s: Strategy) -> tuple[LayerSequence, str, int, int]:
    return LayerSequence.of(job.model), s.schedule, s.pp, s.vpp
