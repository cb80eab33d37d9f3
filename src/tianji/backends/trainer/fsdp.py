"""Data parallelism and its ZeRO levels by FSDP2, and activation checkpointing.

| ``zero`` | weights after the forward pass | gradients | |
|---|---|---|---|
| 0 | kept | all-reduced once a step | a sharding group of one |
| 1 | kept for the whole step | reduce-scattered once a step | |
| 2 | kept for the whole step | reduce-scattered at every micro-batch | |
| 3 | dropped, gathered again for the backward pass | reduce-scattered at every micro-batch | |

Level 3 is the same under a pipeline (:class:`tianji.backends.trainer.pipeline_parallel.ShardingStage`).
"""

from __future__ import annotations

import functools
from typing import Any, cast

import torch
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import Shard
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

from tianji.backends.trainer.device_mesh import Meshes
from tianji.backends.trainer.moe import MixtureOfExperts
from tianji.backends.trainer.transformer import Transformer
from tianji.parallel import Strategy

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

aten, collectives = torch.ops.aten, torch.ops._c10d_functional
KEPT = {
    aten.mm.default, aten.addmm.default, aten.bmm.default, aten.linear.default,
    aten._scaled_dot_product_flash_attention_for_cpu.default, aten._scaled_dot_product_flash_attention.default,
    aten._scaled_dot_product_efficient_attention.default,
    collectives.all_gather_into_tensor.default, collectives.reduce_scatter_tensor.default,
    collectives.all_reduce.default, collectives.all_to_all_single.default, collectives.wait_tensor.default,
}  # fmt: skip
"""What selective recomputation keeps: matmuls, fused attention and what other ranks sent; norms and activations are redone."""


def recompute_activations(part: Transformer, strategy: Strategy, num_layers: int) -> None:
    """Wrap the first ``recompute_layers`` of the model's layers so that their activations are computed again.

    Selective recomputation goes into a layer with experts: FSDP's hooks on the experts cannot run inside its region.
    """
    if strategy.recompute == "none":
        return
    for name, layer in part.named_layers():
        if int(name) >= round(strategy.recompute_layers * num_layers):
            continue
        if strategy.recompute == "full":
            part.layers[name] = checkpoint_wrapper(layer, preserve_rng_state=False)
        elif isinstance(layer.mlp, MixtureOfExperts):
            layer.attention = _wrap_selectively(layer.attention) if layer.attention is not None else None
            layer.mlp.shared = _wrap_selectively(layer.mlp.shared) if layer.mlp.shared is not None else None
            layer.mlp.experts.context_fn = SELECTIVE
        else:
            part.layers[name] = _wrap_selectively(layer)


def _wrap_selectively(module: nn.Module) -> nn.Module:
    return checkpoint_wrapper(module, preserve_rng_state=False, context_fn=SELECTIVE)


def _policy(context: Any, op: Any, *arguments: Any, **options: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if op in KEPT else CheckpointPolicy.PREFER_RECOMPUTE


SELECTIVE = functools.partial(create_selective_checkpoint_contexts, _policy)


def shard_state(part: Transformer, meshes: Meshes, strategy: Strategy, dtype: str) -> None:
    """Cut weights, gradients and optimizer state over the data ranks, layer by layer; experts over their own."""
    options: dict[str, Any] = {"reshard_after_forward": strategy.zero == 3}
    options["mp_policy"] = MixedPrecisionPolicy(param_dtype=DTYPES[dtype], reduce_dtype=torch.float32)
    dense, expert = _data_mesh(meshes.dense), _data_mesh(meshes.expert)
    for _, layer in part.named_layers():
        for experts in [m.experts for m in layer.modules() if isinstance(m, MixtureOfExperts)]:
            fully_shard(
                experts, mesh=expert, shard_placement_fn=functools.partial(_place, size=expert.size(-1)), **options
            )
            cast(FSDPModule, experts).set_gradient_divide_factor(strategy.dp * strategy.cp)
            if expert.size(-1) > 1:  # gloo has no sum that divides; over a shard of one FSDP would then divide twice
                cast(FSDPModule, experts).set_force_sum_reduction_for_comms(True)
        fully_shard(layer, mesh=dense, shard_placement_fn=functools.partial(_place_row, size=dense.size(-1)), **options)
    fully_shard(part, mesh=dense, **options)


def _place(weight: nn.Parameter, size: int) -> Shard:
    """Cut an expert's rows, not the experts: a rank may hold fewer experts than there are data ranks."""
    return Shard(1) if weight.shape[1] % size == 0 else Shard(0)


def _place_row(weight: nn.Parameter, size: int) -> Shard | None:
    """Cut a matrix with fewer rows than there are ranks, such as the gate of shared experts, by columns: rows would be padded."""
    is_flat = weight.ndim == 2 and weight.shape[0] < size and weight.shape[1] % size == 0
    return Shard(1) if is_flat else None


def _data_mesh(mesh: DeviceMesh) -> DeviceMesh:
    return mesh["shard"] if mesh["replicate"].size() == 1 else mesh["replicate", "shard"]


def begin_microbatch(part: nn.Module, zero: int, *, is_last: bool) -> None:
    """Say what happens to gradients and weights after this micro-batch's backward pass."""
    if isinstance(part, FSDPModule):
        part.set_is_last_backward(is_last)
        part.set_requires_gradient_sync(zero >= 2 or is_last)
        part.set_requires_all_reduce(is_last)
        part.set_reshard_after_backward(zero == 3 or is_last)
