"""Pipeline stages: which layers each rank holds, and what the schedule makes of them.

A strategy names the layers of each stage (``stages``), or they are dealt out evenly. When they do not divide, the first and the
last stage go without the extra layer as long as others can take it, because they also carry the embedding and the head.
Sources: Huang et al. 2019; Narayanan et al. 2021; Qi et al. 2023, 2024; DeepSeek-V3 2024 (DualPipe). Holds for chunks of equal
time: an uneven chunk makes interleaving look slightly better than it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.identity import remember
from tianji.parallel.grid import Grid, number_alike
from tianji.parallel.strategy import CHOICES, FIELDS, Strategy
from tianji.perf.context import add_up
from tianji.perf.holdings import Holding, LayerSequence, hold_all, hold_most, tail_layers
from tianji.units import Array
from tianji.workload import Model
from tianji.workload.layers import block_name

PIPELINE = ("pp", "vpp", "schedule", "stages")
"""Fields that say what the ranks of a pipeline hold."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What one pipeline rank holds: its place and how many layers of each kind (fractions where kinds alternate).

    A rank may hold several stages (interleaving, V-shaped schedules): these are their sum. Of DualPipe's two stages each sees
    half of the micro-batches: the counts are what one micro-batch passes on average, and ``copies`` is 2.
    """

    index: Array
    counts: Mapping[str, Array]
    """Layers by kind, as :func:`tianji.workload.layers.model_layers` names them."""
    has_embedding: Array
    has_head: Array
    modules: Array
    """Multi-token-prediction modules."""
    copies: Array
    """So many times what a micro-batch passes are the weights that the rank holds."""

    @property
    def layers(self) -> Array:
        """All transformer layers that one micro-batch passes."""
        return add_up(self.counts.values())

    @property
    def has_layers(self) -> Array:
        """Where the stage holds any layer."""
        return _shrink(np.asarray(self.layers > 0))

    @property
    def works_on_loss(self) -> Array:
        """Where the stage holds the head."""
        return _shrink(np.asarray(self.has_head > 0))

    def has(self, kind: str) -> Array:
        """Return where the stage holds layers of a kind."""
        return _shrink(np.asarray(self.counts[kind] > 0))


def _shrink(values: Array) -> Array:
    """Return one place of an array where all are alike: what is computed from it stays small."""
    first = values.flat[0]
    return np.full((1,) * values.ndim, first) if np.all(values == first) else values


def stage(model: Model, pp: Array, index: Array) -> Stage:
    """Return the content of stage ``index`` (from 0) of ``pp`` of which each rank holds one.

    The last stage goes without as many layers as its prediction modules and their heads weigh (:func:`tail_layers`).
    """
    tail = _tail(model, pp)
    base, rest = np.divmod(model.num_layers + tail, pp)
    middle = np.minimum(rest, np.maximum(pp - 2, 0))
    first_extra = (rest > middle) * 1
    extra = np.where(index == 0, first_extra, (index >= 1) & (index <= middle))
    last_extra = (rest > middle + first_extra) & (index == pp - 1) & (pp > 1)
    count = base + np.where(last_extra, 1, extra) - tail * (index == pp - 1)
    before = base * index + np.where(index > 0, first_extra, 0) + np.clip(index - 1, 0, middle)
    return make_stage(model, pp, index, before, count)


def make_stage(model: Model, pp: Array, index: Array, before: Array, count: Array) -> Stage:
    """Return stage ``index`` of ``pp`` with ``count`` layers, those after the first ``before``."""
    is_last = np.asarray(index == pp - 1)
    ends = np.asarray(index == 0), is_last, is_last * model.num_mtp_layers, np.asarray(1.0)
    if model.blocks:
        return Stage(index, block_counts(model, before, count), *ends)
    leading = model.moe.num_leading_dense if model.moe else 0
    head = np.clip(leading - before, 0, count)
    share = model.num_moe_layers / np.maximum(model.num_layers - leading, 1)
    moe = (count - head) * share
    return Stage(index, {"dense": count - moe, "moe": moe}, *ends)


def _tail(model: Model, pp: Array) -> Array:
    """Return how many layers fewer than the others the last of ``pp`` stages has."""
    tail: Array = np.asarray(tail_layers(model))
    if not np.any(tail):
        return tail
    tail = tail * (pp > 1)
    while np.any(tail > (most := (model.num_layers + tail) // pp)):
        tail = np.minimum(tail, most)
    # One layer that is left over goes to the last stage: no other gets longer for it.
    left: Array = tail - ((model.num_layers + tail) % pp == 1) * (tail > 0)
    return left


def block_counts(model: Model, before: Array, count: Array) -> dict[str, Array]:
    """Return how many layers of each block lie among ``count`` layers after the first ``before``."""
    pattern = np.asarray(model.pattern)
    counts: dict[str, Array] = {}
    for i in range(len(model.blocks)):
        upto = np.concatenate(([0], np.cumsum(pattern == i)))
        last = np.minimum(before + count, len(pattern))
        counts[block_name(i)] = upto[last] - upto[np.minimum(before, len(pattern))]
    return counts


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


_Pipeline = tuple[LayerSequence, str, int, int, str]


@remember(2)
def _pipelines(model: Model, g: Grid) -> tuple[list[_Pipeline], Array]:
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
    keys: list[_Pipeline] = []
    for pp, vpp, code, num_layers, first, every, tail, text in zip(
        *(column[firsts].tolist() for column in flat), strict=True
    ):
        sequence = LayerSequence(num_layers, modules, pattern=model.pattern, tail=tail)
        if not model.blocks:
            behind = (num_layers - first) // every if model.moe else 0
            sequence = LayerSequence(num_layers, modules, first, behind / max(num_layers - first, 1), tail=tail)
        keys.append((sequence, names[code], pp, vpp, texts[text]))
    return keys, inverse.reshape(columns[0].shape)


def _stand_in(key: _Pipeline, ranks: list[Holding], has_head: bool) -> Holding:
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


def in_flight(g: Grid, microbatches: Array, index: Array) -> Array:
    """Return how many of ``microbatches`` stage ``index`` (from 0) holds activations of at the peak, as each schedule says."""
    return g.by_schedule(lambda schedule: schedule.in_flight(g.pp, g.vpp, microbatches, index))


@dataclass(frozen=True, slots=True)
class PassTime:
    """Seconds of one micro-batch through some layers."""

    both: Array
    """Forward and backward."""
    backward: Array
    weight: Array
    """The weight gradients' part of backward."""


