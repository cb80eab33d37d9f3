"""What a chip waits for its host, where kernels are launched one by one: source and validity stand at each figure."""

from __future__ import annotations

import numpy as np

from tianji.perf.context import Context
from tianji.units import Array

ROUTED_KERNELS = 44.0
"""Kernels of a layer with experts forward, beside those of its single experts: a layer takes about 150 forward and backward
(Qwen3-30B on H100: 463,348 kernels over 3,072 layers and micro-batches). Backward there are twice as many."""

TENSOR_KERNELS = 4.0
"""Collectives forward that tensor parallelism adds: the layer that was counted had none. In dense layers, whose runs nearly all
are cut so, what an op takes of the host (`op_overhead`) holds them."""
JOINT_CASTS = 1.17
"""Kernels in a narrow recipe over those in 16 bits, where the passes of two micro-batches run side by side: weight gradients are
computed apart, and cast what they read once more. Qwen3-235B on 64 B200 waits for its host in both and takes 20.1 and 17.2 s."""
LOOPED_KERNELS = 7.0
"""Kernels of one expert that a model's own code runs by itself under ``zero_kind=modules``."""
TINY = 1e-30
"""Seconds; keeps a share of nothing from being undefined."""


def count_routed(local: Array, c: Context) -> tuple[Array, Array]:
    """Return a layer's kernels forward with ``local`` experts on a rank, and those for which the host asks the device first.

    A loop over experts asks which tokens each of them has: the chip waits for its launches, however long they work.
    """
    of_one: Array = np.asarray(c.constants.expert_kernels * (1.0 - c.constants.expert_grouping))
    looped = np.where(of_one > 1.0, of_one, 0.0) * local
    if np.any(c.g.among("zero_kind", "modules")):
        of_one = np.where(c.g.among("zero_kind", "modules"), np.maximum(of_one, LOOPED_KERNELS), of_one)
    casts = np.where(c.g.overlap_ep & (c.g.ep > 1), JOINT_CASTS, 1.0) if c.rates.quantized else 1.0
    return casts * (ROUTED_KERNELS + TENSOR_KERNELS * (c.g.tp > 1) + of_one * local), looped


def waiting_seconds(
    host: tuple[Array, Array], chip: tuple[Array, Array], blocked: Array, is_joint: Array
) -> tuple[Array, Array]:  # fmt: skip
    """Return what the chip waits for its host in a layer's passes forward and back.

    Args:
        host: Seconds in which the host launches each pass.
        chip: Seconds in which the chip works on each.
        blocked: What the chip waits forward even when its work is longer; backward twice as much.
        is_joint: The passes of two micro-batches run side by side. The host launches both in turn, and is late only for both.

    The host runs ahead of the chip: max(host - chip, blocked) for each pass, or for both together.

    >>> [float(s) for s in waiting_seconds((3.0, 6.0), (4.0, 4.0), 0.1, np.asarray(False))]
    [0.1, 2.0]
    >>> [round(float(s), 2) for s in waiting_seconds((3.0, 6.0), (4.0, 4.0), 0.1, np.asarray(True))]
    [0.33, 0.67]
    """
    apart = np.maximum(host[0] - chip[0], blocked), np.maximum(host[1] - chip[1], 2.0 * blocked)
    if not np.any(is_joint):
        return apart
    both = host[0] + host[1]
    joint = np.maximum(both - chip[0] - chip[1], 3.0 * blocked)
    share = host[0] / np.maximum(both, TINY)
    return np.where(is_joint, share * joint, apart[0]), np.where(is_joint, (1.0 - share) * joint, apart[1])
