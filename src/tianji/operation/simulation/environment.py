"""Simulated time: things happen in the order of their times, and at the same time in the order in which they were planned."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random

from tianji.units import Seconds


class World:
    """A clock that jumps from one event to the next."""

    def __init__(self, seed: int) -> None:
        self.random = Random(f"world {seed}")
        self._now = 0.0
        self._count = 0
        self._heap: list[tuple[Seconds, int, Callable[[], None]]] = []

    def now(self) -> Seconds:
        """Return the simulated time."""
        return self._now

    def after(self, delay: Seconds, action: Callable[[], None]) -> None:
        """Let something happen later."""
        self._count += 1
        heapq.heappush(self._heap, (self._now + delay, self._count, action))

    def step(self) -> None:
        """Let the next thing happen."""
        self._now, _, action = heapq.heappop(self._heap)
        action()
