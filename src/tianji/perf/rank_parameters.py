"""Parameters on one chip, stage by stage, and over how many ranks ZeRO divides them.

Each weight is cut as its layer's matmuls are (Shoeybi et al. 2019); experts are cut by ep and etp (Lepikhin et al. 2020).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tianji.identity import remember
from tianji.parallel.grid import Grid
from tianji.parallel.mesh import expert_data_group, shard_group
from tianji.perf.context import add_up
from tianji.perf.stages import Stage
from tianji.perf.trained import adapter_parameters
from tianji.units import Array
from tianji.workload import Job, Model
from tianji.workload.layer_widths import last_kind, layer_sizes


def dense_parameters(model: Model, stage: Stage, g: Grid) -> Array:
    """Return parameters on one chip of a stage that are not routed experts, before any ZeRO sharding.

    Every tensor rank holds all of the norms, the routers and MLA's projections to latents, and a part of the rest.
    """
    sizes, last = layer_sizes(model), last_kind(model)
    modules = stage.modules
    parameters = add_up(n * sizes[kind].parameters for kind, n in stage.counts.items() if kind in sizes)
    parameters = parameters + stage.has_embedding * model.embedding_parameters()
    shared = model.table_parameters if model.tied_embeddings else 0
    parameters = parameters + stage.has_head * (model.head_parameters() + np.where(g.pp > 1, shared, 0))
    if model.num_mtp_layers:
        parameters = parameters + modules * _mtp_parameters(model)
    layers = {kind: n + modules if kind == last else n for kind, n in stage.counts.items()}
    whole = add_up(n * sizes[kind].whole for kind, n in layers.items() if kind in sizes)
    on_chip: Array = stage.copies * (whole + (parameters - whole) / g.tp)
    return on_chip


def expert_parameters(model: Model, stage: Stage, g: Grid) -> Array:
    """Return routed-expert parameters on one chip of a stage, before any ZeRO sharding."""
    sizes, last = layer_sizes(model), last_kind(model)
    parameters: Array = np.asarray(0.0)
    for kind, n in stage.counts.items():
        if kind in sizes and np.any(sizes[kind].expert_parameters):
            layers = n + stage.modules if kind == last else n
            parameters = parameters + stage.copies * layers * sizes[kind].expert_parameters / (g.ep * g.etp)
    return parameters


def _mtp_parameters(model: Model) -> int:
    return 2 * model.hidden_size**2 + 3 * model.hidden_size + layer_sizes(model)[last_kind(model)].parameters


def largest_layer(job: Job, stage: Stage, g: Grid) -> Array:
    """Return parameters of the largest layer of a stage on one chip, before any ZeRO sharding."""
    most: Array = np.asarray(0.0)
    for kind, size in layer_sizes(job.model).items():
        layer = size.whole + (size.parameters - size.whole) / g.tp + size.expert_parameters / (g.ep * g.etp)
        most = np.maximum(most, stage.has(kind) * layer)
    return most


@dataclass(frozen=True, slots=True)
class RankParameters:
    """Parameters on one chip before any sharding, and over how many ranks ZeRO divides them."""

    dense: Array
    expert: Array
    shard: Array
    expert_shard: Array

    def of_level(self, g: Grid, level: int) -> Array:
        """Return those for which a chip keeps what ZeRO divides from a level on."""
        cut, expert_cut = (np.where(g.zero >= level, size, 1.0) for size in (self.shard, self.expert_shard))
        parameters: Array = self.dense / cut + self.expert / expert_cut
        return parameters


@remember(16)
def parameters_of_rank(job: Job, stage: Stage, g: Grid) -> RankParameters:
    """Return the parameters of one chip of a stage."""
    model = job.model
    dense, expert = dense_parameters(model, stage, g), expert_parameters(model, stage, g)
    shard = shard_group(g).size * 1.0
    return RankParameters(dense, expert, shard, np.minimum(expert_data_group(g).size, shard) * 1.0)


def trained_of_rank(job: Job, stage: Stage, g: Grid) -> RankParameters:
    """Return the trained parameters of one chip of a stage: all of them, or its adapters."""
    own = parameters_of_rank(job, stage, g)
    if not job.task.is_frozen:
        return own
    dense, expert = adapter_parameters(job, stage, g)
    return replace(own, dense=dense, expert=expert)
