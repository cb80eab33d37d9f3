"""Pipelines whose best stages may beat the fastest plan: those that equal stages would make faster.

The best stages of a pipeline are found one by one (:mod:`tianji.search.stages`), which is too slow for millions. But no
stages are better than equal ones: a step takes at least what it takes as dealt out, less what the slowest stage works beyond
an even share of all work. What stays above the fastest plan by that bound needs no better look.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tianji.search.blocks import Block
from tianji.search.candidate import Candidate, Spot, name_all
from tianji.units import Array, Seconds

MOST = 128
"""Pipelines that are kept, those of the least bounds."""
WORTH = 1e-3
"""Share of a step time by which named stages must be faster than the same layout dealt out: text that saves nothing is a
nuisance. Between layouts the faster one counts, by however little: else a framework might be faster than the free search."""


@dataclass(slots=True)
class Improvable:
    """The pipelines of the least bounds that were seen, each with its bound for a step time."""

    spots: list[Spot] = field(default_factory=list)

    def add(self, block: Block, fits: Array, fastest: Seconds) -> None:
        """Take in the pipelines of a block that fit and may beat the ``fastest`` plan so far."""
        assert block.uneven is not None
        bounds = block.step_time - block.uneven
        bar = fastest
        if len(self.spots) == MOST:
            bar = min(bar, self.spots[-1].step_time)
        places = np.flatnonzero(fits & (block.uneven > 0.0) & (bounds < bar))
        if len(places) > MOST:
            places = places[np.argsort(bounds[places], kind="stable")[:MOST]]
        if len(places):
            kept = zip(
                block.places(places).tolist(), bounds[places].tolist(), block.memory[places].tolist(), strict=True
            )
            self._keep([Spot(block.grid, *one) for one in kept])

    def join(self, later: Improvable) -> None:
        """Take in what a later part of the space kept."""
        self._keep(later.spots)

    def candidates(self, fastest: Seconds) -> tuple[Candidate, ...]:
        """Return those that may beat the fastest plan, the least bound first."""
        return name_all([spot for spot in self.spots if spot.step_time < fastest])

    def _keep(self, more: list[Spot]) -> None:
        self.spots = sorted([*self.spots, *more], key=lambda spot: spot.step_time)[:MOST]
