"""How a job is run under failures: what a user chooses. What he leaves open has its source in the failure profile."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.errors import FormatError, UnknownNameError
from tianji.hardware.failure_profile import RUNGS, FailureProfile
from tianji.units import DAY, HOUR, BytesPerSecond, Seconds

LOSSES = ("job", "replica")
"""What a failure stops: the whole synchronous job, or one data-parallel replica while the others go on."""
REPLACEMENTS = ("spare", "shrink")
"""What takes a failed node's place: a spare, or nothing (its replica is missing until the repair)."""
STORES = ("local", "peer", "storage")
"""Where checkpoints go, fastest first: memory of the own host, memory of another node, remote storage."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Choices of a run. What is None has the failure profile's figure or the best value.

    The defaults are cautious and usual practice: any failure stops the whole job, which restarts from remote storage;
    checkpoints are written while training goes on; spare nodes stand by.
    """

    profile: FailureProfile | None = None
    """None: the profile of the pool's chip (``failures_of``)."""
    loss: str = "job"
    recovery: str = "job"
    """The fastest rung of the ladder that is in use; those below it catch what it cannot put right."""
    replacement: str = "spare"
    stores: tuple[str, ...] = ("storage",)
    """``storage`` is always among them."""
    asynchronous: bool = True
    """Training waits only for the copy into host memory, not for the storage."""
    interval: Seconds | None = None
    """Training time between two checkpoints to storage; None: the best one."""
    save_time: Seconds | None = None
    """How long a checkpoint to storage stops the training; None: by the plan's sizes and the pool's bandwidths."""
    recovery_time: Seconds | None = None
    """From a failure until training goes on, all in, on every rung below ``in-process``; None: the profile's."""
    storage_bandwidth: BytesPerSecond | None = None
    repair_time: Seconds | None = None
    spare_nodes: int | None = None
    """None: as many as suffice with ``confidence``."""
    confidence: float = 0.99
    replica_chips: int = 0
    """Chips of one replica that fails alone (``loss="replica"``), at least one copy of the model; 0: the pool's unit."""
    straggle: float | None = None
    corruption: bool = True
    """Count silent corruption that nobody notices at once."""
    shape: float = 1.0
    """Of the Weibull distribution between failures: 1 has no memory, below 1 failures come in clusters."""
    recovery_spread: float = 0.0
    """Standard deviation of the logarithm of a recovery's length around its mean; 0: always the same."""
    horizon: Seconds = 30 * DAY
    """Length of the run."""

    def __post_init__(self) -> None:
        for name, word, known in (
            ("loss", self.loss, LOSSES), ("recovery", self.recovery, RUNGS), ("replacement", self.replacement, REPLACEMENTS),
            *(("store", store, STORES) for store in self.stores),
        ):  # fmt: skip
            if word not in known:
                raise UnknownNameError(name, word, known)
        if "storage" not in self.stores:
            raise FormatError("stores: expected storage among them: the job must outlive the loss of a whole pod")
        for name in ("interval", "save_time", "recovery_time", "storage_bandwidth", "repair_time"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise FormatError(f"{name}: expected a figure above zero, got {value!r}")
        if not 0.5 <= self.confidence < 1:
            raise FormatError(f"confidence: expected a share from 0.5 to below 1, got {self.confidence!r}")
        if self.straggle is not None and not 0 <= self.straggle < 1:
            raise FormatError(f"straggle: expected a share from 0 to below 1, got {self.straggle!r}")
        for name, value, least, most in (
            ("shape", self.shape, 0.2, 5.0),
            ("recovery_spread", self.recovery_spread, 0.0, 3.0),
            ("horizon", self.horizon, HOUR, 100 * 365 * DAY),
        ):
            if not least <= value <= most:
                raise FormatError(f"{name}: expected {least:g} to {most:g}, got {value!r}")
        for name in ("spare_nodes", "replica_chips"):
            count = getattr(self, name)
            if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 0):
                raise FormatError(f"{name}: expected a whole number of at least 0, got {count!r}")
