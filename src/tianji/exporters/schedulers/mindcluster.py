"""MindCluster's facts of Atlas pools, as data: how chips are built together, block sizes, recovery strategies.

Source: MindCluster 26.1 documentation (scheduling annotations of AscendJob and PodGroup) and the constants of its
Ascend-for-volcano plug-in.
"""

from __future__ import annotations

from dataclasses import dataclass

NODE, RACK = 8, 64
"""Chips of a node and of a rack of the Atlas 950."""
RACK_BLOCKS = (64, 32, 16, 8, 4, 2, 1)


@dataclass(frozen=True, slots=True)
class SchedulePolicy:
    """One way in which chips are built together."""

    resource: str
    node: int
    super_pod: int = 0
    """Nodes of a super-pod at most; 0: no super-pod."""
    has_racks: bool = False


A2, A5 = "huawei.com/Ascend910", "huawei.com/npu"
"""Names under which a cluster counts the chips: of A2 and A3 nodes, and of 950 and 850 nodes."""
POLICIES: dict[str, SchedulePolicy] = {
    "chip8-node8": SchedulePolicy("", 8),
    "chip8-node16": SchedulePolicy(A2, 16),
    "chip2-node16": SchedulePolicy(A2, 16),
    "chip2-node16-sp": SchedulePolicy(A2, 16, 48),
    "chip2-node8": SchedulePolicy(A2, 8),
    "chip2-node8-sp": SchedulePolicy(A2, 8, 48),
    "chip8-node8-sp": SchedulePolicy(A5, 8, 1024),
    "chip8-node8-ra64-sp": SchedulePolicy(A5, 8, 1024, has_racks=True),
    "chip4-node4": SchedulePolicy(A2, 4),
    "chip1-node2": SchedulePolicy(A2, 2),
    "chip1-node8": SchedulePolicy(A5, 8),
    "chip1-node16": SchedulePolicy(A5, 16),
    "chip4-node8": SchedulePolicy("", 8),
    "chip4-node16": SchedulePolicy(A5, 16),
}
UNBOUND = ("multilevel", "chip1-softShareDev")
"""Policies that bind a job to no build: levels of `affinity-config`, and shares of a chip."""
RECOVERIES = ("retry", "recover-in-place", "recover", "dump", "exit", "elastic-training")
