"""What the ranks of a grid's pipelines hold: the stages that have to be looked at, once for each way in which layers are dealt.

Narayanan et al. 2021 deal layers evenly; Megatron-LM's pipeline layout names what each chunk holds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.identity import remember
from tianji.parallel.grid import Grid, number_alike
from tianji.parallel.strategy import CHOICES, FIELDS, Strategy
from tianji.perf.holdings import Holding, LayerSequence, hold_all, hold_most, tail_layers
from tianji.perf.stages import PIPELINE, Stage, stage
from tianji.units import Array
from tianji.workload import Model
from tianji.workload.layers import block_name


@remember(2)
def representative_stages(model: Model, g: Grid) -> list[Stage]:
    """Return what ranks hold among which is the slowest and the fullest of every pipeline of a grid.

    Ranks with the head come last, so that the arrays of the others are alike for all schedules: small. Where a pipeline has fewer
    of a sort than another of the grid, one of its ranks stands for the missing ones.
    """
    keys, which = _pipelines(model, g)
    columns: list[Stage] = []
    for is_last in (False, True):
        chosen = [[one for one in hold_most(*key) if (one.head > 0) == is_last] for key in keys]
        most = max(map(len, chosen))
        filled = [
            [*ranks, *[_stand_in(key, ranks, is_last)] * (most - len(ranks))]
            for key, ranks in zip(keys, chosen, strict=True)
        ]
        columns += [_stack(model, list(column), which) for column in zip(*filled, strict=True)]
    return columns


def every_stage(model: Model, strategy: Strategy) -> list[Stage]:
    """Return what every rank of one pipeline holds, for the table of a single plan."""
    key = LayerSequence.of(model), strategy.schedule, strategy.pp, strategy.vpp, strategy.stages
    return [_stack(model, [one], np.zeros(1, dtype=int)) for one in hold_all(*key)]


def first_stage(model: Model, g: Grid) -> Stage:
    """Return the stage whose data-parallel exchange counts: the first one as 1F1B deals it, with what ``stages`` gives it beyond.

    All schedules exchange an even share of the layers: apart for each, a search takes half as long again.
    """
    first = stage(model, g.pp, np.zeros_like(g.pp))
    if not np.any(g.stages != ""):
        return first
    keys, kinds = _pipelines(model, g)
    named = _stack(model, [hold_all(*key)[0] for key in keys], kinds)
    dealt = _stack(model, [hold_all(*key[:4])[0] for key in keys], kinds)
    counts = {kind: n + (named.counts[kind] - dealt.counts[kind]) for kind, n in first.counts.items()}
    return replace(first, counts=counts, modules=first.modules + (named.modules - dealt.modules))


Pipeline = tuple[LayerSequence, str, int, int, str]


@dataclass(frozen=True, slots=True)
class Variants:
    """What ranks hold, where it hangs on the schedule alone: the same few stages for many schedules of a grid."""

    stages: tuple[tuple[Stage, ...], ...]
    """Of each variant the stages among which is the slowest."""
    places: tuple[int, ...]
    """Of each place along ``axis`` its variant; empty where there is one for all."""
    axis: int = 0

    def spread(self, work: Callable[..., Any], values: Sequence[Any], *factors: Array) -> Array:
        """Return ``work(value, *factors)`` over a grid: of ``values`` each place takes its variant's, of factors its part."""
        if not self.places:
            return np.asarray(work(values[0], *factors))
        columns = [
            np.asarray(work(values[v], *(self._at(f, place) for f in factors))) for place, v in enumerate(self.places)
        ]
        ndim = max(column.ndim for column in columns)
        shape = np.broadcast_shapes((1,) * max(ndim, self.axis + 1), *(column.shape for column in columns))
        return np.concatenate([np.broadcast_to(column, shape) for column in columns], axis=self.axis)

    def _at(self, factor: Array, place: int) -> Array:
        if np.ndim(factor) <= self.axis or factor.shape[self.axis] == 1:
            return factor
        part: Array = factor.take([place], axis=self.axis)
        return part


