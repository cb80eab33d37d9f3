"""The space of strategies for a job on a pool, in slices that fit the processor's cache.

One axis lists every legal combination of the degrees that decide the cost of a layer; recompute, schedule and sharding each
have an axis of their own, so that what depends on few of them is priced once. Left out are only choices that cost the same
and hold more memory in every case (no sequence parallelism) or that the engine decides (the overlap switches): ``fixed``
holds any field to a value, these too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.parallel.grid import Grid
from tianji.parallel.layouts import DEFAULTS
from tianji.parallel.strategy import CHOICES
from tianji.units import Array
from tianji.workload import Job

MAX_MICRO_BATCH = 16
"""Largest micro-batch that is tried, in sequences."""
MIN_CONTEXT = 256
"""Fewest tokens of a sequence that context parallelism leaves on a chip."""
MAX_EXPERT_TENSOR = 4
SLICE = 400_000
"""Strategies of one slice."""


@dataclass(frozen=True, slots=True)
class Space:
    """All strategies of a job on exactly ``pool.chips`` chips, some fields held to fixed values."""

    job: Job
    pool: Pool
    fixed: Mapping[str, Any]
    extra: Mapping[str, tuple[Any, ...]]
    """Further switches to vary, each over the given values (the overlap switches, for one)."""

    def slices(self) -> Iterator[Grid]:
        """Yield grids of which together every strategy is a member of exactly one."""
        others, defaults = self._extra_axis(), replace(DEFAULTS, **self._held())
        for pp in self._choices("pp", [p for p in divisors(self.pool.chips) if p <= self.job.model.num_layers]):
            schedules = self._schedule_axis(pp)
            for dp in self._choices("dp", divisors(self.pool.chips // pp)):
                layouts, sizes = self._layouts(pp, dp), self._batch_axis(dp)
                axes = [a for a in (sizes, self._recompute_axis(), schedules, self._sharding_axis(), others) if a]
                width = int(np.prod([len(next(iter(a.values()))) for a in axes]))
                step = max(SLICE // max(width, 1), 1)
                for start in range(0, len(layouts["tp"]) if width else 0, step):
                    part = {name: values[start : start + step] for name, values in layouts.items()}
                    yield Grid.product((part, *axes, {"pp": np.asarray([pp]), "dp": np.asarray([dp])}), defaults)

    def _held(self) -> dict[str, Any]:
        return {
            k: v
            for k, v in self.fixed.items()
            if k not in ("tp", "pp", "cp", "dp", "ep", "etp", "vpp", "micro_batch_size")
        }

    def _choices(self, name: str, values: list[int]) -> list[int]:
        return [int(self.fixed[name])] if name in self.fixed else values

    def _layouts(self, pp: int, dp: int) -> dict[str, Array]:
        """Return the combinations of tp, cp, ep, etp and placement that make up all chips with this pp and dp."""
        model, chips = self.job.model, self.pool.chips
        inner, rest = divmod(chips, pp * dp)
        tps = self._choices("tp", [t for t in divisors(inner) if model.num_attention_heads % t == 0])
        eps, etps = self._expert_degrees()
        found: list[tuple[int, ...]] = []
        for tp in tps if not rest else []:
            cp, uneven = divmod(inner, tp)
            if uneven or cp not in self._choices("cp", [cp]) or (cp > 1 and cp * MIN_CONTEXT > self.job.seq_len):
                continue
            experts = [(ep, etp) for ep in eps for etp in etps if tp * cp * dp % (ep * etp) == 0]
            kinds = self._words("cp_kind") if cp > 1 else self._words("cp_kind")[:1]
            places = self._words("placement") if pp > 1 and dp > 1 else self._words("placement")[:1]
            found += [(tp, cp, ep, etp, kind, place) for (ep, etp), kind, place in product(experts, kinds, places)]
        names = ("tp", "cp", "ep", "etp", "cp_kind", "placement")
        table = np.asarray(found, dtype=np.int64).reshape(-1, len(names)).T
        return dict(zip(names, table, strict=True))

    def _batch_axis(self, dp: int) -> dict[str, Array]:
        """Return the micro-batch sizes that divide what one replica gets of the global batch."""
        mine, rest = divmod(self.job.global_batch_size, dp)
        sizes = [b for b in divisors(max(mine, 1)) if b <= MAX_MICRO_BATCH] if not rest else []
        if "micro_batch_size" in self.fixed:
            wanted = int(self.fixed["micro_batch_size"])
            sizes = [wanted] if not rest and mine % wanted == 0 else []
        return {"micro_batch_size": np.asarray(sizes, dtype=np.int64)}

    def _expert_degrees(self) -> tuple[list[int], list[int]]:
        moe = self.job.model.moe
        if moe is None:
            return self._choices("ep", [1]), self._choices("etp", [1])
        widths = [d for d in divisors(moe.intermediate_size) if d <= MAX_EXPERT_TENSOR]
        return self._choices("ep", divisors(moe.num_experts)), self._choices("etp", widths)

    def _words(self, name: str) -> list[int]:
        words = CHOICES[name]
        return [words.index(str(self.fixed[name]))] if name in self.fixed else list(range(len(words)))

    def _recompute_axis(self) -> dict[str, Array]:
        return {"recompute": np.asarray(self._words("recompute"))}

    def _schedule_axis(self, pp: int) -> dict[str, Array]:
        """Return the schedules, interleaving once for each number of chunks."""
        layers, words = self.job.model.num_layers, CHOICES["schedule"]
        most = layers // pp
        chunks = [v for v in range(2, most + 1) if layers % v == 0 or v & (v - 1) == 0] if pp > 1 else []
        found: list[tuple[int, int]] = []
        for word in words if pp > 1 else ("1f1b",):
            vpps = chunks if word == "interleaved" else [1]
            found += [(words.index(word), v) for v in self._choices("vpp", vpps)]
        if "schedule" in self.fixed:
            code = words.index(str(self.fixed["schedule"]))
            found = [pair for pair in found if pair[0] == code] or [(code, int(self.fixed.get("vpp", 1)))]
        table = np.asarray(found).reshape(-1, 2).T
        return {"schedule": table[0], "vpp": table[1]}

    def _sharding_axis(self) -> dict[str, Array]:
        """Return ZeRO levels over all data ranks, and level 3 over one node (HSDP)."""
        levels = [int(self.fixed["zero"])] if "zero" in self.fixed else [0, 1, 2, 3]
        if "zero_group" in self.fixed:
            found = [(level, int(self.fixed["zero_group"])) for level in levels]
        else:
            found = [(level, 0) for level in levels] + ([(3, self.pool.node)] if 3 in levels else [])
        table = np.asarray(found).T
        return {"zero": table[0], "zero_group": table[1]}

    def _extra_axis(self) -> dict[str, Array]:
        """Return all combinations of the further switches along one axis."""
        extra = dict(self.extra)
        if self.pool.chip.host_bandwidth is not None and "offload_optimizer" not in self.fixed:
            extra.setdefault("offload_optimizer", (False, True))
        extra = {name: values for name, values in extra.items() if name not in self.fixed}
        if not extra:
            return {}
        rows = list(product(*extra.values()))
        return {name: np.asarray([row[i] for row in rows]) for i, name in enumerate(extra)}


def divisors(n: int) -> list[int]:
    """Return the divisors of n, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})
