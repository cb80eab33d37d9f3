"""Degrees become meshes: the same ranks, looked at along the dense, the context and the expert axes.

Ranks are numbered as ``tianji.parallel.mesh`` prices them: tensor innermost, then context, then data and pipeline in the order of
``strategy.placement``; experts lie over consecutive ranks of the tensor, context and data axes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.distributed.device_mesh import DeviceMesh

from tianji.backends.trainer.accelerator import COLLECTIVES
from tianji.parallel import Strategy


@dataclass(frozen=True, slots=True)
class Meshes:
    """Three views of all ranks, each with the pipeline outermost.

    ``dense`` has the dims (pp, replicate, shard, tp), ``sequence`` (pp, dp, cp, tp) and ``expert`` (pp, replicate, shard, ep).
    ``replicate · shard`` are the ranks that reduce a gradient; ZeRO state is cut over ``shard``.
    """

    dense: DeviceMesh
    sequence: DeviceMesh
    expert: DeviceMesh

    @classmethod
    def of(cls, strategy: Strategy, kind: str) -> Meshes:
        """Return the meshes of a strategy over ranks 0 to ``strategy.chips - 1``."""
        s = strategy
        ranks = number_ranks(s)
        shard = 1 if s.zero == 0 else (s.zero_group or s.cp * s.dp)
        expert_data = s.tp * s.cp * s.dp // s.ep
        expert_shard = 1 if s.zero == 0 else min(expert_data, shard)
        return cls(
            dense=make_mesh(kind, ranks, (s.pp, s.cp * s.dp // shard, shard, s.tp), ("pp", "replicate", "shard", "tp")),
            sequence=make_mesh(kind, ranks, (s.pp, s.dp, s.cp, s.tp), ("pp", "dp", "cp", "tp")),
            expert=make_mesh(
                kind, ranks, (s.pp, expert_data // expert_shard, expert_shard, s.ep), ("pp", "replicate", "shard", "ep")
            ),
        )

    def shares_gradients(self) -> bool:
        """Return whether any weight has a copy on another rank."""
        views = (self.dense, self.expert)
        return any(mesh[dim].size() > 1 for mesh in views for dim in ("replicate", "shard"))

    def axis_of_groups(self) -> dict[str, str]:
        """Return the axis of each group that this rank belongs to, by the group's name: tp, cp, ep, pp or dp."""
        axes: dict[str, str] = {}
        for mesh in (self.dense, self.sequence, self.expert):
            for dim in mesh.mesh_dim_names or ():
                axes[str(mesh.get_group(dim).group_name)] = "dp" if dim in ("shard", "replicate") else dim
        return axes


def number_ranks(s: Strategy) -> torch.Tensor:
    """Return the rank at each place of (pp, dp, cp, tp)."""
    if s.placement == "dp-inside":
        return torch.arange(s.chips).reshape(s.pp, s.dp, s.cp, s.tp)
    return torch.arange(s.chips).reshape(s.dp, s.pp, s.cp, s.tp).transpose(0, 1)


def make_mesh(kind: str, ranks: torch.Tensor, shape: tuple[int, ...], names: tuple[str, ...]) -> DeviceMesh:
    """Return a mesh of a shape over ranks, with a group of its own for each axis."""
    # A backend that is named gets groups of its own; else axes that span all ranks would share the default group.
    backends = tuple((COLLECTIVES.get(kind), None) for _ in names)
    return DeviceMesh(kind, ranks.reshape(shape).contiguous(), mesh_dim_names=names, backend_override=backends)
