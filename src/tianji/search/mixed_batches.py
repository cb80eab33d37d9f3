"""Unlike chips side by side: every part trains replicas of its own, on batches that it finishes at the same time.

All parts cut a weight alike (same tp, pp, ep and etp), so that each shard of a gradient has its twins in the other parts; what
else a strategy says (replicas, micro-batch, recompute, sharding, schedule) each part chooses for itself. State is sharded inside
a part, and gradients are summed once more between the parts, over the joint tier.

    step = max over parts of time(batch of the part) + exposed all_reduce over the joint tier
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.hardware import Pool, Tier
from tianji.hardware.constants import Constants
from tianji.hardware.mixture import Mixture
from tianji.parallel.grid import Grid
from tianji.parallel.legality import is_legal
from tianji.parallel.mesh import expert_data_group, shard_group
from tianji.parallel.strategy import Strategy
from tianji.perf.memory import usable_memory
from tianji.perf.pipeline_stages import representative_stages
from tianji.perf.rank_parameters import trained_of_rank
from tianji.perf.step import estimate
from tianji.search.space import Space, divisors
from tianji.units import Array, Bytes, Seconds
from tianji.workload import Job

FINENESS = 64
"""Into how many shares, at least, a global batch is divided between the parts."""
MOVES = 6
"""How many shares are moved between two parts, around the even finish, in search of a better division."""
MOST_ROUNDS = 4
MOST_CUTS = 16
"""Cuts that are tried on every division of the batch: those that finish a sequence soonest, all parts together."""

FEW = (3, 1, 2)
"""Cuts, moves and rounds of a narrow search."""

Cut = tuple[int, int, int, int]
"""tp, pp, ep and etp: what decides which rank holds which part of a weight."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one part does: its batch, its strategy, and the seconds that it needs alone."""

    pool: Pool
    batch: int
    strategy: Strategy
    seconds: Seconds
    memory: Bytes


@dataclass(frozen=True, slots=True)
class Division:
    """The whole batch over the parts, with the step time that comes out."""

    shares: tuple[Share, ...]
    step_time: Seconds
    exchange: Seconds
    """Exposed seconds of summing the gradients between the parts."""


