"""Bytes on one chip that stay through a step: weights, gradients, optimizer and what the framework takes.

ZeRO divides them as Rajbhandari et al. 2020 have it. What micro-batches leave behind is in ``activations``.
"""

from __future__ import annotations

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.perf.offload import chip_state
from tianji.perf.rank_parameters import largest_layer, parameters_of_rank, trained_of_rank
from tianji.perf.stages import Stage
from tianji.perf.trained import frozen_matrices, frozen_wire
from tianji.units import Array
from tianji.workload import Job
from tianji.workload.layers import model_layers
from tianji.workload.ops import Role

GATHERED_LAYERS = 2.0
"""Whole layers that fully sharded training holds at once: the one in use and the one that is prefetched."""
FLAT_BUCKETS = 2 * 5e8
"""Elements of DeepSpeed's two flat buckets at their defaults, ``reduce_bucket_size`` and ``allgather_bucket_size``, in the format
of the gradients (documentation of its configuration JSON)."""


def _gathered_bytes(job: Job, stage: Stage, g: Grid) -> Array:
    """Return what fully sharded training gathers at once, with the gradient of one part: as it is computed and reduced."""
    p = job.precision
    if job.task.is_frozen:
        return frozen_wire(job) * GATHERED_LAYERS * largest_layer(job, stage, g)
    layers = (p.weight_wire * GATHERED_LAYERS + p.activation_size + p.gradient_wire) * largest_layer(job, stage, g)
    if not np.any(g.among("zero_kind", "matrices")):
        return layers
    # A compiler gathers and reduces each matrix by itself, and reduces it in the format in which it is computed.
    matrices = (p.weight_wire * GATHERED_LAYERS + p.activation_size) * _largest_matrix(job, stage, g)
    return np.where(g.among("zero_kind", "matrices"), matrices, layers)


def _largest_matrix(job: Job, stage: Stage, g: Grid) -> Array:
    """Return the elements of the largest matrix of a stage on one chip; the experts of a layer are one matrix each way."""
    most: Array = np.asarray(0.0)
    for kind, layer in model_layers(job.model).items():
        if kind not in stage.counts:
            continue
        halves = 2.0 if job.model.gated_mlp else 1.0
        sizes = [
            m.k * m.n / (halves if m.role in (Role.MLP_IN, Role.SHARED_EXPERT) else 1.0) / g.tp for m in layer.matmuls
        ]
        if layer.experts:
            count = layer.experts.num_experts / (g.ep * g.etp)
            sizes += [count * m.k * m.n / (halves if m.cut == "column" else 1.0) for m in layer.experts.matmuls]
        for size in sizes:
            most = np.maximum(most, (stage.counts[kind] > 0) * size)
    return most


def state_bytes(job: Job, stage: Stage, g: Grid) -> dict[str, Array]:
    """Return bytes of weights, gradients and optimizer state on one chip of a stage, for each strategy of a grid.

    ZeRO 1 divides the optimizer over the sharding group, 2 the gradients too, 3 the weights too; fully sharded training then
    keeps the fp32 master copy as the weights and gathers two layers at a time.
    """
    p = job.precision
    own = trained_of_rank(job, stage, g)

    def sharded(size: Array | float, level: int) -> Array:
        return size * own.of_level(g, level)

    # Beside the gathered layers, the gradient of one: as it is computed, and as it is reduced.
    gathered = _gathered_bytes(job, stage, g)
    whole = p.weight_size * (own.dense + own.expert)
    if job.task.is_frozen:
        weights = _frozen_bytes(job, stage, g, gathered) + whole
    else:
        weights = np.where(g.zero >= 3, np.minimum(gathered, whole), whole)
    is_flat = g.among("zero_kind", "buckets") | g.among("zero_kind", "modules")
    buckets = FLAT_BUCKETS * p.activation_size * (is_flat & (g.zero > 0) & (g.cp * g.dp > 1))
    return {
        "weights": weights + buckets,
        "gradients": np.where(g.offload_weights, 0.0, sharded(p.gradient_size, 2)),
        "optimizer": sharded(chip_state(p, g), 1),
    }


def _frozen_bytes(job: Job, stage: Stage, g: Grid, gathered: Array) -> Array:
    """Return bytes of frozen weights on one chip: no copy of them is kept in another format, and ZeRO-3 keeps a shard.

    A quantized base has one matrix at a time in the format of its matmul.
    """
    own, p = parameters_of_rank(job, stage, g), job.precision
    whole = p.weight_size * (own.dense + own.expert)
    shard = p.weight_size * own.of_level(g, 3)
    if job.task.frozen_size:
        kept = (p.weight_size - job.task.frozen_size) * frozen_matrices(job, stage, g)
        # The search for stages prices ranks without a layer, too: these have no weights at all.
        share = (whole - kept) / np.where(whole > 0.0, whole, 1.0)
        whole, shard = whole * share, shard * share
        one = p.activation_size * _largest_matrix(job, stage, g)
        whole, shard = whole + one, shard + one
    shard = np.where(g.offload_weights, 0.0, shard)
    return np.where(g.zero >= 3, shard + np.minimum(gathered, whole), whole)


def fixed_bytes(constants: Constants, g: Grid) -> dict[str, Array]:
    """Return what the communicators and the framework take, whatever the model.

    One communicator for each axis in use, and one for all ranks (pipeline: one for each direction).
    """
    axes = [g.tp > 1, g.cp > 1, g.cp * g.dp > 1, g.ep > 1, g.etp > 1, g.pp > 1, g.pp > 1]
    count: Array = np.where(g.chips > 1, 1.0, 0.0)
    for used in axes:
        count = count + used
    return {"communicators": count * constants.communicator_size, "framework": np.asarray(constants.framework_reserve)}


def usable_memory(pool: Pool) -> float:
    """Return the bytes of one chip that a job can have."""
    return pool.chip.memory_size() * pool.usable_memory
