"""A job: a model, its data sizes and its goal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tianji.errors import FormatError
from tianji.workload.model import Model
from tianji.workload.precision import Precision
from tianji.workload.task import PRETRAIN, TrainingTask


@dataclass(frozen=True, slots=True)
class Job:
    """Train a model: sequences of ``seq_len`` tokens, ``global_batch_size`` sequences a step.

    ``tokens`` is the length of the whole run (0: not stated). ``moe_imbalance`` is the load of the busiest expert rank
    over the mean (1: forced balance). ``causal`` attention does half the work of full attention.
    """

    model: Model
    seq_len: int
    global_batch_size: int
    precision: Precision
    tokens: float = 0.0
    moe_imbalance: float = 1.0
    causal: bool = True
    assumed: tuple[str, ...] = ()
    """Which of the sizes the user did not give, in words."""
    task: TrainingTask = PRETRAIN
    sample_lengths: tuple[tuple[int, float], ...] = ()
    """Of samples that are packed into the sequences: tokens, and the share of the samples that have so many; empty where a
    sequence is one sample. Attention sees its own sample alone."""

    def __post_init__(self) -> None:
        for length, share in self.sample_lengths:
            if length < 1 or share < 0 or not (np.asarray(self.seq_len) >= length).all():
                raise FormatError(
                    f"lengths: a sample of {length:,} tokens does not fit a sequence of {self.seq_len:,}; give a longer --seq"
                )
        for what, value in (("seq_len", self.seq_len), ("global_batch_size", self.global_batch_size)):
            if not (np.asarray(value) >= 1).all():
                raise FormatError(f"{what}: expected a whole number of at least 1, got {value}")
        if not (np.asarray(self.moe_imbalance) >= 1).all():
            raise FormatError(f"moe_imbalance: expected at least 1 (1 is perfect balance), got {self.moe_imbalance}")

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one optimizer step."""
        return self.seq_len * self.global_batch_size

    @property
    def samples(self) -> tuple[tuple[int, float], ...]:
        """Lengths of the samples in a sequence, each with its share of the tokens; a sequence that is one sample has one."""
        whole = sum(length * share for length, share in self.sample_lengths)
        return tuple((length, length * share / whole) for length, share in self.sample_lengths) or (
            (self.seq_len, 1.0),
        )
