"""Pipeline stages: which layers each holds, and what the schedule makes of them.

Layers are dealt out evenly. When they do not divide, the first and the last stage go without the extra layer as long as
others can take it, because they also carry the embedding and the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tianji.parallel.grid import Grid
from tianji.units import Array
from tianji.workload import Model


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: its place and how many layers of each kind it holds (fractions where kinds alternate)."""

    index: Array
    dense: Array
    moe: Array
    has_embedding: Array
    has_head: Array

    @property
    def layers(self) -> Array:
        """All transformer layers of the stage."""
        return self.dense + self.moe


def stage(model: Model, pp: Array, index: Array) -> Stage:
    """Return the content of stage ``index`` (from 0) of ``pp``."""
    base, rest = np.divmod(model.num_layers, pp)
    middle = np.minimum(rest, np.maximum(pp - 2, 0))
    first_extra = (rest > middle) * 1
    extra = np.where(index == 0, first_extra, (index >= 1) & (index <= middle))
    last_extra = (rest > middle + first_extra) & (index == pp - 1) & (pp > 1)
    count = base + np.where(last_extra, 1, extra)
    before = base * index + np.where(index > 0, first_extra, 0) + np.clip(index - 1, 0, middle)
    leading = model.moe.num_leading_dense if model.moe else 0
    head = np.clip(leading - before, 0, count)
    share = model.num_moe_layers / np.maximum(model.num_layers - leading, 1)
    moe = (count - head) * share
    return Stage(index, count - moe, moe, index == 0, index == pp - 1)


def representative_stages(model: Model, pp: Array) -> list[Stage]:
    """Return stages among which is the slowest and the fullest of all ``pp``: the first four and the last.

    Later middle stages hold the same layers as the fourth, or fewer, with fewer micro-batches in flight.
    """
    places = [np.minimum(i, pp - 1) for i in range(4)]
    found = [stage(model, pp, index) for index in [*places, pp - 1]]
    return found if np.size(pp) > 1 or np.size(model.num_layers) > 1 else _unlike(found)


def _unlike(stages: list[Stage]) -> list[Stage]:
    """Leave out what repeats: of stages with the same content the earliest has the most micro-batches in flight."""
    kept: dict[tuple[float, ...], Stage] = {}
    for s in stages:
        kept.setdefault(tuple(np.ravel(x).item() for x in (s.dense, s.moe, s.has_embedding, s.has_head)), s)
    return list(kept.values())


def in_flight(g: Grid, microbatches: Array, index: Array) -> Array:
    """Return how many micro-batches' activations a stage holds at the peak.

    1F1B: min(m, p - i). Interleaved (Narayanan 2021): ((v - 1) p + 2 (p - i - 1) + 1) / v, at most m. GPipe: m.
    Zero-bubble (ZB-H1, Qi 2023): as 1F1B. ZB-V (Qi 2024): min(m, p). DualPipe (DeepSeek-V3): p + 1, at most m.
    """
    one_f_one_b = np.minimum(microbatches, g.pp - index)
    chunks = (g.vpp - 1) * g.pp + 2 * (g.pp - index - 1) + 1
    interleaved = np.minimum(microbatches * g.vpp, chunks) / g.vpp
    found = np.where(g.among("schedule", "interleaved"), interleaved, one_f_one_b)
    found = np.where(g.among("schedule", "gpipe"), microbatches, found)
    found = np.where(g.among("schedule", "zbv"), np.minimum(microbatches, g.pp), found)
    return np.where(g.among("schedule", "dualpipe"), np.minimum(microbatches, g.pp + 1), found)


def bubble_time(g: Grid, others: Array, forward: Array, backward: Array, weight: Array) -> Array:
    """Return the seconds in which the slowest stage waits for the others: its share of ``others``.

    ``others`` is the time of one micro-batch through all other stages, there and back. 1F1B and GPipe: others, which for
    equal stages is (p - 1)(F + B), the ideal (p - 1)/(m + p - 1) of the step. Interleaved: others / v. Zero-bubble (ZB-H1):
    (p - 1)(F + B - 2W), weight gradients fill the gaps. ZB-V (Qi 2024): half of
    that, as a rank waits for half-stages. DualPipe: (p/2 - 1)(F + 2B - 4W), B with W inside it, never below 0.
    """
    return others * bubble_share(g, forward, backward, weight)


def bubble_share(g: Grid, forward: Array, backward: Array, weight: Array) -> Array:
    """Return which share of the other stages' time the slowest one waits, as the schedule has it."""
    both = forward + backward
    zero_bubble = np.maximum(both - 2.0 * weight, 0.0) / both
    dual = (
        np.maximum(both + backward - 4.0 * weight, 0.0) / both * np.maximum(g.pp / 2 - 1, 0) / np.maximum(g.pp - 1, 1)
    )
    share = np.where(g.among("schedule", "zero-bubble"), zero_bubble, 1.0 / g.vpp)
    share = np.where(g.among("schedule", "zbv"), zero_bubble / 2.0, share)
    found: Array = np.where(g.among("schedule", "dualpipe"), dual, share)
    return found


@dataclass(frozen=True, slots=True)
class Bubble:
    """The seconds in which the slowest stage waits, by their factors: only the product varies with every axis of a search."""

    others: Array
    """Seconds of one micro-batch through all other stages, there and back."""
    share: Array
    """The share of them that the slowest stage waits."""
    busy: Array
    """Seconds in which the slowest stage works."""
    sharing: Array | float
    """Chips that share each processor."""

    @property
    def seconds(self) -> Array:
        """Seconds of a step."""
        return share_bubble(self.others * self.share, self.busy, self.sharing)


def share_bubble(bubble: Array, busy: Array, sharing: Array | float) -> Array:
    """Return what is left of a bubble where ``sharing`` chips share each processor and a waiting one lends it to the others.

    All times are those of a chip while all work. With the processors to itself the pipeline would take (busy + bubble) /
    sharing; it takes no less, nor less than the work of all on their processors: max(busy, (busy + bubble) / sharing).
    """
    if np.all(np.equal(sharing, 1.0)):
        return bubble
    found: Array = np.maximum(bubble - (sharing - 1.0) * busy, 0.0) / sharing
    return found
