"""What the controller needs of the world: a clock, agents, a store and a planner; and what it hears.

A node reports again and again what state it is in, never what has changed. A report that is lost is made good by the next one,
and one that is late changes nothing, so that the controller needs no reliable messages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from tianji.backends.runtime.messages import ChipReport, WorkerReport
from tianji.parallel.plan import Plan
from tianji.units import Seconds

__all__ = [
    "Agents", "Attempt", "ChipReport", "Clock", "NodeReport", "Planner", "Proposal", "Store", "WorkerReport",
]  # fmt: skip


@dataclass(frozen=True)
class NodeReport:
    """The state of a node at one moment; ``serial`` orders the reports of a node."""

    node: int
    serial: int
    chips: tuple[ChipReport, ...]
    stopped: int = 0
    """The attempt up to which it has ended all workers and starts none any more."""
    dead: bool = False
    """It is certain that the node and all its workers are gone."""

    @cached_property
    def by_chip(self) -> Mapping[int, ChipReport]:
        """The chips' reports by number."""
        return {report.chip: report for report in self.chips}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start of the workers, under one plan, until it fails or is done."""

    number: int
    plan: Plan
    chips: tuple[int, ...]
    """The chip of each rank."""
    resume: int | None
    """The step whose checkpoint it goes on from; None: from the beginning."""
    checkpoint_every: int


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> Seconds:
        """Return the time; it never goes back."""


class Agents(Protocol):
    """The nodes and their workers."""

    lease: Seconds
    """A node that nobody could hear for this long has ended its workers by itself."""

    def poll(self) -> Sequence[NodeReport]:
        """Return what was heard since the last call."""

    def start(self, attempt: Attempt) -> None:
        """Start the workers of an attempt. May be said again and again, and may get lost."""

    def stop(self, attempt: int) -> None:
        """End all workers of attempts up to this one, which then can no longer be started. May be repeated and get lost."""

    def save_and_end(self, attempt: Attempt) -> None:
        """Ask the workers of an attempt to save after the step they are in, and to end. May get lost."""

    def describe(self, attempt: Attempt, chips: Sequence[int]) -> Sequence[Mapping[str, object]]:
        """Return what is known of the workers of some chips: where they ran, and what they said last."""


class Store(Protocol):
    """Where checkpoints lie."""

    def newest(self) -> int | None:
        """Return the step of the newest complete checkpoint, or None."""

    def find_loadable(self) -> int | None:
        """Return the step of the newest complete checkpoint that holds what was written, or None; damaged ones count no more."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan for some chips and what is expected of it."""

    plan: Plan
    step_time: Seconds


class Planner(Protocol):
    """Finds the plan for a number of chips."""

    def propose(self, chips: int) -> Proposal | None:
        """Return the best plan on at most so many chips, or None when nothing fits."""

    def space_checkpoints(self, proposal: Proposal, slowdown: float, failures: int, elapsed: Seconds) -> int:
        """Return the steps between two checkpoints, when ``failures`` were seen in ``elapsed``.

        Steps take ``slowdown`` times as long as the proposal says.
        """
