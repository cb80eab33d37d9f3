"""What one rank really sends in a step: each collective and send, by the axis of its group.

A dispatch mode sees the collectives of DTensor, FSDP, the pipeline and our own alike. It also names each of them, and each wait
for one, in the profiler's trace, where PyTorch says neither axis nor purpose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import GroupName, _resolve_process_group
from torch.distributed.pipelining import schedules
from torch.distributed.tensor import DTensor
from torch.profiler import record_function
from torch.utils._python_dispatch import TorchDispatchMode

Sent = Callable[[float, int], float]

# Bytes that one chip of n sends, of the bytes of its own input.
SENT: dict[str, Sent] = {
    "all_gather": lambda size, n: size * (n - 1),
    "reduce_scatter": lambda size, n: size * (n - 1) / n,
    "all_reduce": lambda size, n: 2 * size * (n - 1) / n,
    "all_to_all": lambda size, n: size * (n - 1) / n,
    "broadcast": lambda size, n: size,
    "send": lambda size, n: size,
}

KINDS = {
    "all_gather_into_tensor": "all_gather", "all_gather_into_tensor_out": "all_gather", "_allgather_base_": "all_gather",
    "reduce_scatter_tensor": "reduce_scatter", "_reduce_scatter_base_": "reduce_scatter",
    "all_reduce": "all_reduce", "allreduce_": "all_reduce",
    "all_to_all_single": "all_to_all", "alltoall_base_": "all_to_all",
    "broadcast": "broadcast", "broadcast_": "broadcast", "send": "send", "recv_": "recv",
}  # fmt: skip
"""Names that PyTorch gives an op in its two families of collectives."""


class TrafficCounter(TorchDispatchMode):
    """Counts calls and bytes by (axis, kind) while it is entered."""

    def __init__(self, axis_of_groups: Mapping[str, str]) -> None:
        super().__init__()
        self.axes = axis_of_groups
        self.calls: dict[tuple[str, str], int] = defaultdict(int)
        self.bytes: dict[tuple[str, str], float] = defaultdict(float)
        self._pending: dict[int, str] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        """Let DTensors unfold first; then count, name and run what is a collective."""
        if any(issubclass(t, DTensor) for t in types):
            return NotImplemented
        family, _, name = func._schema.name.partition("::")
        if family not in ("_c10d_functional", "c10d") or name not in {*KINDS, "wait_tensor"}:
            return func(*args, **(kwargs or {}))
        is_wait = name == "wait_tensor"
        axis = self._pending.pop(args[0].data_ptr(), "world") if is_wait else self._count(KINDS[name], args)
        with record_function(f"tianji::{axis}"):
            result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not is_wait:
            self._pending[result.data_ptr()] = axis
        return result

    def _count(self, kind: str, args: tuple[Any, ...]) -> str:
        group = _group_of(args)
        n = group.size()
        axis = self.axes.get(str(group.group_name), "world")
        if n > 1 and kind in SENT:
            self.calls[axis, kind] += 1
            self.bytes[axis, kind] += (
                _to_others(args, group) if kind == "all_to_all" else SENT[kind](_input_size(args), n)
            )
        return axis

    def by_axis(self) -> dict[str, dict[str, float]]:
        """Return calls and bytes of one chip by axis, all kinds together."""
        totals: dict[str, dict[str, float]] = {}
        for (axis, kind), calls in self.calls.items():
            entry = totals.setdefault(axis, {"calls": 0, "bytes": 0.0})
            entry["calls"] += calls
            entry["bytes"] += self.bytes[axis, kind]
        return totals


def _group_of(args: tuple[Any, ...]) -> dist.ProcessGroup:
    for value in args:
        if isinstance(value, torch.ScriptObject):
            try:
                return dist.ProcessGroup.unbox(value)
            except (RuntimeError, TypeError):
                continue  # the reduction's operator
        if isinstance(value, dist.ProcessGroup):
            return value
        if isinstance(value, str) and value not in ("sum", "avg", "max", "min", "product"):
            return _resolve_process_group(GroupName(value))
    raise ValueError("a collective without a group")


def _inputs(args: tuple[Any, ...]) -> list[Tensor]:
    """Return what is sent: the base ops have the output first, and lists hold tensors of one call."""
    tensors: list[Tensor] = []
    for value in args:
        tensors += [value] if isinstance(value, Tensor) else value if _is_tensors(value) else []
    return tensors[1:] if len(tensors) == 2 and isinstance(args[0], Tensor) and isinstance(args[1], Tensor) else tensors


def _is_tensors(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(v, Tensor) for v in value)


def _input_size(args: tuple[Any, ...]) -> float:
    return float(sum(t.nbytes for t in _inputs(args)))


def _to_others(args: tuple[Any, ...], group: dist.ProcessGroup) -> float:
    """Return the bytes of an all_to_all that leave this chip, by its own split sizes."""
    (sent,) = _inputs(args)
    splits = [v for v in args if isinstance(v, (list, tuple)) and v and isinstance(v[0], int)]
    rows = splits[-1] if splits else [sent.shape[0] // group.size()] * group.size()
    kept = rows[dist.get_rank(group)]
    return sent.nbytes * (1 - kept / max(sent.shape[0], 1))


@contextmanager
def name_pipeline_waits() -> Iterator[None]:
    """Name the waits of the pipeline's schedules in the trace: they are calls on work objects, which no mode sees."""
    original = schedules._wait_batch_p2p

    def wait(work: Any) -> None:
        with record_function("tianji::pp"):
            original(work)

    with patch.object(schedules, "_wait_batch_p2p", wait):
        yield
