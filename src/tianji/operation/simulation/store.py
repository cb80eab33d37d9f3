"""The simulated store: checkpoints that are begun, complete, or torn."""

from __future__ import annotations

from tianji.operation.simulation.invariants import Witness

KEPT = 2


class SimulatedStore:
    """Holds checkpoints by step; only the mark that comes last makes one complete."""

    def __init__(self, witness: Witness) -> None:
        self.witness = witness
        self.torn: dict[int, int] = {}
        """Step: the attempt that began to write it."""
        self.complete: dict[int, int] = {}
        """Step: the attempt that wrote it."""

    def newest(self) -> int | None:
        """Return the step of the newest complete checkpoint, or None."""
        return max(self.complete, default=None)

    def find_loadable(self) -> int | None:
        """Return the same: what is complete here never changes."""
        return self.newest()

    def begin(self, step: int, attempt: int) -> None:
        """Begin to write; what lay there is gone."""
        self.witness.require(
            step not in self.complete, f"attempt {attempt} overwrites the complete checkpoint of step {step}"
        )
        self.torn[step] = attempt

    def commit(self, step: int, attempt: int) -> None:
        """Set the mark, then drop all but the newest."""
        writer = self.torn.pop(step, None)
        self.witness.require(
            writer == attempt, f"attempts {writer} and {attempt} write the checkpoint of step {step} together"
        )
        self.complete[step] = attempt
        self.witness.see_complete(step)
        for old in sorted(self.complete)[:-KEPT]:
            del self.complete[old]

    def load(self, step: int | None, attempt: int) -> None:
        """Read a checkpoint."""
        self.witness.require(
            step is None or step in self.complete, f"attempt {attempt} loads step {step}, which is torn or gone"
        )
