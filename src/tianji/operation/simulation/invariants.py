"""What must hold at every moment of a simulated operation; the first thing that does not ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tianji.errors import TianjiError
from tianji.units import Seconds

if TYPE_CHECKING:
    from tianji.operation.simulation.cluster import SimulatedCluster

GRACE: Seconds = 400.0
"""How long a job may stand still though nothing has changed and there are chips enough: its longest timeouts together."""
KNOWN_AFTER: Seconds = 60.0
"""A chip that has been failed for this long must not be in a new plan."""


class InvariantError(TianjiError):
    """The controller broke a promise in a simulation; the message says which and how to see it again."""


class Witness:
    """Sees all that the cluster and the store do, and knows the truth that the controller can only guess."""

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

    def check_start(self, cluster: SimulatedCluster, chips: tuple[int, ...], resume: int | None, now: Seconds) -> None:
        """Check an attempt at the moment at which the controller decides on it."""
        self.require(len(set(chips)) == len(chips), f"a plan names a chip twice: {chips}")
        for number in chips:
            chip = cluster.chips[number]
            is_fresh = chip.healthy or now - chip.failed_at < KNOWN_AFTER
            self.require(is_fresh and number not in cluster.known_failed, f"a plan touches the failed chip {number}")
            self.require(not chip.is_busy(), f"chip {number} is booked twice: a worker is still on it")
        newest = -1 if resume is None else resume
        self.require(newest == self.best, f"resumes from step {newest} though step {self.best} was checkpointed")

    def check_progress(self, now: Seconds, enough: bool, state: str) -> None:
        """Check that a job with chips enough does not stand still."""
        still = now - self.changed
        self.require(not enough or still < GRACE, f"no progress for {still:.0f} s with enough healthy chips ({state})")
