"""Time of one op on one chip. Every formula broadcasts over its arguments.

Sources: the roofline model (Williams et al. 2009) for the two ceilings; saturation of the form x / (x + half) for shapes that
fill the chip badly; Dao 2023 (FlashAttention-2) for the factor 2.5 of the backward pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tianji.hardware import Chip
from tianji.hardware.constants import Constants
from tianji.units import Array, BytesPerSecond, FlopsPerSecond
from tianji.workload import Precision

SHORT = 0.25
"""A sum of this share of the half size costs as much to start as to run. Of 0.05, 0.1, 0.25 and 0.5 this one predicts jobs that
the fit did not see best."""
ATTENTION_BACKWARD = 2.5
"""FLOPs of the fused backward pass over forward: scores once more, then four products in place of two."""


@dataclass(frozen=True, slots=True)
class ChipRates:
    """A chip as one job sees it: sustained rates in place of datasheet peaks."""

    linear: FlopsPerSecond
    """Of a large matmul in the recipe's dtype."""
    high: FlopsPerSecond
    """Of a large matmul that stays in higher precision."""
    attention: FlopsPerSecond
    memory: BytesPerSecond
    vector: BytesPerSecond
    """Of elementwise work."""
    half_size: float
    attention_half: float
    linear_size: float
    """Bytes of an element that the linear layers read."""
    high_size: float
    quantized: bool

    @classmethod
    def of(cls, chip: Chip, precision: Precision, constants: Constants) -> ChipRates:
        """Return the sustained rates of a chip under a calibration."""
        narrow = precision.linear in ("fp8", "fp4", "int8")
        high = chip.matrix_peak(precision.high)
        efficiency = constants.narrow_efficiency if narrow else constants.matmul_efficiency
        sizes = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5}
        return cls(
            linear=chip.matrix_peak(precision.linear) * efficiency,
            high=high * constants.matmul_efficiency,
            attention=high * constants.attention_efficiency,
            memory=chip.memory_rate() * constants.memory_efficiency,
            vector=chip.memory_rate() * constants.memory_efficiency * constants.vector_efficiency,
            half_size=constants.matmul_half_size,
            attention_half=constants.attention_half_length,
            linear_size=sizes[precision.linear],
            high_size=sizes[precision.high],
            quantized=precision.quantized,
        )


def matmul_time(machine: ChipRates, m: Array, k: Array, n: Array, *, high: bool = False) -> Array:
    """Return the seconds of an (m, k) by (k, n) matmul: max(2mkn / (rate · u), bytes / memory).

    u = mn/(mn + c²) · k/(k + c/4) with c the half size: an output smaller than the chip's units can hold leaves some idle, and a
    short sum does not pay for its start and end.

    Args:
        machine: The chip's sustained rates.
        m: Rows of the first operand, one for each token. Sizes are those on one chip; arrays broadcast.
        k: Length of the sum.
        n: Columns of the second operand.
        high: The op stays in the recipe's high dtype (router, logits).

    Holds for matmuls that run alone on a chip, where both operands are read and the result is written once. Source: the roofline
    (Williams et al. 2009).
    """
    rate, size = (machine.high, machine.high_size) if high else (machine.linear, machine.linear_size)
    c = machine.half_size
    # 2mkn / u = 2 (mn + c²)(k + c/4): no division, and no 0/0 for an empty op.
    compute = 2.0 * (m * n + c * c) * (k + SHORT * c) / rate * ((m > 0) & (n > 0))
    memory = (size * (m * k + k * n) + machine.high_size * m * n) / machine.memory
    seconds: Array = np.maximum(compute, memory)
    return seconds


def attention_time(machine: ChipRates, flops: Array, length: Array) -> Array:
    """Return the seconds of fused attention forward: flops / (rate · length / (length + half)).

    Args:
        machine: The chip's sustained rates.
        flops: FLOPs on one chip, those of a causal mask halved.
        length: Tokens of context that one kernel call sees: the sequence, in a ring the part of one rank.

    The backward pass takes ``ATTENTION_BACKWARD`` times as long. Source: Dao 2023 (FlashAttention-2).
    """
    return flops * (1.0 + machine.attention_half / length) / machine.attention


def vector_time(machine: ChipRates, elements: Array, size: float) -> Array:
    """Return the seconds of an elementwise op: bytes over the memory rate that such ops reach.

    Args:
        machine: The chip's sustained rates.
        elements: Elements read and written on one chip, together.
        size: Bytes of one element.

    Holds for norms, activations, residuals and casts, which no chip of the catalog computes slower than it moves them.
    """
    return elements * (size / machine.vector)
