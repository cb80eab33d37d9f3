"""What a run needs beside its plan."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tianji.errors import FormatError
from tianji.units import Seconds

OPTIMIZERS = ("adamw", "sgd")
DEVICES = ("", "cpu")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The choices of one run; paths are texts, so that options travel as JSON."""

    steps: int = 10
    """Optimizer steps in all, the warm-up among them."""
    warmup: int = 2
    """Steps at the start that are run but not measured."""
    data: str = ""
    """A text, or a file of token numbers (.u16, .u32); empty: the text that ships."""
    out: str = "out"
    seed: int = 0
    weights: str = ""
    """First weights of a dense model, an npz as ``tianji migrate twin`` writes it; empty: drawn from the seed."""
    optimizer: str = "adamw"
    learning_rate: float = 1e-3
    clip: float = 1.0
    """Largest norm of all gradients; 0: not clipped."""
    device: str = ""
    """``cpu`` forces the CPU; empty: what torch finds."""
    trace: bool = True
    """Profile one more step after the measured ones, for the trace and the breakdown."""
    checkpoint_every: int = 0
    """Steps between checkpoints; 0: none."""
    checkpoints: str = ""
    """Folder of the checkpoints, which several attempts of a job may share; empty: ``checkpoints`` in ``out``."""
    keep: int = 2
    """Complete checkpoints that are kept."""
    resume_from: str = ""
    """Folder of a complete checkpoint."""
    timeout: Seconds = 600.0
    """How long a rank waits for the others before it gives up."""
    port: int = 0
    """Where the ranks meet; 0: any port that is free."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise FormatError(f"steps: expected at least 1, got {self.steps}")
        if not 0 <= self.warmup < self.steps:
            raise FormatError(f"warmup: expected fewer than the {self.steps} steps, got {self.warmup}")
        if self.optimizer not in OPTIMIZERS:
            raise FormatError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")
        if not 0 < self.learning_rate < math.inf:
            raise FormatError(f"learning_rate: expected a positive number, got {self.learning_rate}")
        if self.device not in DEVICES:
            raise FormatError(f"device: expected cpu, or nothing for what torch finds, got {self.device!r}")
        for name in ("checkpoint_every", "seed"):
            if getattr(self, name) < 0:
                raise FormatError(f"{name}: expected at least 0, got {getattr(self, name)}")
