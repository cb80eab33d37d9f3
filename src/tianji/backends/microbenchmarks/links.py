"""What the links between the ranks reach: each collective that the trainer issues, by size and by group, all groups at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import P2POp, ProcessGroup

from tianji.backends.microbenchmarks.chip import Probe
from tianji.backends.trainer.accelerator import Accelerator
from tianji.units import KIB, MIB

SIZES = (4 * KIB, 64 * KIB, MIB, 8 * MIB)
"""Bytes of the whole: what every rank of an all_gather has in the end."""
LARGE_SIZES = (64 * MIB, 256 * MIB)
"""Further ones on accelerators."""


def link_probes(accelerator: Accelerator) -> Iterator[Probe]:
    """Yield all that is measured of the links; nothing where a rank is alone."""
    world = dist.get_world_size()
    for members in group_sizes(world):
        group, _ = dist.new_subgroups(members, backend=accelerator.collectives)
        if group is None:
            raise ValueError(f"no group of {members} of {world} ranks")
        for size in SIZES if accelerator.kind == "cpu" else SIZES + LARGE_SIZES:
            for kind, make in KINDS.items():
                count = int(size) // 4 // members * members
                work = make(torch.ones(count, device=accelerator.device), group)
                yield kind, {"members": members, "bytes": 4.0 * count}, work


def group_sizes(world: int) -> list[int]:
    """Return the sizes of groups that divide the ranks evenly, by doubling.

    >>> group_sizes(8), group_sizes(6), group_sizes(1)
    ([2, 4, 8], [2, 6], [])
    """
    sizes = [2**i for i in range(1, world.bit_length()) if world % 2**i == 0]
    return sizes if world in sizes or world == 1 else [*sizes, world]


def _gather(whole: Tensor, group: ProcessGroup) -> Callable[[], Any]:
    part = _part(whole, group)
    return lambda: dist.all_gather_into_tensor(whole, part, group)


def _scatter(whole: Tensor, group: ProcessGroup) -> Callable[[], Any]:
    part = _part(whole, group)
    return lambda: dist.reduce_scatter_tensor(part, whole, group=group)


def _reduce(whole: Tensor, group: ProcessGroup) -> Callable[[], Any]:
    whole.zero_()  # sums of sums must not overflow
    return lambda: dist.all_reduce(whole, group=group)


def _exchange(whole: Tensor, group: ProcessGroup) -> Callable[[], Any]:
    arrived = torch.empty_like(whole)
    return lambda: dist.all_to_all_single(arrived, whole, group=group)


def _send(whole: Tensor, group: ProcessGroup) -> Callable[[], Any]:
    """Pass the whole on to the next rank of the group, and take it from the one before."""
    rank, size, arrived = dist.get_rank(group), group.size(), torch.empty_like(whole)
    before, after = (dist.get_global_rank(group, (rank + d) % size) for d in (-1, 1))

    def work() -> None:
        moves = [P2POp(dist.irecv, arrived, before, group), P2POp(dist.isend, whole, after, group)]
        for handle in dist.batch_isend_irecv(moves):
            handle.wait()

    return work


def _part(whole: Tensor, group: ProcessGroup) -> Tensor:
    return torch.ones(whole.numel() // group.size(), device=whole.device)


KINDS: dict[str, Callable[[Tensor, ProcessGroup], Callable[[], Any]]] = {
    "all_gather": _gather,
    "reduce_scatter": _scatter,
    "all_reduce": _reduce,
    "all_to_all": _exchange,
    "send": _send,
}
