"""What must hold at every moment of a simulated operation; the first thing that does not ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tianji.errors import TianjiError
from tianji.units import Seconds

GRACE: Seconds = 400.0
"""How long a job may stand still though nothing has changed and there are chips enough: its longest timeouts together."""
KNOWN_AFTER: Seconds = 60.0
"""A chip that has been failed for this long must not be in a new plan."""


class InvariantError(TianjiError):
    """The controller broke a promise in a simulation; the message says which and how to see it again."""


@dataclass(frozen=True, slots=True)
class ChipTruth:
    """A chip of a new attempt, as it is."""

    number: int
    failed_for: Seconds | None
    """None: it is healthy."""
    is_known_failed: bool
    """The last report that was heard calls it failed."""
    is_busy: bool


class Witness:
    """Sees all that the agents and the store do, and knows the truth that the controller can only guess."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.best = -1
        """The newest step whose checkpoint was ever complete."""
        self.changed: Seconds = 0.0
        """When something last broke, was repaired, or moved on."""

    def require(self, holds: bool, promise: str) -> None:
        """Raise InvariantError unless a promise holds."""
        if not holds:
            raise InvariantError(
                f"seed {self.seed}: {promise}; see it again with: tianji operate --simulate --seed {self.seed}"
            )

    def see_change(self, now: Seconds) -> None:
        """Note that something broke, came back, or moved on."""
        self.changed = now

    def see_complete(self, step: int) -> None:
        """Note a complete checkpoint."""
        self.best = max(self.best, step)

    def check_start(self, chips: Sequence[ChipTruth], resume: int | None) -> None:
        """Check an attempt by the truth about its chips, at the moment at which the controller decides on it."""
        numbers = tuple(chip.number for chip in chips)
        self.require(len(set(numbers)) == len(numbers), f"a plan names a chip twice: {numbers}")
        for chip in chips:
            is_fresh = chip.failed_for is None or chip.failed_for < KNOWN_AFTER
            self.require(is_fresh and not chip.is_known_failed, f"a plan touches the failed chip {chip.number}")
            self.require(not chip.is_busy, f"chip {chip.number} is booked twice: a worker is still on it")
        newest = -1 if resume is None else resume
        self.require(newest == self.best, f"resumes from step {newest} though step {self.best} was checkpointed")

    def check_progress(self, now: Seconds, enough: bool, state: str) -> None:
        """Check that a job with chips enough does not stand still."""
        still = now - self.changed
        self.require(not enough or still < GRACE, f"no progress for {still:.0f} s with enough healthy chips ({state})")
