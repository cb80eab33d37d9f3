"""Time of one op on one chip. Every formula broadcasts over its arguments.

Sources: the roofline model (Williams et al. 2009) for the two ceilings; saturation of the form x / (x + half) for shapes that
fill the chip badly; Dao 2023 (FlashAttention-2) for the factor 2.5 of the backward pass's FLOPs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tianji.hardware import Chip
from tianji.hardware.constants import Constants
from tianji.units import Array, BytesPerSecond, FlopsPerSecond
from tianji.workload import Precision

ATTENTION_BACKWARD = 2.5
"""FLOPs of the fused backward pass over forward: scores once more, then four products in place of two."""
LATENT_BACKWARD = 0.83
"""Efficiency of the backward pass for heads with longer keys than values (192 and 128) over that for equal ones, each over its
forward pass: 0.65 over 0.78 on GB200, 0.66 over 0.79 on GB300 (cuDNN 9.22)."""
GROUP_ROWS = 128.0
"""Rows of one expert are rounded up to so many by a grouped kernel (CANN's)."""


@dataclass(frozen=True, slots=True)
class MatmulRate:
    """A matmul's law in one number format: 2 (mn + c²)(k + d) / peak."""

    peak: FlopsPerSecond
    """Of a very large matmul."""
    half_size: float
    half_depth: float
    size: float
    """Bytes of an element of the operands."""


@dataclass(frozen=True, slots=True)
class ChipRates:
    """A chip as one job sees it: sustained rates in place of datasheet peaks."""

    linear: MatmulRate
    """In the recipe's dtype."""
    high: MatmulRate
    """What stays in higher precision."""
    attention: FlopsPerSecond
    attention_backward: FlopsPerSecond
    memory: BytesPerSecond
    vector: BytesPerSecond
    """Of elementwise work."""
    attention_half: float
    attention_backward_half: float
    quantize_size: float
    """Bytes that a cast of one element moves."""
    quantized: bool

    @classmethod
    def of(cls, chip: Chip, precision: Precision, constants: Constants) -> ChipRates:
        """Return the sustained rates of a chip under a calibration."""
        c, peak = constants, chip.matrix_peak(precision.high)
        sizes = {"fp32": 4.0, "tf32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "fp4": 0.5}
        high = MatmulRate(
            peak * c.matmul_efficiency, c.matmul_half_size, c.matmul_half_depth, sizes[precision.high]
        )  # fmt: skip
        linear = high
        if precision.linear != precision.high:
            of_format = {
                "fp4": (c.fp4_efficiency, c.fp4_half_size, c.fp4_half_depth),
                "fp8": (c.narrow_efficiency, c.narrow_half_size, c.narrow_half_depth),
            }
            of_format["int8"] = of_format["fp8"]
            law = of_format.get(precision.linear, (c.matmul_efficiency, c.matmul_half_size, c.matmul_half_depth))
            linear = MatmulRate(chip.matrix_peak(precision.linear) * law[0], law[1], law[2], sizes[precision.linear])
        cast = c.fp4_quantize_size if precision.linear == "fp4" else c.quantize_size
        memory = chip.memory_rate() * c.memory_efficiency
        attention = peak * c.attention_efficiency
        return cls(
            linear, high, attention, attention * c.attention_backward, memory, memory * c.vector_efficiency,
            c.attention_half_length, c.attention_backward_half_length, cast, precision.quantized,
        )  # fmt: skip


def matmul_time(
    rates: ChipRates, m: Array, k: Array, n: Array, *, high: bool = False, pieces: Array | float = 1.0
) -> Array:
    """Return the seconds of an (m, k) by (k, n) matmul: max(2 (mn + p c²)(k + d) / rate, bytes / memory).

    An output smaller than the chip's units can hold (c² elements) leaves some idle, and a sum short beside d does not pay for its
    start and end. c, d and the rate are those of the number format.

    Args:
        rates: The chip's sustained rates.
        m: Rows of the first operand, one for each token. Sizes are those on one chip; arrays broadcast.
        k: Length of the sum.
        n: Columns of the second operand.
        high: The op stays in the recipe's high dtype (router, logits).
        pieces: p, into how many kernels its rows are cut.

    Holds for matmuls that run alone on a chip, where both operands are read and the result is written once. Median errors of 3 to
    10 % over 16,000 measured shapes (AIConfigurator 0.12). Source: the roofline (Williams et al. 2009).
    """
    rate = rates.high if high else rates.linear
    c = rate.half_size
    compute = 2.0 * (m * n + pieces * (c * c)) * (k + rate.half_depth) / rate.peak * ((m > 0) & (n > 0))
    memory = (rate.size * (m * k + k * n) + rates.high.size * m * n) / rates.memory
    seconds: Array = np.maximum(compute, memory)
    return seconds


def expert_time(rates: ChipRates, experts: Array, m: Array, k: Array, n: Array, c: Constants) -> Array:
    """Return the seconds in which a rank multiplies the tokens of its ``experts``, m tokens each, by their (k, n) matrices.

    Alone: ``experts`` matmuls, each of which pays ``expert_half_share`` of the half size. As one group (``expert_grouping``, the
    kernel of CANN): the half size once, rows in blocks of 128. ``expert_factor`` is what the kernel takes over a dense one.

    Args:
        rates: The chip's sustained rates.
        experts: Experts of one rank.
        m: Tokens of one expert.
        k: Length of the sum.
        n: Columns of an expert's matrix.
        c: The constants that say how experts are multiplied.

    Errors: 3 to 5 % (median) on NVIDIA chips, 17 % (root mean square) on 910B, where more than 512 tokens is an extrapolation.
    """
    rate, grouped = rates.linear, c.expert_grouping
    waste = rate.half_size * rate.half_size
    alone = experts * (m * n + c.expert_half_share * waste)
    together = experts * (np.ceil(m / GROUP_ROWS) * GROUP_ROWS) * n + waste
    compute = c.expert_factor * 2.0 * (grouped * together + (1.0 - grouped) * alone) * (k + rate.half_depth) / rate.peak
    memory = experts * (rate.size * (m * k + k * n) + rates.high.size * m * n) / rates.memory
    seconds: Array = np.maximum(compute * ((m > 0) & (n > 0)), memory)
    return seconds


def attention_time(rates: ChipRates, flops: Array, length: Array, latent: Array | bool = False) -> tuple[Array, Array]:
    """Return the seconds of fused attention forward and backward: flops / (rate · length / (length + half)).

    Args:
        rates: The chip's sustained rates.
        flops: FLOPs on one chip, forward, those of a causal mask halved; backward there are ``ATTENTION_BACKWARD`` times as many.
        length: Tokens of context that one kernel call sees: the sequence, in a ring the part of one rank.
        latent: Keys are longer than values, which the backward pass is slower for (``LATENT_BACKWARD``).

    Errors: 3 to 5 % typical, 10 % at most on GB200, GB300 and H200. Source: Dao 2023 (FlashAttention-2).
    """
    forward = flops * (1.0 + rates.attention_half / length) / rates.attention
    rate = rates.attention_backward * np.where(latent, LATENT_BACKWARD, 1.0)
    return forward, ATTENTION_BACKWARD * flops * (1.0 + rates.attention_backward_half / length) / rate


def vector_time(rates: ChipRates, elements: Array, size: float) -> Array:
    """Return the seconds of an elementwise op: bytes over the memory rate that such ops reach.

    Args:
        rates: The chip's sustained rates.
        elements: Elements read and written on one chip, together.
        size: Bytes of one element.

    Holds for norms, activations, residuals and casts, which no chip of the catalog computes slower than it moves them.
    """
    return elements * (size / rates.vector)
