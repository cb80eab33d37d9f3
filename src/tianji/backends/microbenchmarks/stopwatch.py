"""Time a piece of work on all ranks at once: every rank does the same number of calls, and the slowest counts."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
import torch.distributed as dist

from tianji.backends.trainer.accelerator import Accelerator
from tianji.units import Seconds

MOST_CALLS = 10_000
WARM_UP = 2


class Stopwatch:
    """Repeats work long enough for the scheduler to have dealt out the cores evenly, round after round."""

    def __init__(self, accelerator: Accelerator, rounds: int, seconds: Seconds) -> None:
        self.accelerator, self.rounds, self.seconds = accelerator, rounds, seconds

    def time(self, work: Callable[[], object]) -> list[Seconds]:
        """Return the seconds of one call in each round, on the slowest rank."""
        for _ in range(WARM_UP):
            work()
        once = self._clock(work, 1)
        calls = min(max(math.ceil(self.seconds / max(once, 1e-7)), 1), MOST_CALLS)
        return [self._clock(work, calls) / calls for _ in range(self.rounds)]

    def _clock(self, work: Callable[[], object], calls: int) -> Seconds:
        self.accelerator.synchronize()
        dist.barrier()
        began = time.perf_counter()
        for _ in range(calls):
            work()
        self.accelerator.synchronize()
        taken = torch.tensor(time.perf_counter() - began, dtype=torch.float64, device=self.accelerator.device)
        dist.all_reduce(taken, dist.ReduceOp.MAX)
        return float(taken)
