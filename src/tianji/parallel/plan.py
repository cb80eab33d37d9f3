"""A plan: this job, on this pool, cut by this strategy."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.hardware import Pool
from tianji.hardware.software import Software
from tianji.parallel.layouts import abbreviate_layout
from tianji.parallel.strategy import Strategy
from tianji.workload import Job


@dataclass(frozen=True, slots=True, repr=False)
class Plan:
    """A strategy with the job and the pool it was made for; ranks fill the pool in the order of ``strategy.placement``."""

    job: Job
    pool: Pool
    strategy: Strategy
    software: Software | None = None
    """What the plan was made for, where a user said it; None: whatever a calibration assumes."""

    def __repr__(self) -> str:
        layout = abbreviate_layout(self.strategy)
        return f"Plan({self.job.model.name} on {self.strategy.chips:,} chips of {self.pool.name}, {layout})"

    @property
    def num_microbatches(self) -> int:
        """Micro-batches of one step on one replica (gradient accumulation)."""
        return self.job.global_batch_size // (self.strategy.dp * self.strategy.micro_batch_size)

    @property
    def idle_chips(self) -> int:
        """Chips of the pool that the strategy leaves without work."""
        return self.pool.chips - self.strategy.chips

    @property
    def hides_tensor_links(self) -> bool:
        """Whether tensor-parallel links hide behind split matmuls: where asked for, and only within one scale-up domain."""
        tiers = zip(self.pool.tiers, self.pool.spans(), strict=True)
        outer = next((place for place, (tier, _) in enumerate(tiers) if tier.kind != "scale-up"), len(self.pool.tiers))
        domain = self.pool.spans()[outer - 1] if outer else 1
        return self.strategy.overlap_tp and 1 < self.strategy.tp <= domain
