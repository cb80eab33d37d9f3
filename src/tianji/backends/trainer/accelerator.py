"""The chip under this process: the only file that knows whether it is a CPU, a GPU or an NPU."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass

import torch

from tianji.units import KIB, Bytes

COLLECTIVES = {"cpu": "gloo", "cuda": "nccl", "npu": "hccl", "xpu": "xccl"}
"""The library that carries collectives on each kind of chip."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """What one process drives."""

    kind: str
    """``cpu``, ``cuda``, ``npu`` or ``xpu``, as torch names it."""
    device: torch.device
    collectives: str

    def synchronize(self) -> None:
        """Wait until all work that was issued is done."""
        if self.kind != "cpu":
            torch.accelerator.synchronize()

    def memory_peak(self) -> Bytes:
        """Return the most bytes held so far: the allocator's on a chip, the whole process's on a CPU."""
        if self.kind != "cpu":
            return float(torch.accelerator.max_memory_allocated())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return float(peak) if sys.platform == "darwin" else peak * KIB

    @property
    def fuses_updates(self) -> bool:
        """Whether torch has an optimizer for this kind that reads and writes each weight's state once."""
        return self.kind in ("cpu", "cuda", "xpu")

    @property
    def title(self) -> str:
        """Name of the chip as its driver gives it."""
        if self.kind == "cpu":
            return "cpu"
        module = torch.get_device_module(self.kind)
        return str(module.get_device_name(self.device))


def count_chips() -> int:
    """Return the accelerators of this machine, 0 where processes on the CPU stand in for them."""
    return torch.accelerator.device_count() if torch.accelerator.is_available() else 0


def count_cores() -> int:
    """Return the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_accelerator(local_rank: int, local_size: int, kind: str = "") -> Accelerator:
    """Return the chip of one process, made current: the accelerator that torch finds, or else the CPU.

    ``kind`` ``cpu`` forces the CPU. On a CPU the cores are dealt out to the processes.
    """
    device = torch.accelerator.current_accelerator() if kind != "cpu" and torch.accelerator.is_available() else None
    if device is None:
        torch.set_num_threads(max(count_cores() // local_size, 1))
        return Accelerator("cpu", torch.device("cpu"), COLLECTIVES["cpu"])
    torch.accelerator.set_device_index(local_rank)
    return Accelerator(device.type, torch.device(device.type, local_rank), COLLECTIVES.get(device.type, device.type))
