"""Pipeline parallelism: which layers a rank holds, and the schedule that moves micro-batches through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.pipelining import PipelineStage, schedules
from torch.distributed.pipelining._backward import stage_backward

from tianji.backends.support import V_SHAPED
from tianji.backends.trainer.fsdp import begin_microbatch
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.parallel.stages import read_stages
from tianji.perf.holdings import deal_layers
from tianji.workload import Model

SCHEDULES: dict[str, type[Any]] = {
    "1f1b": schedules.Schedule1F1B,
    "gpipe": schedules.ScheduleGPipe,
    "interleaved": schedules.ScheduleInterleaved1F1B,
    "zero-bubble": schedules.ScheduleInterleavedZeroBubble,
    "zbv": schedules.ScheduleZBVZeroBubble,
    "dualpipe": schedules.ScheduleDualPipeV,
    "dualpipev": schedules.ScheduleDualPipeV,
}


def chunks_of(strategy: Strategy) -> int:
    """Return the model chunks of one pipeline rank."""
    return 2 if strategy.schedule in V_SHAPED and strategy.pp > 1 else strategy.vpp


def stages_of_rank(strategy: Strategy, rank: int) -> list[int]:
    """Return the stages that a pipeline rank holds, of ``pp · chunks`` in all.

    >>> stages_of_rank(Strategy(pp=2, vpp=2, schedule="interleaved"), 0)
    [0, 2]
    """
    count, chunks = strategy.pp, chunks_of(strategy)
    if strategy.schedule in V_SHAPED and chunks == 2:
        return [rank, 2 * count - 1 - rank]
    return [rank + count * i for i in range(chunks)]


def layers_of_stage(model: Model, strategy: Strategy, index: int) -> range:
    """Return the layers of a stage: those that the strategy names, or as many as are dealt out to it."""
    counts = read_stages(strategy.stages).layers if strategy.stages else None
    counts = counts or deal_layers(model.num_layers, strategy.pp * chunks_of(strategy))
    return range(sum(counts[:index]), sum(counts[: index + 1]))


class ShardingStage(PipelineStage):
    """A stage under level 3 of ZeRO: after each micro-batch weights are dropped and gradients reduced.

    PyTorch's own stage keeps both whole on every rank until the last micro-batch.
    """

    def backward_maybe_with_nosync(
        self, backward_type: str, bwd_kwargs: dict[str, Any], last_backward: bool = False
    ) -> tuple[Any, Any]:
        """Run a micro-batch backward through the stage."""
        if backward_type != "full":
            gradients: tuple[Any, Any] = super().backward_maybe_with_nosync(backward_type, bwd_kwargs, last_backward)
            return gradients
        begin_microbatch(self.submod, 3, is_last=last_backward)
        passed = (bwd_kwargs[name] for name in ("stage_output", "output_grads", "input_values"))
        return stage_backward(*passed), None


def build_schedule(
    parts: list[nn.Module],
    plan: Plan,
    rank: int,
    group: ProcessGroup,
    device: torch.device,
    loss: Callable[[Tensor, Tensor], Tensor],
) -> Any:
    """Return the schedule over this rank's parts of the model; its ``step`` runs all micro-batches of a step."""
    strategy = plan.strategy
    num_stages = strategy.pp * chunks_of(strategy)
    kind_of_stage = ShardingStage if strategy.zero == 3 else PipelineStage
    stages = [
        kind_of_stage(part, index, num_stages, device, group=group)
        for part, index in zip(parts, stages_of_rank(strategy, rank), strict=True)
    ]
    kind = SCHEDULES[strategy.schedule]
    alone = issubclass(kind, schedules.PipelineScheduleSingle)
    return kind(stages[0] if alone else stages, n_microbatches=plan.num_microbatches, loss_fn=loss)
