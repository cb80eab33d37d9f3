"""The best stages of a pipeline: which layers each chunk holds so that the slowest rank is as fast as it can be and all fit.

A search prices pipelines whose layers are dealt out. This module takes a few of them and finds for each the split of least time
on the slowest rank, under the memory of every rank: exactly, by dynamic programming over the ranks. Of equal ones the most even
split is taken. A step hangs on the slowest rank and on little else of a split, so what was found is priced in full, and kept only
where that is faster.

Where ranks hold several chunks (interleaving, V-shaped schedules, DualPipe) layers behind the leading dense ones (at most six)
count as alike; layers in a pattern are shared out by :mod:`tianji.search.chunks`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid, number_alike
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.stages import Stages
from tianji.parallel.strategy import Strategy
from tianji.perf.holdings import LayerSequence, hold_all
from tianji.perf.memory import usable_memory
from tianji.perf.passes import pass_seconds
from tianji.perf.stages import Stage
from tianji.perf.step import estimate_job_layers, estimate_memory, fullest
from tianji.search.chunks import Ranks, divide_pattern
from tianji.units import Array, Seconds
from tianji.workload import Job
from tianji.workload.layers import block_name

MOST_LEADING = 6
"""Leading dense layers of which every way to lie on ranks with several chunks is tried: each one more doubles the ways."""


@dataclass(frozen=True, slots=True)
class PartTimes:
    """Seconds of one micro-batch forward and backward through each part of a model, under one strategy."""

    kinds: tuple[Seconds, ...]
    """One layer of each kind."""
    embedding: Seconds
    head: Seconds
    """The head with all losses, and the prediction modules beside it."""

    @classmethod
    def of_all(cls, job: Job, pool: Pool, constants: Constants, strategies: Sequence[Strategy]) -> list[PartTimes]:
        """Return the parts of a job's model under each strategy: an estimate of a small grid is all calls."""
        g, modules = Grid.of(*strategies), job.model.num_mtp_layers
        layers = estimate_job_layers(job, pool, constants, g)

        def seconds(**counts: float) -> list[float]:
            known = {name: np.asarray(n) for name, n in counts.items() if name in layers}
            both: Array = np.asarray(sum(pass_seconds(known, layers))) if known else np.asarray(0.0)
            column: list[float] = np.broadcast_to(both, g.shape).tolist()
            return column

        kinds = zip(*(seconds(**{kind: 1.0}) for kind in _kinds(job)), strict=True)
        ends = seconds(embedding=1.0), seconds(head=1.0 + modules, mtp=modules)
        return [cls(*parts) for parts in zip(kinds, *ends, strict=True)]


def _kinds(job: Job) -> list[str]:
    return [block_name(i) for i in range(len(job.model.blocks))] or ["dense", "moe"]


def find_joint_stages(
    job: Job, parts: Sequence[tuple[Pool, Constants, int]], strategy: Strategy
) -> tuple[int, ...] | None:
    """Return the layers of each stage of one pipeline through unlike chips whose slowest stage takes least; None where none fits.

    ``parts`` are pools in the order of the pipeline, each with its constants and its number of stages. A rank holds one stage.
    """
    sequence, count = LayerSequence.of(job.model), sum(n for _, _, n in parts)
    lengths = _lengths(sequence.num_layers + 1)
    tables: list[Array] = []
    for pool, constants, n in parts:
        times = PartTimes.of_all(job, pool, constants, [strategy])[0]
        groups: list[tuple[int, ...]] = [(i,) for i in range(len(tables), len(tables) + n)]
        tables += _Search(job, pool, constants, strategy, sequence, times, groups, count - 1, np.inf).tables(lengths)
    division = divide(tables, lengths)
    return None if division is None else division[0]


def find_stages(
    job: Job, pool: Pool, constants: Constants, strategy: Strategy, parts: PartTimes | None = None,
    at_most: Seconds = np.inf,
) -> Stages | None:  # fmt: skip
    """Return the stages of a pipeline whose slowest rank takes least, each within the memory; None where none fits.

    None as well where that rank takes more than ``at_most`` with one micro-batch. ``parts`` are those of the job under the
    strategy, where they are known.
    """
    how, sequence = SCHEDULES[strategy.schedule], LayerSequence.of(job.model)
    groups = list(
        dict.fromkeys(tuple(sorted(how.chunks_of_rank(strategy.pp, strategy.vpp, r))) for r in range(strategy.pp))
    )
    last = how.num_chunks(strategy.pp, strategy.vpp) - 1
    search = _Search(
        job,
        pool,
        constants,
        strategy,
        sequence,
        parts or PartTimes.of_all(job, pool, constants, [strategy])[0],
        groups,
        last,
        at_most,
    )
    if all(len(chunks) == 1 for chunks in groups):
        return search.cut_sequence()
    if sequence.pattern:
        return search.share_pattern()
    return None if sequence.leading > MOST_LEADING else search.share_out()


