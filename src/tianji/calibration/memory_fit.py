"""Fit what a software really holds of memory to runs that state theirs: an allocator's overhead and a fixed reserve.

Tables print different things: bytes that PyTorch has handed out (Megatron's report), bytes that it has reserved
(torchtitan), or what the driver sees, CUDA context and all (BLOOM's chronicles). A family's two constants hold that
difference, too. Minimised over a fine grid is the sum of soft-L1 losses of log(predicted / measured) / NOISE and the squared
distances from what is believed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tianji.hardware.calibration import Footprint
from tianji.hardware.constants import Constants
from tianji.measurements.rows import Row
from tianji.perf.pipeline_stages import representative_stages
from tianji.perf.step import estimate_memory
from tianji.prediction import bundle
from tianji.units import GIB, MIB, Array

NOISE = 0.04
"""Relative spread of one row's memory that the formulas are not asked to explain."""
LEAST_ROWS = 4
"""A family with fewer rows keeps what is believed of its ecosystem."""
OVERHEADS: Array = np.linspace(0.8, 1.8, 101)
RESERVES: Array = np.linspace(0.0, 16.0, 65) * GIB
BELIEF = (1.05, 0.10)
"""Median and relative spread of the overhead: blocks that a caching allocator cannot reuse come to a few percent."""
RESERVE_SPREAD = 6.0 * GIB

MOVING = ("activations", "working")
"""Parts of memory that the allocator's overhead applies to."""

BELIEFS = {
    "cuda": Footprint(
        1.05, 1.5 * GIB, 0.0, "physics", source="CUDA context, cuBLAS workspaces and NCCL buffers; broad prior"
    ),
    "cann": Footprint(
        1.05, 1.0 * GIB, 400 * MIB, "measured",
        source="HCCL_BUFFSIZE is 200 MB, twice for each communicator (HCCL documentation); the rest a broad prior",
    ),
}  # fmt: skip
"""What a plan's software takes where no run says more, by ecosystem."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Bytes of each stage of some runs: those that the allocator's overhead applies to, the others, communicators."""

    moving: Array
    """Rows by stages."""
    fixed: Array


def fit_memory(rows: Sequence[Row]) -> dict[str, Footprint]:
    """Return what each software family with enough rows takes, and what is believed of each ecosystem."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.measured_memory and "activations" not in row.software.offload:
            groups[row.software.framework].append(row)
    footprints = dict(BELIEFS)
    for family, members in sorted(groups.items()):
        if len(members) >= LEAST_ROWS:
            footprints[family] = fit_family(members)
    return footprints


def fit_family(rows: Sequence[Row]) -> Footprint:
    """Return the overhead and the reserve that explain the memory of some rows best."""
    parts, measured = split_memory(rows), np.asarray([row.measured_memory for row in rows], dtype=np.float64)
    believed = BELIEFS.get(rows[0].pool.chip.ecosystem, Footprint())
    loss = np.zeros((len(OVERHEADS), len(RESERVES)))
    for place, overhead in enumerate(OVERHEADS):
        totals = (parts.fixed + overhead * parts.moving).max(axis=1)
        misfit = np.log((totals[:, None] + RESERVES[None, :]) / measured[:, None]) / NOISE
        away = (np.log(overhead / BELIEF[0]) / BELIEF[1], (RESERVES - believed.framework_reserve) / RESERVE_SPREAD)
        loss[place] = (np.sqrt(1.0 + misfit**2) - 1.0).sum(axis=0) + (away[0] ** 2 + away[1] ** 2) / 2.0
    i, j = divmod(int(np.argmin(loss)), len(RESERVES))
    totals = (parts.fixed + OVERHEADS[i] * parts.moving).max(axis=1) + RESERVES[j]
    left = np.log(totals / measured)
    sources = sorted({row.source for row in rows})
    cited = "; ".join(sources[:2]) + (f"; and {len(sources) - 2} more" if len(sources) > 2 else "")
    error = float(1.4826 * np.median(np.abs(left - np.median(left))))
    return Footprint(
        round(float(OVERHEADS[i]), 4), round(float(RESERVES[j])), 0.0, "fitted", len(rows), round(error, 4), cited
    )  # fmt: skip


def split_memory(rows: Sequence[Row]) -> Parts:
    """Return the bytes of each row, stage by stage, under constants that add nothing."""
    groups = [(group, representative_stages(group.job.model, group.grid)) for group in bundle([r.plan for r in rows])]
    shape = len(rows), max(len(stages) for _, stages in groups)
    bytes_of = Parts(np.zeros(shape), np.zeros(shape))
    for group, stages in groups:
        for place, parts in enumerate(estimate_memory(group.job, Constants(), group.grid, stages)):
            for name, value in parts.items():
                into = bytes_of.moving if name in MOVING else bytes_of.fixed
                into[group.places, place] += np.broadcast_to(np.ravel(value), group.places.shape)
    return bytes_of
