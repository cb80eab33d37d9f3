"""What nodes, chips and workers of a simulated pool are in truth, whatever the controller has heard of them."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.units import Seconds

LEASE: Seconds = 40.0


@dataclass
class Worker:
    """A process of one rank."""

    attempt: int
    step: int = -1
    code: int | None = None
    frozen_at: Seconds | None = None
    """When it stopped to give signs of life, though it exists."""
    has_started: bool = False


@dataclass
class SimulatedChip:
    """A chip, in truth."""

    number: int
    healthy: bool = True
    failed_at: Seconds = 0.0
    worker: Worker | None = None

    def is_busy(self) -> bool:
        """Whether a worker is alive on it."""
        return self.worker is not None and self.worker.code is None


@dataclass
class SimulatedNode:
    """A node, in truth."""

    number: int
    chips: list[SimulatedChip]
    up: bool = True
    cut: bool = False
    """Its messages reach nobody, and nobody's reach it."""
    stopped: int = 0
    lease: Seconds = LEASE
    """Until when it may run workers: from the moment of sending of its last report that was acknowledged."""
    serial: int = 0
    heard: int = 0
    """The newest of its reports that arrived."""