@dataclass(frozen=True, slots=True)
class _Search:
    job: Job
    pool: Pool
    constants: Constants
    strategy: Strategy
    sequence: LayerSequence
    parts: PartTimes
    groups: list[tuple[int, ...]]
    """The chunks of each rank; of two ranks that hold the same, once."""
    last: int
    """The number of the last chunk."""
    at_most: Seconds
    """What the slowest rank may take."""

    def least(self, chunk: int) -> int:
        """Return the fewest layers of a chunk: one, but for a last one that has prediction modules."""
        return 0 if chunk == self.last and self.sequence.num_mtp_layers else 1

    def load(self, counts: Array) -> Array:
        """Return the seconds of each rank (first axis) with so many layers of each kind, infinite where they do not fit."""
        copies = 2.0 if SCHEDULES[self.strategy.schedule].is_paired else 1.0
        first = np.asarray([[0 in chunks] for chunks in self.groups]) / copies
        last = np.asarray([[self.last in chunks] for chunks in self.groups]) / copies
        seconds = counts @ np.asarray(self.parts.kinds) / copies + first * self.parts.embedding + last * self.parts.head
        stage = Stage(
            np.asarray([[chunks[0]] for chunks in self.groups]),
            {kind: counts[None, :, i] / copies for i, kind in enumerate(_kinds(self.job))},
            first, last, last * self.sequence.num_mtp_layers, np.full((1, 1), copies),
        )  # fmt: skip
        memory = fullest(estimate_memory(self.job, self.constants, Grid.of(self.strategy), [stage]))
        loads: Array = np.where(memory <= usable_memory(self.pool), seconds, np.inf)
        return loads

    def tables(self, lengths: Array) -> list[Array]:
        """Return of each rank, which holds one chunk, the seconds with the layers between any two places."""
        unlike, which = _intervals(self.sequence)
        least = np.asarray([self.least(chunks[0]) for chunks in self.groups])
        return list(np.where(lengths >= least[:, None, None], self.load(unlike)[:, which], np.inf))

    def cut_sequence(self) -> Stages | None:
        """Return the stages of a pipeline with one chunk on each rank: intervals of the sequence of layers."""
        lengths = _lengths(self.sequence.num_layers + 1)
        division = divide(self.tables(lengths), lengths, self.at_most)
        return None if division is None else Stages(division[0]).complete(self.sequence.num_mtp_layers)

    def share_pattern(self) -> Stages | None:
        """Return the stages of ranks with several chunks of layers in a pattern."""
        how, s = SCHEDULES[self.strategy.schedule], self.strategy
        copies = 2.0 if how.is_paired else 1.0
        dealt = hold_all(self.sequence, s.schedule, s.pp, s.vpp)
        counts = np.asarray([[n * copies for n in one.layers] for one in dealt[: len(self.groups)]])
        bar = float(np.diagonal(self.load(counts)).max())
        before = np.asarray(self.sequence.counts_before())
        whole = float(before[-1] @ np.asarray(self.parts.kinds)) + self.parts.embedding + self.parts.head
        ranks = Ranks.of(
            self.groups, before, np.asarray(self.parts.kinds) / copies, self.load,
            min(bar if np.isfinite(bar) else whole, self.at_most), tuple(self.least(chunk) for chunk in range(self.last + 1)),
        )  # fmt: skip
        layers = divide_pattern(ranks) if ranks else None
        return None if layers is None else Stages(layers).complete(self.sequence.num_mtp_layers)

    def share_out(self) -> Stages | None:
        """Return the stages of ranks with several chunks, the layers behind the leading dense ones taken as alike."""
        best: tuple[Seconds, Stages] | None = None
        leading, share = self.sequence.leading, self.sequence.share
        lengths = _lengths(self.sequence.num_layers - leading + 1)
        alike = np.arange(len(lengths))[None, :, None] * np.asarray([1.0 - share, share])
        counts = alike + np.arange(leading + 1)[:, None, None] * np.asarray([1.0, 0.0])
        seconds = self.load(counts.reshape(-1, 2)).reshape(len(self.groups), leading + 1, -1)
        for dense in _deal_leading(leading, len(self.groups)):
            tables = [
                np.where(
                    lengths >= sum(map(self.least, chunks)) - min(dense[i], 1), seconds[i, dense[i]][lengths], np.inf
                )
                for i, chunks in enumerate(self.groups)
            ]
            division = divide(tables, lengths, min(self.at_most, best[0] if best else np.inf))
            if division is not None and (best is None or division[1] < best[0]):
                best = division[1], self._fill_chunks(dense, division[0])
        return best[1] if best else None

    def _fill_chunks(self, dense: Sequence[int], alike: tuple[int, ...]) -> Stages:
        """Return the stages of ranks that hold so many leading and other layers: chunks of a rank as even as they can be."""
        layers = [0] * (self.last + 1)
        ends = {0: self.parts.embedding, self.last: self.parts.head}
        following = [sum(dense[i + 1 :]) for i in range(len(dense))]
        for i, chunks in enumerate(self.groups):
            for k in chunks:
                layers[k] = max(self.least(k), dense[i] if k == chunks[0] else 0)
            free = chunks[1:] if following[i] else chunks
            for _ in range(dense[i] + alike[i] - sum(layers[k] for k in chunks)):
                layers[min(free, key=lambda k: (layers[k] * max(self.parts.kinds) + ends.get(k, 0.0), k))] += 1
        return Stages(tuple(layers)).complete(self.sequence.num_mtp_layers)


