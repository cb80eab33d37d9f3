"""Candidates of a search: one strategy with what the model says of it, and some of a grid as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tianji.parallel.grid import Grid
from tianji.parallel.strategy import Strategy
from tianji.units import Array, Bytes, Seconds


@dataclass(frozen=True, slots=True)
class Candidate:
    """A strategy with what the model says of it."""

    strategy: Strategy
    step_time: Seconds
    memory: Bytes


@dataclass(frozen=True, slots=True)
class Some:
    """A few strategies of a grid, by their places in it."""

    grid: Grid
    places: Array
    step_time: Array
    memory: Array

    def take(self, order: Array) -> Some:
        """Return those at some positions."""
        return Some(self.grid, self.places[order], self.step_time[order], self.memory[order])

    def join(self, later: Some) -> Some:
        """Return these and others of the same grid."""
        return Some(
            self.grid,
            np.concatenate([self.places, later.places]),
            np.concatenate([self.step_time, later.step_time]),
            np.concatenate([self.memory, later.memory]),
        )

    def candidate(self, i: int) -> Candidate:
        """Return one of them."""
        index = tuple(int(n) for n in np.unravel_index(self.places[i], self.grid.shape))
        return Candidate(self.grid.at(index), float(self.step_time[i]), float(self.memory[i]))


@dataclass(frozen=True, slots=True)
class Smaller:
    """A smaller number of chips that may be as fast as all."""

    chips: int
    coarse_time: Seconds
    """Of its fastest dealing, under a few settings."""
    dealings: tuple[Mapping[str, int], ...]
