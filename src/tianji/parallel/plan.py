"""A plan: this job, on this pool, cut by this strategy."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.hardware import Pool
from tianji.parallel.strategy import Strategy
from tianji.workload import Job


@dataclass(frozen=True, slots=True)
class Plan:
    """A strategy with the job and the pool it was made for; ranks fill the pool in the order of ``strategy.placement``."""

    job: Job
    pool: Pool
    strategy: Strategy

    @property
    def num_microbatches(self) -> int:
        """Micro-batches of one step on one replica (gradient accumulation)."""
        return self.job.global_batch_size // (self.strategy.dp * self.strategy.micro_batch_size)

    @property
    def idle_chips(self) -> int:
        """Chips of the pool that the strategy leaves without work."""
        return self.pool.chips - self.strategy.chips
