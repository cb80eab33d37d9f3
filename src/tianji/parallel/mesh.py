"""Placement: which tiers of a pool the groups of each axis cross.

Ranks are numbered with the tensor axis innermost, then context, then data and pipeline in the order that ``placement`` says;
consecutive ranks fill a node, then a rack, then a pod. Experts are spread over consecutive ranks of the tensor, context
and data axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tianji.identity import remember
from tianji.parallel.grid import Grid
from tianji.units import Array


@dataclass(frozen=True)
class RankGroup:
    """The ranks of one axis: one or more nested runs of ``size`` ranks, ``stride`` chips apart.

    >>> RankGroup(((np.array([16]), np.array([1])),)).members((8, 64))
    [array([8.]), array([16.])]
    """

    runs: tuple[tuple[Array, Array], ...]

    @cached_property
    def size(self) -> Array:
        """Ranks of the group."""
        total: Array = np.asarray(1)
        for size, _ in self.runs:
            total = total * size
        return total

    def members(self, spans: tuple[int, ...]) -> list[Array]:
        """Return for each tier how many of the group's ranks lie in one unit of it; the last is the whole group.

        ``spans`` are the ranks of one unit of each tier, the innermost first.
        """
        members: list[Array] = []
        for span in spans[:-1]:
            inside: Array = np.asarray(1.0)
            for size, stride in self.runs:
                inside = inside * np.minimum(np.maximum(span // stride, 1), size)
            members.append(inside)
        members.append(self.size * 1.0)
        return members


def tensor_group(g: Grid) -> RankGroup:
    """Return the group that shares one matrix."""
    return RankGroup(((g.tp, np.asarray(1)),))


def context_group(g: Grid) -> RankGroup:
    """Return the group that shares one sequence."""
    return RankGroup(((g.cp, g.tp),))


def pipeline_group(g: Grid) -> RankGroup:
    """Return the group of the stages of one pipeline."""
    inner = g.tp * g.cp
    return RankGroup(((g.pp, np.where(g.among("placement", "dp-inside"), inner * g.dp, inner)),))


def _data_stride(g: Grid) -> Array:
    inner = g.tp * g.cp
    return np.where(g.among("placement", "dp-inside"), inner, inner * g.pp)


def data_group(g: Grid) -> RankGroup:
    """Return the group that reduces the gradients of the dense parameters: data and context ranks."""
    return RankGroup(((g.cp, g.tp), (g.dp, _data_stride(g))))


@remember(2)
def shard_group(g: Grid) -> RankGroup:
    """Return the group that shards the state of the dense parameters: ``zero_group`` ranks of the data group, or all."""
    wanted = np.where(g.zero_group > 0, np.minimum(g.zero_group, g.cp * g.dp), g.cp * g.dp)
    inner = np.minimum(wanted, g.cp)
    return RankGroup(((inner, g.tp), (np.maximum(wanted // inner, 1), _data_stride(g))))


def replica_group(g: Grid) -> RankGroup:
    """Return the group across sharding groups (HSDP): it all-reduces what each group has reduced inside."""
    shard = shard_group(g).size
    replicas = np.maximum((g.cp * g.dp) // shard, 1)
    return RankGroup(((replicas, _data_stride(g) * np.maximum(shard // g.cp, 1)),))


def expert_group(g: Grid) -> RankGroup:
    """Return the group that the experts of one layer are spread over."""
    return _spread(g, g.ep, g.etp)


def expert_tensor_group(g: Grid) -> RankGroup:
    """Return the group that shares one expert."""
    return _spread(g, g.etp, np.asarray(1))


@remember(2)
def expert_data_group(g: Grid) -> RankGroup:
    """Return the group that reduces the gradients of one expert."""
    used = g.ep * g.etp
    return _spread(g, np.maximum(g.tp * g.cp * g.dp // used, 1), used)


def _spread(g: Grid, size: Array, stride: Array) -> RankGroup:
    """Return ``size`` ranks, ``stride`` apart, of the tensor, context and data ranks in their order."""
    inner = g.tp * g.cp
    inside = np.minimum(np.maximum(inner // stride, 1), size)
    beyond = np.maximum(stride // inner, 1) * _data_stride(g)
    return RankGroup(((inside, stride), (np.maximum(size // inside, 1), beyond)))
