"""The constants of the cost model that datasheets do not give: one line each, and everything that depends on a constant reads it.

The line says the value under pure physics, the unit, the least and the most that a file may state, and in words what it is.
The formulas take the value as an attribute (``constants.op_overhead``). :mod:`tianji.catalog.calibrations` reads and writes it
within its bounds, :mod:`tianji.calibration` fits those that whole runs may move, and ``docs/constants.md`` lists them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, cast

import numpy as np

from tianji.units import TB, Bytes, Seconds

FUSED_LOSS: Bytes = 36.0
"""Bytes that a fused cross entropy moves for each logit."""
BEST_ATTENTION = 0.9
"""No attention kernel is known to reach more of a chip's dense bf16 peak: FlashAttention-3's best reaches 0.85 of an H100's on
16 K tokens (Shah et al. 2024), which is 0.87 on endless ones."""
BEST_NARROW_ATTENTION = 1.5
"""Of the same peak, by attention in fp8: 1.40 on GB300 (cuDNN 9.22)."""
ENDLESS = float("inf")


@dataclass(frozen=True, slots=True)
class Constant:
    """What is known of one constant, whatever its value on a chip."""

    name: str
    default: float
    """Under pure physics: every rate at its peak, no latency, no overhead."""
    unit: str
    least: float
    most: float
    text: str
    ceiling: float
    """What an effect of software may raise it to at most."""
    is_memory: bool
    """It belongs to a software, not to a chip, and costs no time."""
    is_fitted: bool
    """Whole runs may move it; the others keep what is believed of them."""


def constant(
    default: float, unit: str, least: float, most: float, text: str, *,
    ceiling: float = ENDLESS, is_memory: bool = False, is_fitted: bool = False,
) -> Any:  # fmt: skip
    """Return the field of a constant; its arguments are those of :class:`Constant`."""
    bounds = {"least": least, "most": most, "ceiling": ceiling}
    return field(
        default=default, metadata={"unit": unit, "text": text, **bounds, "is_memory": is_memory, "is_fitted": is_fitted}
    )


def share(text: str, *, ceiling: float = 1.0, is_fitted: bool = False) -> Any:
    """Return the field of an efficiency: a share of a rate, above 0 and at most 1; arguments are those of Constant."""
    return constant(1.0, "share", 0.001, 1.0, text, ceiling=ceiling, is_fitted=is_fitted)


def size(unit: str, text: str, *, is_fitted: bool = False) -> Any:
    """Return the field of a size at which half of a rate is reached, 0 where any is enough; arguments are those of Constant."""
    return constant(0.0, unit, 0, 10**6, text, is_fitted=is_fitted)


@dataclass(frozen=True, slots=True)
class Constants:
    """What one chip, with its links and its software, reaches of the datasheet; ``Constants()`` is the datasheet itself.

    Efficiencies are shares of a datasheet rate that a very large op reaches; sizes say where half of it is reached. A value may
    be an array, one for each strategy of a grid.
    """

    matmul_efficiency: float = share("Of the dense 16-bit peak, by a very large matmul.", is_fitted=True)
    matmul_half_size: float = size(
        "elements", "A 16-bit matmul whose output has this size squared runs at half speed.", is_fitted=True
    )
    matmul_half_depth: float = size("elements", "A 16-bit sum of this length runs at half speed.")
    narrow_efficiency: float = share(
        "Of the dense fp8 or int8 peak, by a very large matmul of a narrow recipe.", is_fitted=True
    )
    narrow_half_size: float = size("elements", "The half size of fp8 and int8 matmuls.")
    narrow_half_depth: float = size("elements", "The half depth of fp8 and int8 matmuls.")
    fp4_efficiency: float = share("Of the dense fp4 peak, by a very large matmul of a narrow recipe.", is_fitted=True)
    fp4_half_size: float = size("elements", "The half size of fp4 matmuls.")
    fp4_half_depth: float = size("elements", "The half depth of fp4 matmuls.")
    expert_half_share: float = constant(
        1.0, "share", 0.001, 10, "Of the squared half size, what one expert of a layer pays beside the others."
    )
    expert_factor: float = constant(
        1.0, "factor", 0.1, 10, "Time of an expert's matmul over that of a dense one alike."
    )
    expert_grouping: float = constant(
        0.0, "switch", 0, 1, "1: one kernel for all experts of a rank pays one half size, and rows in blocks of 128."
    )
    expert_kernels: float = constant(
        1.0, "launches", 0, 100, "Launches of one expert forward, where no grouped matmul joins those of a rank."
    )
    expert_weight_factor: float = constant(
        1.0, "factor", 0.1, 10, "Time of the weight gradients of narrow experts over that of their other passes."
    )
    attention_efficiency: float = constant(
        1.0,
        "share",
        0.001,
        BEST_NARROW_ATTENTION,
        "Of the dense 16-bit peak, by the fused attention kernel, forward. In fp8 it may be above 1.",
        ceiling=BEST_NARROW_ATTENTION,
        is_fitted=True,
    )
    attention_half_length: float = size("tokens", "Context length at which attention reaches half of its efficiency.")
    attention_backward: float = constant(
        1.0, "share", 0.01, 10, "Efficiency of attention's backward pass over that of its forward pass.", is_fitted=True
    )
    attention_backward_half_length: float = size("tokens", "The half length of attention's backward pass.")
    quantize_size: Bytes = constant(
        4.0,
        "bytes",
        0,
        1000,
        "Bytes that a cast to fp8 moves for each element, at the sustained memory rate.",
        is_fitted=True,
    )
    fp4_quantize_size: Bytes = constant(4.0, "bytes", 0, 1000, "The same of a cast to fp4.")
    memory_efficiency: float = share("Of the memory's rate, by a long copy.", is_fitted=True)
    vector_efficiency: float = share(
        "Of the sustained memory rate, by elementwise work; a pass for each primitive is below 1."
    )
    optimizer_efficiency: float = share(
        "Of the sustained memory rate, by the update of the weights with the gradients' norm."
    )
    gradient_passes: float = constant(
        0.0,
        "passes",
        0,
        100,
        "Over a rank's gradients in their wire format, for each micro-batch, beside the matmuls and links that make them.",
    )
    permute_factor: float = constant(
        1.0, "factor", 0.1, 100, "Time to sort tokens by expert over four passes over them.", is_fitted=False
    )
    loss_size: Bytes = constant(
        FUSED_LOSS, "bytes", 1, 1000, "Bytes that the cross entropy moves for each logit, forward and back."
    )
    scale_up_efficiency: float = share("Of the rate of a link inside a pod, by a large collective.", is_fitted=True)
    scale_out_efficiency: float = share(
        "Of the rate of a link between pods or nodes, by a large collective.", is_fitted=True
    )
    scale_up_half_size: Bytes = constant(
        0.0,
        "bytes",
        0,
        10**9,
        "Bytes at which a collective inside a pod takes twice as long a byte as a very large one.",
    )
    scale_up_latency: Seconds = constant(
        0.0,
        "seconds",
        0,
        1,
        "Of one step of a collective inside a pod, with its software and the latest of its hosts.",
        is_fitted=True,
    )
    scale_out_latency: Seconds = constant(0.0, "seconds", 0, 1, "Of one step of a collective between pods or nodes.")
    reduce_scatter_factor: float = constant(
        1.0, "factor", 0.1, 100, "Time of a reduce_scatter over that of an all_gather of the same bytes."
    )
    all_reduce_factor: float = constant(1.0, "factor", 0.1, 100, "Time of an all_reduce over that of two such gathers.")
    all_to_all_factor: float = constant(
        1.0, "factor", 0.1, 100, "Time of an all_to_all over what its bytes would take in a gather."
    )
    dispatch_factor: float = constant(
        1.0,
        "factor",
        0.1,
        100,
        "Time of an expert dispatch inside a pod over that of an all_to_all of its bytes.",
        is_fitted=True,
    )
    dispatch_out_factor: float = constant(1.0, "factor", 0.1, 100, "The same between pods or nodes.", is_fitted=True)
    dispatch_pace: float = constant(
        0.0, "seconds a byte", 0, 1, "Least time of a byte of an expert dispatch inside a pod: what its cores can move."
    )
    call_overhead: Seconds = constant(
        0.0, "seconds", 0, 60, "What a framework needs to issue one collective (not a send)."
    )
    layerwise: float = constant(
        0.0, "switch", 0, 1, "1: data-parallel traffic goes layer by layer (FSDP2). 0: in large buckets."
    )
    overlap_efficiency: float = constant(
        1.0,
        "share",
        0,
        1,
        "Of a communication, what a longer computation beside it hides.",
        ceiling=1.0,
        is_fitted=True,
    )
    tp_overlap_share: float = constant(
        1.0,
        "share",
        0,
        1,
        "Of `overlap_efficiency`, what tensor-parallel communication reaches beside its own matmuls.",
    )
    tp_pieces: float = constant(
        0.0, "switch", 0, 1, "1: matmuls are cut in pieces beside the tensor-parallel links that they hide."
    )
    tp_gather_narrow: float = constant(
        0.0, "switch", 0, 1, "1: tensor ranks gather inputs of linear layers in the format of a narrow recipe."
    )
    ep_overlap_share: float = constant(
        1.0, "share", 0, 1, "Of `overlap_efficiency`, what expert dispatch reaches beside other computation."
    )
    op_overhead: Seconds = constant(
        0.0,
        "seconds",
        0,
        60,
        "Host time to launch one op. The chip waits where its work is shorter than the launches.",
        is_fitted=True,
    )
    op_blocking: float = constant(
        0.0,
        "share",
        0,
        1,
        "Of the launches, what the chip waits for even when its work is longer. 1: the chip is its host.",
    )
    step_overhead: Seconds = constant(
        0.0, "seconds", 0, 60, "What each step costs beside its micro-batches: data, gradient norm, logging."
    )
    kernel_launch: Seconds = constant(
        0.0,
        "seconds",
        0,
        1,
        "Host time to launch one kernel of a layer with experts. The chip waits where its work is shorter than the launches.",
        is_fitted=True,
    )
    kernel_blocking: float = constant(
        0.0,
        "share",
        0,
        1,
        "Of these launches, what the chip waits for even when its work is longer: the host waits for the counts of tokens.",
        ceiling=1.0,
        is_fitted=True,
    )
    straggle: float = constant(
        0.0,
        "share",
        0,
        1,
        "Mean of a chip's random delays over its work: all n chips wait for ln n means.",
        is_fitted=True,
    )
    sharing: float = constant(
        1.0, "chips", 1, 1000, "Chips that share one processor. Rates are those of a chip while all work."
    )
    software: float = constant(
        1.0, "factor", 0.1, 10, "Time under some software over that under the average of what was measured."
    )
    activation_overhead: float = constant(
        1.0,
        "factor",
        0.1,
        10,
        "Activations that the allocator holds over those that the formulas count.",
        is_memory=True,
    )
    framework_reserve: Bytes = constant(
        0.0, "bytes", 0, TB, "Memory of the runtime, its kernels and its workspaces.", is_memory=True
    )
    communicator_size: Bytes = constant(0.0, "bytes", 0, TB, "Buffers of one communicator.", is_memory=True)


CONSTANTS: dict[str, Constant] = {
    f.name: Constant(f.name, float(cast(float, f.default)), **f.metadata) for f in fields(Constants)
}
"""All constants by name, in the order of files and tables."""
CONSTANT_NAMES = tuple(CONSTANTS)
MEMORY_CONSTANTS = tuple(c.name for c in CONSTANTS.values() if c.is_memory)
"""They belong to a software, not to a chip, and cost no time."""


def limit(name: str, value: Any) -> Any:
    """Return the ``value`` of the constant ``name``, or an array of values, cut at the most that it can be."""
    return np.minimum(value, CONSTANTS[name].ceiling)


def describe_constants() -> str:
    """Return the table of all constants in Markdown, as ``docs/constants.md`` has it."""
    rows = ["| constant | unit | physics | from | to | moved by runs | is |", "|---|---|--:|--:|--:|---|---|"]
    for c in CONSTANTS.values():
        moved = "yes" if c.is_fitted else "memory tables" if c.is_memory else ""
        rows.append(f"| `{c.name}` | {c.unit} | {c.default:g} | {c.least:g} | {c.most:g} | {moved} | {c.text} |")
    return "\n".join(rows)
