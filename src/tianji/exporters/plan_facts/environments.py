"""Environment variables of the collective libraries, with what each is for.

Sources: NCCL user guide (environment variables); CANN HCCL documentation (environment variable reference);
PyTorch and torch_npu allocator notes.
"""

from __future__ import annotations

from tianji.exporters.formats.arguments import Argument, Tree
from tianji.parallel.plan import Plan

HCCL_BUFFER = 200
"""MB of each of the two buffers that every communicator has by default."""


def collective_environment(plan: Plan) -> Tree:
    """Return what the chips' collective library needs for this plan."""
    library = _hccl(plan) if plan.pool.chip.ecosystem == "cann" else _nccl(plan)
    return (*library, Argument("OMP_NUM_THREADS", 1, "the host's cores are for the chips' launch threads"))


def _nccl(plan: Plan) -> Tree:
    s = plan.strategy
    # Kernels launched on one queue keep their order, on which overlapped tensor and context parallelism relies;
    # sharded weights need several queues, and so does the overlapped exchange of experts.
    several = s.zero > 1 or s.overlap_ep
    queues = Argument(
        "CUDA_DEVICE_MAX_CONNECTIONS",
        32 if several else 1,
        "several queues: FSDP and overlapped expert exchange" if several else "one queue: kernels keep their order",
    )
    return (
        queues,
        Argument("NCCL_DEBUG", "WARN", "say what goes wrong and nothing else"),
        Argument("TORCH_NCCL_ASYNC_ERROR_HANDLING", 1, "a lost peer ends the job in place of hanging it"),
        Argument("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True", "less fragmentation; the plan counts none"),
    )


def _hccl(plan: Plan) -> Tree:
    # A group that moves experts' tokens holds a whole exchange in its buffer.
    buffer = HCCL_BUFFER * (2 if plan.strategy.ep > 1 else 1)
    return (
        Argument("CUDA_DEVICE_MAX_CONNECTIONS", 1, "Megatron asks for it, on NPUs too"),
        Argument("HCCL_BUFFSIZE", buffer, f"MB; each communicator takes twice that (default {HCCL_BUFFER})"),
        Argument("HCCL_CONNECT_TIMEOUT", 1200, "seconds until all ranks must have met (default 120)"),
        Argument("HCCL_EXEC_TIMEOUT", 1836, "seconds until a silent peer counts as lost (the default)"),
        Argument("HCCL_DETERMINISTIC", "false", "true repeats sums bit by bit, at a price"),
        Argument("PYTORCH_NPU_ALLOC_CONF", "expandable_segments:True", "less fragmentation; the plan counts none"),
        Argument("TASK_QUEUE_ENABLE", 2, "launch operators ahead of the chip"),
    )
