"""Pipeline stages: which layers each rank holds, and what the schedule makes of them.

A strategy names the layers of each stage (``stages``), or they are dealt out evenly. When they do not divide, the first and the
last stage go without the extra layer as long as others can take it, because they also carry the embedding and the head.
Sources: Huang et al. 2019; Narayanan et al. 2021; Qi et al. 2023, 2024; DeepSeek-V3 2024 (DualPipe). Holds for chunks of equal
time: an uneven chunk makes interleaving look slightly better than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tianji.parallel.grid import Grid
from tianji.perf.context import add_up
from tianji.perf.holdings import tail_layers
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


def in_flight(g: Grid, microbatches: Array, index: Array) -> Array:
    """Return how many of ``microbatches`` stage ``index`` (from 0) holds activations of at the peak, as each schedule says."""
    return g.by_schedule(lambda schedule: schedule.in_flight(g.pp, g.vpp, microbatches, index))
