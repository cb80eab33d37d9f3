"""The space of strategies for a job on a pool, in grids of about a million.

Each axis of a grid varies what the others do not decide, so that a term which depends on few of them is priced once. The last
axis lists the layouts (how the chips are dealt out to the degrees); it is the longest, which NumPy needs for its inner loops.

The space is every legal strategy that uses all chips, within these bounds:

* micro-batches of at most 16 sequences, or 65,536 tokens where that is more; at least 128 tokens of a sequence on a chip; ``etp``
  at most 4;
* interleaving with one number of chunks for each size of the largest chunk (more chunks of the same size shorten no pipeline);
* ZeRO over all data ranks, and level 3 also over those inside one unit of each tier (HSDP); level 2 under a pipeline only when
  ``fixed`` asks for it: it reduces the gradients of every micro-batch, and few engines have it;
* schedules that say so (``on_request``: ``zbv``) and context kind ``all_gather`` only when ``fixed`` asks for them;
* ``recompute_layers`` 1, fused attention, nothing offloaded, and the overlap switches as the engine has them (``extra`` varies
  any of these).

Left out besides is only what provably loses or repeats: sequence parallelism is off where the sequence does not divide, for
elsewhere it costs no time and saves memory; schedules of a pipeline of one stage, kinds of context parallelism over one rank,
sharding over one rank and placements of a single axis are one strategy each. ``fixed`` holds any field to any value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.parallel.grid import Grid, encode
from tianji.parallel.legality import has_legal_cuts
from tianji.parallel.mesh import data_group
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.stages import read_stages
from tianji.parallel.strategy import CHOICES, DEGREES, Strategy
from tianji.units import Array
from tianji.workload import Job

MAX_MICRO_BATCH = 16
MAX_MICRO_TOKENS = 65_536
MIN_CONTEXT = 128
MAX_EXPERT_TENSOR = 4
SLICE = 3_000_000
"""Strategies of one grid: enough to make the cost of a call small, few enough for the cache that its terms share."""
ON_REQUEST = ("all_gather", *(s.name for s in SCHEDULES.values() if s.on_request))
"""Words that a search takes only when they are asked for: few engines know them, and no published run checks their price."""
COLUMNS = 3
"""The last axes of a grid: micro-batches, experts and layouts."""
MODULES = "recompute_modules"
LAYOUT = ("dp", "tp", "cp", "cp_kind", "placement", "sequence_parallel")

Axis = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Space:
    """All strategies of a job on exactly ``pool.chips`` chips, some fields held to fixed values."""

    job: Job
    pool: Pool
    fixed: Mapping[str, Any]
    extra: Mapping[str, tuple[Any, ...]]
    """Further switches to vary, each over the given values (the overlap switches, for one)."""
    most_micro_batch: int = 0
    """Sequences that a micro-batch has at most, beside the bounds of the space; 0: no further bound."""

    def slices(self) -> Iterator[Grid]:
        """Yield grids of which together every strategy is a legal member of exactly one."""
        for pp in self._choices("pp", [p for p in divisors(self.pool.chips) if p <= self.job.model.num_layers]):
            settings = {k: v for k, v in self.fixed.items() if k not in DEGREES and k != "micro_batch_size"}
            defaults = Strategy(**settings | {"pp": pp})
            layouts = self._legal(self._layouts(pp), defaults)
            groups = self._sharding_groups(layouts, defaults)
            ranks = (layouts["dp"] * layouts["cp"]).tolist()
            levels = [self._levels(pp, n, len(group)) for n, group in zip(ranks, groups, strict=True)]
            axes = (
                {"zero": np.asarray(max(levels, key=len, default=(0,)))}, self._extra_axis(), self._recompute_axis(),
                self._schedule_axis(pp), self._expert_axis(),
            )  # fmt: skip
            width = int(np.prod([len(next(iter(axis.values()), [0])) for axis in axes]))
            for rows, sizes in self._cut(layouts["dp"], width):
                part = {name: values[rows] for name, values in layouts.items()}
                batches = {"micro_batch_size": np.asarray(sizes)}
                grid = Grid.product((*axes[:-1], batches, axes[-1], part), defaults)
                yield self._shard(grid, [groups[i] for i in rows], [len(levels[i]) for i in rows])

    def _legal(self, layouts: Axis, defaults: Strategy) -> Axis:
        """Leave out layouts that are illegal whatever else is chosen."""
        g = Grid.product((layouts,), defaults)
        kept = np.broadcast_to(has_legal_cuts(g, self.job, self.pool), g.shape)
        return {name: values[kept] for name, values in layouts.items()}

    def _cut(self, dps: Array, width: int) -> Iterator[tuple[list[int], list[int]]]:
        """Yield layouts for one grid each, with the micro-batch sizes that any of them can have.

        Few large grids cost less than many small ones: a size that does not go with all layouts of a grid is no legal member
        of it with the others. Layouts with about as many sizes stay together, so that such members are few.
        """
        sizes = [self._micro_batches(int(dp)) for dp in dps]
        rest = sorted((i for i, few in enumerate(sizes) if few and width), key=lambda i: -len(sizes[i]))
        while rest:
            count = max(SLICE // (width * len(sizes[rest[0]])), 1)
            rows, rest = rest[:count], rest[count:]
            yield rows, sorted({size for i in rows for size in sizes[i]})

    def _choices(self, name: str, values: list[int]) -> list[int]:
        return [int(self.fixed[name])] if name in self.fixed else values

    def _words(self, name: str) -> list[int]:
        words = CHOICES[name]
        if name in self.fixed:
            return [words.index(str(self.fixed[name]))]
        return [place for place, word in enumerate(words) if word not in ON_REQUEST]

    def _micro_batches(self, dp: int) -> tuple[int, ...]:
        """Return the micro-batch sizes that divide what one replica gets of the global batch."""
        share, rest = divmod(self.job.global_batch_size, dp)
        if rest:
            return ()
        most = self.most_micro_batch or max(MAX_MICRO_BATCH, MAX_MICRO_TOKENS // self.job.seq_len)
        sizes = self._choices("micro_batch_size", [b for b in divisors(share) if b <= most])
        return tuple(b for b in sizes if share % b == 0)

    def _layouts(self, pp: int) -> Axis:
        """Return every way to deal out all chips to tp, cp and dp, with what depends on it alone."""
        dps = [
            dp for dp in self._choices("dp", divisors(self.pool.chips // pp)) if self.job.global_batch_size % dp == 0
        ]
        rows = [row for dp in dps for tp, cp in self._inner(pp * dp) for row in self._variants(pp, dp, tp, cp)]
        table = np.asarray(rows, dtype=np.int64).reshape(-1, len(LAYOUT)).T
        return dict(zip(LAYOUT, table, strict=True)) | {"sequence_parallel": table[-1].astype(bool)}

    def _inner(self, outer: int) -> list[tuple[int, int]]:
        """Return tp and cp that make up the chips of one stage of one replica."""
        inner, rest = divmod(self.pool.chips, outer)
        if rest:
            return []
        tps = self._choices("tp", [t for t in divisors(inner) if self.job.model.num_attention_heads % t == 0])
        pairs = [(tp, inner // tp) for tp in tps if inner % tp == 0]
        most = self.job.seq_len // MIN_CONTEXT
        return [
            (tp, cp)
            for tp, cp in pairs
            if cp in self._choices("cp", [cp]) and (cp <= max(most, 1) or "cp" in self.fixed)
        ]

    def _variants(self, pp: int, dp: int, tp: int, cp: int) -> Iterator[tuple[int, ...]]:
        kinds = self._words("cp_kind") if cp > 1 else self._words("cp_kind")[:1]
        places = self._words("placement") if pp > 1 and dp > 1 else self._words("placement")[:1]
        sequence = bool(self.fixed.get("sequence_parallel", self.job.seq_len % (tp * cp) == 0))
        for kind, place in product(kinds, places):
            yield dp, tp, cp, kind, place, int(sequence)

    def _expert_axis(self) -> Axis:
        moe = self.job.model.moe
        eps, etps = [1], [1]
        if moe is not None:
            eps = divisors(moe.num_experts)
            etps = [d for d in divisors(moe.intermediate_size) if d <= MAX_EXPERT_TENSOR]
        table = np.asarray(list(product(self._choices("ep", eps), self._choices("etp", etps)))).T
        return {"ep": table[0], "etp": table[1]}

    def _recompute_axis(self) -> Axis:
        """Return the kinds of recomputation, selective once more for each list of modules that is varied."""
        kinds, selective = self._words("recompute"), CHOICES["recompute"].index("selective")
        varied = {} if MODULES in self.fixed or selective not in kinds else self.extra
        named = [value for value in varied.get(MODULES, ()) if value]
        if not named:
            return {"recompute": np.asarray(kinds)}
        lists = encode(MODULES, ["" for _ in kinds] + named)
        return {"recompute": np.asarray(kinds + [selective] * len(named)), MODULES: np.asarray(lists)}

    def _schedule_axis(self, pp: int) -> Axis:
        """Return the schedules, those with chunks once for each number of chunks."""
        words = CHOICES["schedule"]
        offered = [word for word in words if word not in ON_REQUEST or word == self.fixed.get("schedule")]
        chunks = self._chunk_counts(pp)
        pairs: list[tuple[int, int]] = []
        for word in offered if pp > 1 else ["1f1b"]:
            vpps = chunks if SCHEDULES[word].is_chunked else [1]
            pairs += [(words.index(word), v) for v in self._choices("vpp", vpps)]
        if "schedule" in self.fixed:
            code = words.index(str(self.fixed["schedule"]))
            pairs = [pair for pair in pairs if pair[0] == code] or [(code, int(self.fixed.get("vpp", 1)))]
        table = np.asarray(pairs).reshape(-1, 2).T
        return {"schedule": table[0], "vpp": table[1]}

    def _chunk_counts(self, pp: int) -> list[int]:
        """Return the numbers of chunks to interleave: that of the held stages, or one for each size of the largest chunk."""
        if self.fixed.get("stages"):
            count, rest = divmod(len(read_stages(self.fixed["stages"]).layers), pp)
            return [count] if count > 1 and not rest else []
        return chunk_counts(self.job.model.num_layers, pp) if pp > 1 else []

    def _levels(self, pp: int, ranks: int, num_groups: int) -> tuple[int, ...]:
        """Return the ZeRO levels, with one more for each group of HSDP; sharding over one rank is none."""
        if "zero" in self.fixed:
            levels = [int(self.fixed["zero"])]
        else:
            levels = [0] if ranks == 1 else [0, 1, 2, 3] if pp == 1 else [0, 1, 3]
        return (*levels, *([3] * num_groups if 3 in levels else []))

    def _sharding_groups(self, layouts: Axis, defaults: Strategy) -> list[tuple[int, ...]]:
        """Return for each layout the groups of HSDP: its data ranks inside one unit of a tier, where they are some, not all."""
        if "zero_group" in self.fixed or not len(layouts["tp"]):
            return [()] * len(layouts["tp"])
        g = Grid.product((layouts,), defaults)
        members = np.stack([np.broadcast_to(n, g.shape) for n in data_group(g).members(self.pool.spans())], axis=-1)
        return [
            tuple(sorted({int(n) for n in row if 1 < n < row[-1] and row[-1] % n == 0})) for row in members.tolist()
        ]

    def _shard(self, g: Grid, groups: list[tuple[int, ...]], counts: list[int]) -> Grid:
        """Put the groups of HSDP on the last of the levels that each layout has of the sharding axis.

        On the levels beyond its count a layout gets a group that no rule allows, one rank more than it has.
        """
        num_levels = g.shape[0]
        if not any(groups) and min(counts) == num_levels:
            return g
        table = np.full((num_levels, len(groups)), int(self.fixed.get("zero_group", 0)), dtype=np.int64)
        for column, (group, count, ranks) in enumerate(zip(groups, counts, np.ravel(g.dp * g.cp), strict=True)):
            if len(group) < count:
                table[count - len(group) : count, column] = group
            table[count:, column] = ranks + 1
        return replace(g, zero_group=table.reshape((num_levels, *[1] * (len(g.shape) - 2), len(groups))))

    def _extra_axis(self) -> Axis:
        """Return all combinations of the further switches along one axis."""
        extra = {name: values for name, values in self.extra.items() if name not in self.fixed and name != MODULES}
        rows = list(product(*extra.values()))
        return {name: np.asarray([row[i] for row in rows]) for i, name in enumerate(extra)}


def chunk_counts(num_layers: int, pp: int) -> list[int]:
    """Return for each size of the largest chunk the smallest number of chunks above 1 that has it, ascending.

    >>> chunk_counts(96, 8), chunk_counts(61, 8)
    ([2, 3, 4, 6, 12], [2, 3, 4])
    """
    smallest: dict[int, int] = {}
    for v in range(2, num_layers // pp + 1):
        smallest.setdefault(-(-num_layers // (pp * v)), v)
    return sorted(smallest.values())


def divisors(n: int) -> list[int]:
    """Return the divisors of n, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})
