"""What a pipeline schedule is: a name, what is legal with it, what its pipeline waits for and what it keeps in memory.

Formulas take arrays of many strategies. They are written with operators, :func:`least` and :func:`most`, so that the help of a
command, which lists the schedules, loads no NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tianji.units import Array


@dataclass(frozen=True, slots=True)
class Waits:
    """How a schedule makes a bubble of what one micro-batch takes on all stages but the slowest: a factor for each part.

    The defaults are those of 1F1B, which waits for each pass once: of equal stages (p - 1)(F + B), B with the weight gradients W.
    """

    work: Array | float = 1.0
    """Of the passes forward and backward."""
    backward: Array | float = 0.0
    """Of the passes backward, once more."""
    weight: Array | float = 0.0
    """Of the weight gradients, which fill gaps."""
    sends: Array | float = 1.0
    """Of the hand-overs of activations and gradients between stages."""
    gathers: Array | float = 1.0
    """Of the gathers of weights (ZeRO 3)."""


@dataclass(frozen=True, slots=True)
class ScheduleRule:
    """A condition on the stages p and the micro-batches m of a pipeline, and the sentence that refuses a strategy without it."""

    name: str
    holds: Callable[[Array, Array], Array]
    reason: Callable[[int], str]
    """Of the number of stages."""


def _waits_as_1f1b(pp: Array, vpp: Array) -> Waits:
    return Waits()


@dataclass(frozen=True, slots=True)
class PipelineSchedule:
    """One way to order the passes of a step's micro-batches through a pipeline of p stages."""

    name: str
    """As strategies, files and the command line write it."""
    year: int
    source: str
    in_flight: Callable[[Array, Array, Array, Array], Array]
    """Micro-batches whose activations a stage holds at the peak, from p, v (chunks of a rank), m and the stage's place from 0."""
    waits: Callable[[Array, Array], Waits] = _waits_as_1f1b
    """From p and v."""
    rules: tuple[ScheduleRule, ...] = ()
    """What is legal only so, beside the rules for all strategies (:mod:`tianji.parallel.legality`)."""
    is_chunked: bool = False
    """A rank holds ``vpp`` chunks of layers, at least two; in other schedules ``vpp`` is 1."""
    halves: int = 1
    """Parts into which a rank's layers are divided without ``vpp``: V-shaped schedules turn round on the last rank."""
    is_paired: bool = False
    """A rank holds stage i and stage p - 1 - i: micro-batches come in at both ends."""
    hides_sends: bool = False
    """A chunk's sends run beside another chunk's work (with ``overlap_pp``)."""
    on_request: bool = False
    """A search takes it only where ``fixed`` asks for it: few engines have it."""

    def num_chunks(self, p: int, v: int) -> int:
        """Return into how many parts the layers are cut on ``p`` pipeline ranks with ``v`` chunks each."""
        return p * v * self.halves

    def chunks_of_rank(self, p: int, v: int, rank: int) -> tuple[int, ...]:
        """Return which of the parts the pipeline ``rank`` of ``p`` holds, with ``v`` chunks, in the order of a micro-batch.

        >>> interleaved = PipelineSchedule("i", 2021, "", lambda p, v, m, i: m, is_chunked=True)
        >>> interleaved.chunks_of_rank(4, 2, 0)
        (0, 4)
        """
        if self.is_paired or self.halves == 2:
            return rank, self.num_chunks(p, v) - 1 - rank
        return tuple(range(rank, p * v, p))


def least(*values: Array | float) -> Array:
    """Return the least value at each place."""
    from functools import reduce

    import numpy as np

    smallest: Array = reduce(np.minimum, map(np.asarray, values))
    return smallest


def most(*values: Array | float) -> Array:
    """Return the largest value at each place."""
    from functools import reduce

    import numpy as np

    largest: Array = reduce(np.maximum, map(np.asarray, values))
    return largest
