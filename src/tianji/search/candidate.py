"""Candidates of a search: one strategy with what the model says of it, and some of a grid as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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


class Spot(NamedTuple):
    """A candidate by its place in a grid: a search keeps thousands for a while, and names the strategies of a few."""

    grid: Grid
    place: int
    step_time: Seconds
    memory: Bytes


def name_all(spots: Sequence[Spot]) -> tuple[Candidate, ...]:
    """Return candidates with their strategies; those of one grid are named at once."""
    strategies: dict[tuple[int, int], Strategy] = {}
    for grid in {id(spot.grid): spot.grid for spot in spots}.values():
        places = [spot.place for spot in spots if spot.grid is grid]
        named = grid.strategies(np.asarray(places))
        strategies |= {(id(grid), place): strategy for place, strategy in zip(places, named, strict=True)}
    return tuple(Candidate(strategies[id(s.grid), s.place], s.step_time, s.memory) for s in spots)


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

    def candidates(self) -> list[Candidate]:
        """Return all of them."""
        seconds, sizes = self.step_time.tolist(), self.memory.tolist()
        return [Candidate(*one) for one in zip(self.grid.strategies(self.places), seconds, sizes, strict=True)]

    def spots(self) -> list[Spot]:
        """Return all of them by their places."""
        return [
            Spot(self.grid, *one)
            for one in zip(self.places.tolist(), self.step_time.tolist(), self.memory.tolist(), strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Smaller:
    """A smaller number of chips that may be as fast as all."""

    chips: int
    coarse_time: Seconds
    """Of its fastest dealing, under a few settings."""
    dealings: tuple[Mapping[str, int], ...]