def find_variants(model: Model, g: Grid, together: Sequence[Stage]) -> Variants:
    """Return what ranks hold in a grid: apart for schedules along an axis of their own, otherwise all ``together``."""
    shape = np.broadcast_shapes(*(np.shape(values) for values in (g.pp, g.vpp, g.schedule, model.num_layers)))
    long = [axis for axis, n in enumerate(shape) if n > 1]
    if len(shape) < 2 or len(long) != 1 or _varies(g, long[0] - len(shape)):
        return Variants((tuple(together),), ())
    keys, which = _pipelines(model, g)
    holdings = [tuple(one._replace(rank=0) for one in hold_most(*key)) for key in keys]
    unlike = list(dict.fromkeys(holdings))
    anywhere = np.zeros((1,) * which.ndim, dtype=int)
    stages = tuple(tuple(_stack(model, [one], anywhere) for one in ranks) for ranks in unlike)
    places = tuple(unlike.index(holdings[i]) for i in which.flat) if len(unlike) > 1 else ()
    return Variants(stages, places, long[0])


def _varies(g: Grid, axis: int) -> bool:
    """Return whether more than the pipeline varies along an axis."""
    others = (getattr(g, name) for name in FIELDS if name not in PIPELINE)
    return any(values.ndim >= -axis and values.shape[axis] > 1 for values in others)


@remember(2)
def _pipelines(model: Model, g: Grid) -> tuple[list[Pipeline], Array]:
    """Return the unlike arguments of :func:`hold_most`, and which of them each place has, on the axes that a pipeline needs."""
    leading = model.moe.num_leading_dense if model.moe else 0
    step = model.moe.layer_step if model.moe else 1
    texts = sorted(set(g.stages.ravel().tolist()))
    named = np.asarray([texts.index(text) for text in g.stages.ravel().tolist()]).reshape(g.stages.shape)
    columns = np.broadcast_arrays(g.pp, g.vpp, g.schedule, model.num_layers, leading, step, tail_layers(model), named)
    flat = [np.ravel(column) for column in columns]
    packed = np.zeros(columns[0].size, dtype=np.int64)
    for column in flat:
        packed = packed * (int(column.max()) + 1) + column
    firsts, inverse = number_alike(packed)
    names, modules = CHOICES["schedule"], model.num_mtp_layers
    keys: list[Pipeline] = []
    for pp, vpp, code, num_layers, first, every, tail, text in zip(
        *(column[firsts].tolist() for column in flat), strict=True
    ):
        sequence = LayerSequence(num_layers, modules, pattern=model.pattern, tail=tail)
        if not model.blocks:
            behind = (num_layers - first) // every if model.moe else 0
            sequence = LayerSequence(num_layers, modules, first, behind / max(num_layers - first, 1), tail=tail)
        keys.append((sequence, names[code], pp, vpp, texts[text]))
    return keys, inverse.reshape(columns[0].shape)


def _stand_in(key: Pipeline, ranks: list[Holding], has_head: bool) -> Holding:
    """Return a rank to look at once more: one of ``ranks``, or any with the head or without it, or the first."""
    everyone = hold_all(*key)
    return next((one for one in [*ranks, *everyone] if (one.head > 0) == has_head), everyone[0])


def _stack(model: Model, holdings: list[Holding], which: Array) -> Stage:
    """Return one stage of a grid: of each place the holding that ``which`` names, and of one place where all are alike."""
    kinds = [block_name(i) for i in range(len(model.blocks))] or ["dense", "moe"]

    def column(values: list[float]) -> Array:
        if values.count(values[0]) == len(values):
            return np.full((1,) * which.ndim, values[0])
        return np.asarray(values)[which]

    counts = {kind: column([one.layers[i] for one in holdings]) for i, kind in enumerate(kinds)}
    names = ("embedding", "head", "modules", "copies")
    parts = (column([getattr(one, name) for one in holdings]) for name in names)
    return Stage(column([one.rank for one in holdings]), counts, *parts)
