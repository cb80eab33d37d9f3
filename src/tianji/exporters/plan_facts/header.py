"""What every file says at its head: the plan in brief, the order of ranks, and what differs from the plan."""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.exporters.plan_facts.hosts import describe_order
from tianji.parallel.layouts import abbreviate_layout
from tianji.parallel.plan import Plan


def header_lines(plan: Plan, limits: Limits) -> list[str]:
    """Return the lines of a file's header."""
    job, s = plan.job, plan.strategy
    idle = f" ({plan.idle_chips:,} of the pool's {plan.pool.chips:,} stay idle)" if plan.idle_chips > 0 else ""
    lines = [
        f"Job: {job.model.name}, sequences of {job.seq_len:,} tokens, {job.global_batch_size:,} a step,"
        f" precision {job.precision.name}.",
        f"Pool: {plan.pool.title}, {s.chips:,} chips{idle}.",
        f"Strategy: {abbreviate_layout(s)}; {plan.num_microbatches:,} micro-batches a step.",
        describe_order(plan),
    ]
    return [*lines, *(f"Note: {note}" for note in limits.notes)]