def divide_batch(
    job: Job,
    mixture: Mixture,
    constants: Callable[[Pool], Constants],
    fixed: Mapping[str, Any],
    progress: Callable[[int], None] | None = None,
    *,
    is_narrow: bool = False,
) -> Division | None:
    """Return the fastest division of the batch over the parts, or None when no common cut is legal and fits everywhere."""
    unit = max(d for d in divisors(job.global_batch_size) if d <= max(job.global_batch_size // FINENESS, 1))
    tables = _Tables(job, mixture.parts, constants, fixed, progress)
    batches = _proportional([p.chips * p.chip.matrix_peak(job.precision.linear) for p in mixture.parts], job, unit)
    most, moves, rounds = FEW if is_narrow else (MOST_CUTS, MOVES, MOST_ROUNDS)
    tables.keep_fastest(job.global_batch_size, most)
    best: Division | None = None
    for _ in range(rounds):
        before = best
        for trial in [batches, *_neighbours(batches, unit, moves)]:
            if best is not None and tables.bound(trial) >= best.step_time:
                continue
            division = _evaluate(job, mixture, constants, tables, trial)
            if division and (best is None or division.step_time < best.step_time):
                best = division
        if best is None or best is before:
            break
        batches = _proportional([s.batch / s.seconds for s in best.shares], job, unit)
    return best


class _Tables:
    """For each part and batch the fastest strategy of every cut; each is priced once."""

    def __init__(
        self,
        job: Job,
        parts: tuple[Pool, ...],
        constants: Callable[[Pool], Constants],
        fixed: Mapping[str, Any],
        progress: Callable[[int], None] | None,
    ) -> None:
        self.job, self.parts, self.constants, self.fixed, self.progress = job, parts, constants, fixed, progress
        self.known: dict[tuple[int, int], dict[Cut, Share]] = {}
        self.cuts: tuple[Cut, ...] | None = None
        """The only cuts that are priced; None: all of them."""
        self.speeds: list[float] = []
        """Sequences a second of each part at its best."""
        self.counted = 0

    def keep_fastest(self, batch: int, most: int) -> None:
        """Estimate every cut once, each part at a batch near the whole that its chips divide, and go on with the fastest."""
        options = [self._fastest(part, _near(batch, part.chips)) for part in self.parts]
        common = set(options[0]).intersection(*options[1:])

        def finish(cut: Cut) -> float:
            """Seconds of a sequence when all parts share the work as their speeds with this cut allow."""
            return 1.0 / sum(table[cut].batch / table[cut].seconds for table in options)

        self.cuts = tuple(sorted(common, key=finish)[:most])
        self.speeds = [max((t[cut].batch / t[cut].seconds for cut in self.cuts), default=1.0) for t in options]

    def bound(self, batches: tuple[int, ...]) -> Seconds:
        """Return what a division takes at least, if no part runs faster than it does on a batch near the whole."""
        return max(batch / speed for batch, speed in zip(batches, self.speeds, strict=True))

    def of(self, part: int, batch: int) -> dict[Cut, Share]:
        if (part, batch) not in self.known:
            self.known[part, batch] = self._fastest(self.parts[part], batch)
        return self.known[part, batch]

    def _fastest(self, pool: Pool, batch: int) -> dict[Cut, Share]:
        job, best = replace(self.job, global_batch_size=batch), dict[Cut, Share]()
        constants, limit = self.constants(pool), usable_memory(pool)
        for grid in self._slices(job, pool):
            estimated = estimate(job, pool, constants, grid)
            usable = is_legal(grid, job, pool) & (estimated.memory_total <= limit)
            times = np.where(np.broadcast_to(usable, grid.shape), estimated.step_time, np.inf)
            rows = times.reshape(times.shape[0], -1)
            for row, column in enumerate(rows.argmin(axis=1)):
                seconds = float(rows[row, column])
                index = (row, *(int(i) for i in np.unravel_index(column, times.shape[1:])))
                if seconds == np.inf:
                    continue
                s = grid.at(index)
                cut = (s.tp, s.pp, s.ep, s.etp)
                if cut not in best or seconds < best[cut].seconds:
                    memory = float(np.broadcast_to(estimated.memory_total, grid.shape)[index])
                    best[cut] = Share(pool, batch, s, seconds, memory)
            self.counted += times.size
            if self.progress:
                self.progress(self.counted)
        return best

    def _slices(self, job: Job, pool: Pool) -> Iterator[Grid]:
        if self.cuts is None:
            yield from Space(job, pool, self.fixed, {}).slices()
            return
        for cut in self.cuts:
            degrees = dict(zip(("tp", "pp", "ep", "etp"), cut, strict=True))
            yield from Space(job, pool, {**self.fixed, **degrees}, {}).slices()


def _evaluate(
    job: Job, mixture: Mixture, constants: Callable[[Pool], Constants], tables: _Tables, batches: tuple[int, ...]
) -> Division | None:
    options = [tables.of(i, b) for i, b in enumerate(batches)]
    best: Division | None = None
    for cut in set(options[0]).intersection(*options[1:]):
        shares = tuple(table[cut] for table in options)
        slowest = max(s.seconds for s in shares)
        if best is not None and slowest >= best.step_time:
            continue
        exchange = joint_exchange(job, mixture.joint, shares, [constants(s.pool) for s in shares])
        if best is None or slowest + exchange < best.step_time:
            best = Division(shares, slowest + exchange, exchange)
    return best


def joint_exchange(job: Job, joint: Tier, shares: tuple[Share, ...], constants: list[Constants]) -> Seconds:
    """Return the exposed seconds in which n parts sum a chip's share of the gradients: 2 (n - 1)/n V / rate.

    V is the largest share that a rank holds after its part's own reduction. All parts take part, so the lowest efficiency, the
    longest latency and the slowest software count. With overlap_dp everywhere it hides behind the backward pass (two thirds) of
    the last micro-batch of the part that has the shortest.
    """
    n = len(shares)
    rate = joint.rate("joint") * min(c.scale_out_efficiency for c in constants)
    latency = max([c.scale_out_latency for c in constants] + [joint.delay() or 0.0])
    size = max(_gradient_share(job, s.strategy) for s in shares)
    rounds = 2.0 * (n - 1) * (size / n / rate + latency) * max(c.all_reduce_factor for c in constants)
    whole = (rounds + max(c.call_overhead for c in constants)) * max(c.software for c in constants)
    if not all(s.strategy.overlap_dp for s in shares):
        return whole
    last = min(2.0 / 3.0 * s.seconds / (s.batch // (s.strategy.dp * s.strategy.micro_batch_size)) for s in shares)
    return whole - min(c.overlap_efficiency for c in constants) * min(whole, last)


def _gradient_share(job: Job, strategy: Strategy) -> Bytes:
    g, most = Grid.of(strategy), 0.0
    for stage in representative_stages(job.model, g):
        own = trained_of_rank(job, stage, g)
        dense: Array = own.dense / shard_group(g).size
        expert: Array = own.expert / expert_data_group(g).size
        most = max(most, float(np.max(dense + expert)))
    return most * job.precision.gradient_wire


def _near(batch: int, chips: int) -> int:
    """Return the odd part of ``chips`` times the largest power of two that stays within ``batch``.

    >>> _near(1024, 384), _near(1024, 256)
    (768, 1024)
    """
    odd = chips // (chips & -chips)
    power: int = 1 << max((batch // odd).bit_length() - 1, 0)
    return odd * power


def _proportional(weights: list[float], job: Job, unit: int) -> tuple[int, ...]:
    """Return the batch in whole units, in proportion to the weights, at least one unit each."""
    units = job.global_batch_size // unit
    shares = [max(w / sum(weights) * units, 1.0) for w in weights]
    counts = [int(s) for s in shares]
    while sum(counts) < units:
        counts[max(range(len(counts)), key=lambda i: shares[i] - counts[i])] += 1
    while sum(counts) > units:
        counts[max(range(len(counts)), key=lambda i: counts[i])] -= 1
    return tuple(c * unit for c in counts)


def _neighbours(batches: tuple[int, ...], unit: int, moves: int) -> Iterator[tuple[int, ...]]:
    for giver in range(len(batches)):
        for taker in range(len(batches)):
            for moved in range(1, moves + 1) if giver != taker else ():
                trial = list(batches)
                trial[giver] -= moved * unit
                trial[taker] += moved * unit
                if trial[giver] > 0:
                    yield tuple(trial)
