"""When the controller loses patience, and what it keeps in hand."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.errors import FormatError
from tianji.units import Seconds

LOOK: Seconds = 0.5
"""The controller looks at the time and at the checkpoints at least this often."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices of one operation."""

    steps: int
    """Optimizer steps of the whole job."""
    spares: int = 0
    """Nodes that stand by until one fails."""
    checkpoint_every: int = 0
    """Steps between checkpoints; 0: as the reliability model recommends."""
    heartbeat_timeout: Seconds = 10.0
    """A worker without a sign of life for this long hangs."""
    node_timeout: Seconds = 10.0
    """A node that was not heard for this long is lost."""
    stall_timeout: Seconds = 300.0
    """Training without a finished step for this long has stalled, even if all workers are alive."""
    start_timeout: Seconds = 300.0
    """From the start of the workers to their first step."""
    save_timeout: Seconds = 20.0
    """From the wish to end until all workers have saved and ended; schedulers kill a job about 30 s after they ask it to end."""
    settle: Seconds = 1.0
    """How long to wait for the cause of an exit: the ranks that a failed one leaves behind often report first."""
    repeat: Seconds = 2.0
    """Between two times that a start or a stop is said which had no answer yet."""
    quarantine: Seconds = 600.0
    """How long a chip is left out whose worker was killed or hung, though its node calls it healthy."""
    patience: int = 20
    """Failures in a row, without one new step between them, after which the job is given up."""

    def __post_init__(self) -> None:
        for name in ("steps", "patience"):
            if getattr(self, name) < 1:
                raise FormatError(f"{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("spares", "checkpoint_every"):
            if getattr(self, name) < 0:
                raise FormatError(f"{name}: expected at least 0, got {getattr(self, name)}")
        for name in ("heartbeat_timeout", "node_timeout", "stall_timeout", "start_timeout", "save_timeout", "repeat"):
            if not 0 < getattr(self, name) < float("inf"):
                raise FormatError(f"{name}: expected a time above zero, got {getattr(self, name)!r}")
