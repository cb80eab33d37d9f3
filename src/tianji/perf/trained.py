"""Parameters of a stage that are trained: all of them, its adapters, or none (Hu et al. 2021; Dettmers et al. 2023)."""

from __future__ import annotations

import numpy as np

from tianji.parallel.grid import Grid
from tianji.perf.context import add_up
from tianji.perf.stages import Stage
from tianji.units import Array
from tianji.workload import Job
from tianji.workload.adapters import adapter_sizes
from tianji.workload.layer_widths import last_kind, layer_sizes


def adapter_parameters(job: Job, stage: Stage, g: Grid) -> tuple[Array, Array]:
    """Return parameters of adapters on one chip of a stage, before any ZeRO sharding: dense ones, and those of routed experts."""
    zero: Array = np.asarray(0.0)
    if not job.task.adapter_rank:
        return zero, zero
    dense, expert = zero, zero
    last = last_kind(job.model)
    for kind, size in adapter_sizes(job.model, job.task).items():
        if kind not in stage.counts:
            continue
        layers = stage.copies * (stage.counts[kind] + stage.modules if kind == last else stage.counts[kind])
        dense = dense + layers * size.parameters / g.tp
        expert = expert + layers * size.expert_parameters / (g.ep * g.etp)
    return dense, expert


def frozen_matrices(job: Job, stage: Stage, g: Grid) -> Array:
    """Return the elements of the matrices of a stage's layers on one chip: what a quantized base keeps narrow.

    Embedding and head, norms, routers and what a tensor cut leaves whole stay as the recipe has them (Dettmers et al. 2023).
    """
    sizes = layer_sizes(job.model)
    return add_up(
        stage.copies
        * n
        * ((sizes[kind].parameters - sizes[kind].whole) / g.tp + sizes[kind].expert_parameters / (g.ep * g.etp))
        for kind, n in stage.counts.items()
        if kind in sizes
    )


def frozen_wire(job: Job) -> float:
    """Return bytes of a frozen parameter on the wire of a gather."""
    return job.task.frozen_size or job.precision.weight_wire