@lru_cache(maxsize=16)
def _intervals(sequence: LayerSequence) -> tuple[Array, Array]:
    """Return the unlike counts of layers by kind between any two places of a sequence, and which of them each two have."""
    before = np.asarray(sequence.counts_before())
    counts = np.maximum(before[None, :] - before[:, None], 0.0)
    rows = counts.reshape(-1, counts.shape[-1])
    firsts, which = number_alike(rows)
    return rows[firsts], which.reshape(counts.shape[:2])


def _lengths(size: int) -> Array:
    """Return how many layers lie between two places."""
    places = np.arange(size)
    lengths: Array = np.maximum(places[None, :] - places[:, None], -1)
    return lengths


def _deal_leading(count: int, ranks: int) -> Iterator[tuple[int, ...]]:
    """Yield every way in which the leading layers lie in the first chunks of the first ranks, no rank left out between."""
    if not count or ranks == 1:
        yield (count, *(0,) * (ranks - 1))
        return
    for first in range(count, 0, -1):
        for rest in _deal_leading(count - first, ranks - 1):
            yield (first, *rest)


def divide(tables: list[Array], lengths: Array, at_most: Seconds = np.inf) -> tuple[tuple[int, ...], Seconds] | None:
    """Return how many layers each rank takes, and what the slowest takes: least, and of such divisions the most even one.

    ``tables[r][a, b]`` are the seconds of rank r with layers a to b, infinite where it cannot have them; ``lengths`` is b - a.
    None where no division is possible, or none in which the slowest takes ``at_most``.
    """
    bottleneck = float(_cheapest(tables, np.maximum)[0])
    if not np.isfinite(bottleneck) or bottleneck > at_most:
        return None
    squares = lengths.astype(float) ** 2
    allowed = bottleneck * (1.0 + 1e-12)
    total, cuts = _cheapest(list(np.where(np.asarray(tables) <= allowed, squares, np.inf)), np.add)
    assert np.isfinite(total)
    return tuple(np.diff(cuts).tolist()), bottleneck


def _cheapest(tables: list[Array], join: np.ufunc) -> tuple[float, list[int]]:
    """Return the least joint value of all ranks over all cuts, and the cuts."""
    best, froms = tables[0][0], [np.zeros(len(tables[0]), dtype=int)]
    for table in tables[1:]:
        joined = join(best[:, None], table)
        froms.append(np.argmin(joined, axis=0))
        best = np.take_along_axis(joined, froms[-1][None, :], axis=0)[0]
    cuts = [len(best) - 1]
    for choice in reversed(froms):
        cuts.insert(0, int(choice[cuts[0]]))
    return float(best[-1]), cuts
