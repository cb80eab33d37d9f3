"""Pipeline stages: which layers each holds, and what the schedule makes of them.

Layers are dealt out evenly. When they do not divide, the first and the last stage go without the extra layer as long as
others can take it, because they also carry the embedding and the head.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tianji.parallel.grid import Grid
from tianji.perf.context import add_up
from tianji.units import Array
from tianji.workload import Model
from tianji.workload.layers import block_name

MOST_STAGES = 8
"""First stages that are looked at of a model whose layers alternate: no published pattern is longer than eight."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its place and how many layers of each kind it holds (fractions where kinds alternate)."""

    index: Array
    counts: Mapping[str, Array]
    """Layers by kind, as :func:`tianji.workload.layers.model_layers` names them."""
    has_embedding: Array
    has_head: Array

    @property
    def layers(self) -> Array:
        """All transformer layers of the stage."""
        return add_up(self.counts.values())


def stage(model: Model, pp: Array, index: Array) -> Stage:
    """Return the content of stage ``index`` (from 0) of ``pp``.

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
    if model.blocks:
        return Stage(index, block_counts(model, before, count), index == 0, index == pp - 1)
    leading = model.moe.num_leading_dense if model.moe else 0
    head = np.clip(leading - before, 0, count)
    share = model.num_moe_layers / np.maximum(model.num_layers - leading, 1)
    moe = (count - head) * share
    return Stage(index, {"dense": count - moe, "moe": moe}, index == 0, index == pp - 1)


def _tail(model: Model, pp: Array) -> Array:
    """Return how many layers fewer than the others the last of ``pp`` stages has."""
    tail: Array = np.asarray(tail_layers(model))
    if not np.any(tail):
        return tail
    tail = np.minimum(tail, (model.num_layers + tail) // pp)
    tail = np.minimum(tail, (model.num_layers + tail) // pp) * (pp > 1)
    # One layer that is left over goes to the last stage: no other gets longer for it.
    left: Array = tail - ((model.num_layers + tail) % pp == 1) * (tail > 0)
    return left


def tail_layers(model: Model) -> int:
    """Return how many layers the prediction modules weigh, each with a head of its own, and the model's head beside them.

    Who trains with such modules places layers by hand: DeepSeek-V3 in Megatron-Bridge has 16, 16, 16 and 13 layers on four
    stages, and 4 on each of fifteen and 1 on the last of sixteen. A model without modules is divided evenly.
    """
    if not model.num_mtp_layers:
        return 0
    active = model.num_active_parameters - model.embedding_parameters() - model.head_parameters()
    head = model.hidden_size * model.vocab_size / (active / model.num_layers)
    weight = model.num_mtp_layers * (1.0 + head) + head
    rounded: int = np.rint(weight).astype(int)
    return rounded


def block_counts(model: Model, before: Array, count: Array) -> dict[str, Array]:
    """Return how many layers of each block lie among ``count`` layers after the first ``before``."""
    pattern = np.asarray(model.pattern)
    counts: dict[str, Array] = {}
    for i in range(len(model.blocks)):
        upto = np.concatenate(([0], np.cumsum(pattern == i)))
        last = np.minimum(before + count, len(pattern))
        counts[block_name(i)] = upto[last] - upto[np.minimum(before, len(pattern))]
    return counts


def representative_stages(model: Model, pp: Array, *, paired: bool = False) -> list[Stage]:
    """Return stages among which is the slowest and the fullest of all ``pp``: the first four and the last.

    Later middle stages hold the same layers as the fourth, or fewer, with fewer micro-batches in flight. Where ranks hold a
    stage ``paired`` with the one as far from the other end, the pair in the middle may be the fullest, too.
    """
    # Where blocks alternate, later stages may hold other layers than the first four.
    places = [np.minimum(i, pp - 1) for i in range(4 if not model.blocks else MOST_STAGES)]
    middle = [np.maximum(pp // 2 - 1, 0)] if paired else []
    stages = [stage(model, pp, index) for index in [*places, *middle, pp - 1]]
    if np.size(pp) > 1 or np.size(model.num_layers) > 1:
        return stages
    return _unlike(stages, [stage(model, pp, pp - 1 - s.index) for s in stages] if paired else stages)


def _unlike(stages: list[Stage], partners: list[Stage]) -> list[Stage]:
    """Leave out what repeats: of stages with the same content the earliest has the most micro-batches in flight."""
    kept: dict[tuple[float, ...], Stage] = {}
    for s, other in zip(stages, partners, strict=True):
        parts = (*s.counts.values(), s.has_embedding, s.has_head, *other.counts.values())
        kept.setdefault(tuple(np.ravel(x).item() for x in parts), s)
    return list(kept.values())


def in_flight(g: Grid, microbatches: Array, index: Array) -> Array:
    """Return how many micro-batches' activations stage ``index`` (from 0) holds at the peak, as each schedule's file says."""
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

    work: Array
    """Seconds of one micro-batch forward and backward through all other stages."""
    backward: Array
    weight: Array
    """The backward and the weight gradients' part of it."""
    passing: Array
    """Seconds of sends and gathers on the way, as far as they are waited for."""
    shares: tuple[Array, Array, Array]
    """Of work, backward and weight that are waited for, see :class:`tianji.parallel.schedules.Waits`."""
    busy: Array
    """Seconds in which the slowest stage works."""
    sharing: Array | float
    """Chips that share each processor."""

    @classmethod
    def between(
        cls, g: Grid, others: PassTime, sends: Array, gathers: Array, busy: Array, sharing: Array | float = 1.0
    ) -> Bubble:
        """Return the bubble of a pipeline whose slowest stage works for ``busy`` seconds of a step.

        The rest is of one micro-batch: the passes of all ``others``, the sends on its way there and back, the gathers of the
        other stages' weights.
        """

        def share(part: str) -> Array:
            return g.by_schedule(lambda schedule: getattr(schedule.waits(g.pp, g.vpp), part))

        passing = share("sends") * sends + share("gathers") * gathers
        shares = (share("work"), share("backward"), share("weight"))
        return cls(others.both, others.backward, others.weight, passing, shares, busy, sharing)

    @property
    def factors(self) -> list[Array]:
        """All that varies, for :meth:`put_together`."""
        return [self.work, self.backward, self.weight, self.passing, *self.shares, self.busy]

    @property
    def seconds(self) -> Array:
        """Seconds of a step."""
        return self.put_together(self.factors)

    def put_together(self, factors: list[Array]) -> Array:
        """Return the seconds of a step of some part of the grid, from that part of the factors."""
        work, backward, weight, passing, all_share, backward_share, weight_share, busy = factors
        waited = work * all_share
        if np.any(weight_share):
            waited = np.maximum(waited + (backward * backward_share - weight * weight_share), 0.0)
        return share_bubble(waited + passing, busy, self.sharing)


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