@dataclass(frozen=True, slots=True)
class Bubble:
    """The seconds in which the slowest stage waits, by their factors: only the sum varies with every axis of a search."""

    passes: Array
    """Of the passes and sends of one micro-batch on all other stages, the seconds that are waited for."""
    gathers: Array
    """Seconds of the gathers of the other stages' weights."""
    gathers_share: Array
    """How much of them is waited for, see :class:`tianji.parallel.schedules.Waits`."""
    busy: Array
    """Seconds in which the slowest stage works."""
    sharing: Array | float
    """Chips that share each processor."""
    uneven: Array | float = 0.0
    """Seconds of a step by which the slowest stage works longer than an even share of all work; where they were asked for."""

    @classmethod
    def between(
        cls,
        g: Grid,
        others: Sequence[PassTime],
        variants: Variants,
        sends: Array,
        gathers: Array,
        busy: Array,
        sharing: Array | float = 1.0,
    ) -> Bubble:
        """Return the bubble of a pipeline whose slowest stage works for ``busy`` seconds of a step.

        The rest is of one micro-batch: the passes of all ``others`` (of each variant), the sends on its way there and back, the
        gathers of the other stages' weights. ``sharing`` is how many chips share a processor (:func:`share_bubble`).
        """

        def share(part: str) -> Array:
            return g.by_schedule(lambda schedule: getattr(schedule.waits(g.pp, g.vpp), part))

        shares = share("work"), share("backward"), share("weight"), share("sends")
        return cls(variants.spread(_wait_for, others, *shares, sends), gathers, share("gathers"), busy, sharing)

    @property
    def factors(self) -> list[Array]:
        """All that varies, for :meth:`put_together`."""
        return [self.passes, self.gathers, self.gathers_share, self.busy]

    @property
    def seconds(self) -> Array:
        """Seconds of a step."""
        return self.put_together(self.factors)

    def put_together(self, factors: list[Array]) -> Array:
        """Return the seconds of a step of some part of the grid, from that part of the factors."""
        waited, gathers, gathers_share, busy = factors
        if np.any(gathers):
            waited = waited + gathers * gathers_share
        return share_bubble(waited, busy, self.sharing)


def _wait_for(
    others: PassTime, work_share: Array, backward_share: Array, weight_share: Array, sends_share: Array, sends: Array
) -> Array:
    """Return the seconds of other stages' passes and sends that are waited for; weight gradients fill no more than there is."""
    waited = others.both * work_share
    if np.any(weight_share):
        waited = np.maximum(waited + (others.backward * backward_share - others.weight * weight_share), 0.0)
    passes: Array = waited + sends * sends_share
    return passes


def share_bubble(bubble: Array, busy: Array, sharing: Array | float) -> Array:
    """Return what is left of a bubble where a chip that waits lends its processor to others.

    Args:
        bubble: Seconds that the slowest stage would wait.
        busy: Seconds in which it works.
        sharing: Chips that share each processor.

    All times are those of a chip while all work. With the processors to itself the pipeline would take (busy + bubble) /
    sharing; it takes no less, nor less than the work of all on their processors: max(busy, (busy + bubble) / sharing).
    """
    if np.all(np.equal(sharing, 1.0)):
        return bubble
    left: Array = np.maximum(bubble - (sharing - 1.0) * busy, 0.0) / sharing
    return left
