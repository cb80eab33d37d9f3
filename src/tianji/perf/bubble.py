"""The seconds in which the slowest stage of a pipeline waits for the others.

Sources: each schedule's file names its own; 1F1B's bubble is that of Narayanan et al. 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tianji.parallel.grid import Grid
from tianji.perf.pipeline_stages import Variants
from tianji.units import Array


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
