"""What lives in the host's memory: bytes on the chip and on its host, and the seconds of copies and of the host's update.

Shares of published rates, from one sweep (Qwen3-30B-A3B on 16 H100, Megatron-Bridge, 1.91 G parameters a chip; 0 to 100 % of the
optimizer offloaded: 996, 1,871, 2,484, 3,187, 4,189 ms, all of it with copies beside the update 3,877 ms):

* the 312 ms that the overlap saves are 8 bytes of each parameter at 49 GB/s, 0.76 of the link;
* the 32.0 of 47.2 GB that stay on the chip leave out 8 of the 12 bytes of state: an fp32 copy of the weights stays there;
* the rest, 1.5 ns for each parameter that a host updates for one of its eight chips, moves 28 bytes at 0.24 of the host's memory
  rate (DeepSpeed's CPU-Adam: 2.57 s for 10^10 parameters on a DGX-2, 0.43 of its rate; Ren et al. 2021, table 4).
"""

from __future__ import annotations

import numpy as np

from tianji.errors import UnknownFigureError
from tianji.hardware import Chip
from tianji.parallel.grid import Grid
from tianji.units import Array, Bytes
from tianji.workload import Precision

LINK_SHARE = 0.8
"""Of the link between a chip and its host, by large pinned copies."""
UPDATE_SHARE = 0.24
"""Of the host's memory rate, by the update of Adam in a framework on PyTorch."""
FP32: Bytes = 4.0
"""Of the copy of the weights that a framework of Megatron's family keeps on the chip, and sends back after the host's update."""
COPIES = 2
"""Layers whose offloaded activations are on the chip at once: the one in use and the one that is on its way."""


def is_offloading(g: Grid) -> bool:
    """Return whether any strategy of a grid keeps anything in host memory."""
    return bool(np.any(g.offload_optimizer) or np.any(g.offload_activations) or np.any(g.offload_weights))


def offloaded_share(g: Grid) -> Array:
    """Return the fraction of the optimizer's state that lives on the host; with the weights all of it does."""
    share: Array = np.where(g.offload_weights, 1.0, g.offload_optimizer)
    return share


def chip_state(p: Precision, g: Grid) -> Array:
    """Return bytes of optimizer state for a parameter that stay on the chip."""
    share = offloaded_share(g)
    keeps_copy = g.among("offload_update", "host") & ~g.offload_weights
    size: Array = p.optimizer_size * (1.0 - share) + share * np.where(keeps_copy, min(FP32, p.optimizer_size), 0.0)
    return size


def host_state(p: Precision, g: Grid) -> Array:
    """Return bytes for a trained parameter on the host: state, and what its update reads and writes beside it."""
    beside = np.where(g.among("offload_update", "host"), p.gradient_size, 0.0)
    size: Array = offloaded_share(g) * (p.optimizer_size + beside)
    return size


def copy_seconds(chip: Chip, size: Array) -> Array:
    """Return the seconds in which ``size`` bytes cross between a chip and its host, one way.

    Raises UnknownFigureError for a chip without a published host bandwidth.
    """
    if chip.host_bandwidth is None:
        raise UnknownFigureError(chip.name, "host bandwidth ([host_bandwidth])", "something is offloaded to the host")
    seconds: Array = size / (LINK_SHARE * chip.host_bandwidth.value)
    return seconds


def update_seconds(chip: Chip, p: Precision, g: Grid, parameters: Array, on_chip: Array) -> Array:
    """Return the seconds of an update of which a part is offloaded.

    Args:
        chip: Whose host it is.
        p: Bytes of state, gradients and weights.
        g: The grid of strategies.
        parameters: Those that one chip updates.
        on_chip: Seconds in which the chip alone would update all of them.

    The host's way: gradients go down, the host updates, weights come back, one after the other unless ``offload_overlap``. The
    chip's way (swapping): state comes in and goes back beside the update.

    Raises UnknownFigureError where the chip's host lacks a published figure.
    """
    share = offloaded_share(g)
    moved = np.where(g.offload_weights, 0.0, p.gradient_size + min(FP32, p.optimizer_size))
    copies = copy_seconds(chip, parameters * share * moved)
    rest = (1.0 - share) * on_chip
    swapped = np.maximum(on_chip, copy_seconds(chip, parameters * share * p.optimizer_size))
    by_host = g.among("offload_update", "host")
    if not np.any(by_host & (share > 0.0)):
        return np.where(share > 0.0, swapped, on_chip)
    if chip.host_memory_bandwidth is None:
        what = "host memory bandwidth ([host_memory_bandwidth])"
        raise UnknownFigureError(chip.name, what, "the host updates what is offloaded; offload_update=chip needs none")
    rate = UPDATE_SHARE * chip.host_memory_bandwidth.value
    update = parameters * share * ((2.0 * p.optimizer_size + p.gradient_size) / rate)
    hosted = rest + np.where(g.offload_overlap, np.maximum(copies, update), copies + update)
    seconds: Array = np.where(by_host, hosted, swapped)
    return np.where(share > 0.0, seconds, on_chip)


def exposed_copies(chip: Chip, size: Array, passes: tuple[Array, Array]) -> Array:
    """Return the seconds that a micro-batch waits for copies: out beside its forward pass, in beside its backward pass.

    ``size`` is in bytes, each way; ``passes`` are the seconds of both passes.

    Raises UnknownFigureError for a chip without a published host bandwidth.
    """
    seconds = copy_seconds(chip, size)
    forward, backward = passes
    waited: Array = np.maximum(seconds - forward, 0.0) + np.maximum(seconds - backward, 0.0)
    return waited
