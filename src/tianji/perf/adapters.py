"""Seconds that low-rank adapters and a quantized base add to a layer.

Source: Hu et al. 2021 (LoRA), Dettmers et al. 2023 (QLoRA). A tensor cut divides both matrices of an adapter, as ParallelLinear
adapters of Megatron's family do; the gather of r elements a token that this costs is not priced.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tianji.perf.compute import expert_time, matmul_time, vector_time
from tianji.perf.context import Context
from tianji.units import Array
from tianji.workload.adapters import adapted, adapted_experts
from tianji.workload.ops import LayerOps, Role
from tianji.workload.task import TrainingTask

OPS = 3
"""Launches of one adapter forward: two matmuls, and what adds their product to the frozen matrix's."""
ADDED = 3.0
"""Reads and writes for each element of that sum; backward the same for the gradient of the input."""


class AdapterTime(NamedTuple):
    """Seconds of one micro-batch on one chip: forward, gradients of inputs, of weights, and memory-bound work each way."""

    forward: Array
    inputs: Array
    weights: Array
    vector: Array


def adapter_seconds(layer: LayerOps, c: Context) -> AdapterTime:
    """Return what the adapters of a layer take, and each pass's dequantization of its frozen matrices.

    Adapters stay in the recipe's high dtype. Each matrix of k by n has two matmuls, k to r and r to n; all three passes of both
    are done, as both are trained.
    """
    task = c.job.task
    r = np.asarray(1.0 * task.adapter_rank)
    forward = inputs = weights = vector = np.asarray(0.0)
    size = c.job.precision.activation_size
    for op in adapted(layer, task):
        m = c.tokens * (op.tokens / c.job.seq_len) if op.tokens else c.tokens
        for k, n in ((op.k / c.g.tp, r), (r, op.n / c.g.tp)):
            forward = forward + matmul_time(c.rates, m, k, n, high=True)
            inputs = inputs + matmul_time(c.rates, m, n, k, high=True)
            weights = weights + matmul_time(c.rates, k, m, n, high=True)
        vector = vector + vector_time(c.rates, ADDED * m * (op.n / c.g.tp), size)
    experts = layer.experts
    for op in adapted_experts(layer, task):
        assert experts is not None
        local = experts.num_experts / c.g.ep
        routed = c.tokens / c.g.tp * (experts.top_k * experts.computing) * c.imbalance
        m = routed * c.g.etp / local
        for k, n in ((op.k / c.g.etp, r), (r, op.n / c.g.etp)):
            forward = forward + expert_time(c.rates, local, m, k, n, c.constants)
            inputs = inputs + expert_time(c.rates, local, m, n, k, c.constants)
            weights = weights + expert_time(c.rates, local, k, m, n, c.constants)
        vector = vector + vector_time(c.rates, ADDED * routed * op.n, size)
    return AdapterTime(forward, inputs, weights, vector + _dequantize(layer, c))


def _dequantize(layer: LayerOps, c: Context) -> Array:
    """Each pass reads the narrow values of a frozen matrix and writes it in the dtype of the matmul."""
    task = c.job.task
    if not task.frozen_size or not layer.is_recomputed:
        return np.asarray(0.0)
    elements: Array = np.asarray(0.0)
    for op in layer.matmuls:
        if op.cut != "none" and op.role is not Role.MIXING:
            elements = elements + op.k * op.n / c.g.tp
    if layer.experts:
        matrices = sum(op.k * op.n for op in layer.experts.matmuls)
        elements = elements + layer.experts.num_experts * matrices / (c.g.ep * c.g.etp)
    return vector_time(c.rates, elements, task.frozen_size + c.job.precision.activation_size)


def count_adapter_ops(layer: LayerOps, task: TrainingTask) -> int:
    """Return the launches that adapters add to a layer forward; those of routed experts are launched together."""
    if not task.adapter_rank:
        return 0
    return OPS * (len(adapted(layer, task)) + len(adapted_experts(layer, task)))
