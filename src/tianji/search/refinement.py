"""Leading pipelines with their best stages: which of a search get them, and whether they are worth the text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

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
from tianji.search.exhaustive import ROUNDING, SearchResult
from tianji.search.improvable import MOST, WORTH
from tianji.search.options import SearchOptions
from tianji.search.stages import PartTimes, find_stages
from tianji.units import Array, Seconds
from tianji.workload import Job

NAMED = 12
"""Leading layouts whose best stages are looked for in any case."""
FEW = 4
"""Pipelines of a dealing that a narrow search looks at, at most."""


def name_stages(
    job: Job, pool: Pool, constants: Constants, search: SearchResult, options: SearchOptions
) -> dict[Strategy, Candidate]:
    """Return the pipelines of a search that are faster with named stages, each with the best ones.

    The leading layouts are looked at, and all that may then be the fastest. The usable memory of ``pool`` is what plans may take.
    """
    if options.uneven != "named" or "stages" in options.fixed:
        return {}
    leading = [c.strategy for c in (*search.best, *search.shortlist[:NAMED])]
    named = refine(job, pool, constants, leading, options.can_name)
    fastest = min([search.best[0].step_time, *(one.step_time for one in named.values())])
    others = sharpen(job, pool, constants, [c for c in search.improvable if c.strategy not in leading])
    return named | refine_improvable(job, pool, constants, others, fastest, options.can_name)


def refine_best(
    job: Job, pool: Pool, constants: Constants, dealings: Sequence[Sequence[Candidate]], fastest: Seconds
) -> Candidate | None:
    """Return the fastest of the pipelines that searches of some dealings noted, with its best stages.

    None where none beats ``fastest``. The dealings are looked at one after the other, each at its FEW least bounds.
    """
    sharper = sharpen(job, pool, constants, [c for noted in dealings for c in noted if c.step_time < fastest])
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
    at_most: Seconds = np.inf,
) -> dict[Strategy, Candidate]:  # fmt: skip
    """Return those of some strategies whose step is shorter with stages that are named, each with its stages.

    Those that ``can_name`` is False for are left out, and those whose slowest rank takes more than ``at_most`` with one
    micro-batch. ``parts`` are the job's under each strategy, where they are known.
    """
    named_by_dealt: dict[Strategy, Strategy] = {}
    dealt_out = list(dict.fromkeys(s for s in strategies if s.pp > 1 and not s.stages))
    if not dealt_out:
        return {}
    known = parts or dict(zip(dealt_out, PartTimes.of_all(job, pool, constants, dealt_out), strict=True))
    for strategy in dealt_out:
        stages = find_stages(job, pool, constants, strategy, known[strategy], at_most)
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


@dataclass(frozen=True, slots=True)
class Bounded:
    """A pipeline whose layers are dealt out, and what a step takes at least with any other stages."""

    strategy: Strategy
    step_time: Seconds
    """The bound, which counts whole layers."""
    even: Seconds
    """One micro-batch on each rank, were all stages equal."""
    on_even: Seconds
    """The step with stages as equal as that."""
    rate: float
    """Seconds of a step for each second that the slowest rank takes longer with a micro-batch."""

    def slowest_within(self, step_time: Seconds) -> Seconds:
        """Return what the slowest rank may take with one micro-batch, for a step of at most so long."""
        return self.even + (step_time - self.on_even) / self.rate * (1.0 + ROUNDING)


def sharpen(job: Job, pool: Pool, constants: Constants, improvable: Sequence[Candidate]) -> list[Bounded]:
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
    kinds = {kind: seconds({kind: np.asarray(1.0)}) for kind in counts if kind not in ("embedding", "head", "mtp")}
    # Two ranks of DualPipe share their layers, and each takes half of their work.
    shared = np.broadcast_to(1.0 + g.by_schedule(lambda s: np.asarray(float(s.is_paired))), g.shape)[:, None]
    # All layers as if of the quickest kind, and those of each kind as if there were no others.
    placed = [(job.model.num_layers, largest([-one for one in kinds.values()]) * -1.0)]
    placed += [(round(float(counts[kind])), one) for kind, one in kinds.items()] if len(kinds) > 1 else []
    least = largest([_least_seconds(n, g.pp[:, None], one, first, last, even, shared) for n, one in placed])
    rate = microbatches(job, g) * constants.software * (1.0 + constants.straggle * np.log(g.chips))
    columns = zip(improvable, even[:, 0].tolist(), least.tolist(), np.broadcast_to(rate, g.shape).tolist(), strict=True)
    sharper = [Bounded(c.strategy, c.step_time + r * (most - e), e, c.step_time, r) for c, e, most, r in columns]
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
    job: Job, pool: Pool, constants: Constants, improvable: Sequence[Bounded], fastest: Seconds,
    can_name: Callable[[Strategy], bool] | None = None, most: int = MOST,
) -> dict[Strategy, Candidate]:  # fmt: skip
    """Return the improvable pipelines that beat the ``fastest`` step time with named stages, each faster than those before.

    They come with their bounds, the least first: the first one whose bound is no less than what was found ends the look, or
    the last of ``most``.
    """
    faster: dict[Strategy, Candidate] = {}
    looked = [c for c in improvable[:most] if c.step_time < fastest]
    if not looked:
        return faster
    strategies = [c.strategy for c in looked]
    parts = dict(zip(strategies, PartTimes.of_all(job, pool, constants, strategies), strict=True))
    for one in looked:
        if one.step_time >= fastest:
            break
        refined = refine(job, pool, constants, [one.strategy], can_name, parts, at_most=one.slowest_within(fastest))
        for dealt, named in refined.items():
            if named.step_time < fastest:
                faster[dealt], fastest = named, named.step_time
    return faster


def _key(job: Job, s: Strategy) -> tuple[LayerSequence, str, int, int]:
    return LayerSequence.of(job.model), s.schedule, s.pp, s.vpp
