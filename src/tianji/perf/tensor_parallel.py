"""Time of what tensor ranks pass to each other in one layer, for one micro-batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tianji.parallel.grid import Grid
from tianji.parallel.mesh import tensor_group
from tianji.perf.context import Context
from tianji.units import Array
from tianji.workload.ops import LayerOps, Matmul, Role

PIPELINED = 4.0
"""Pieces of a 16-bit matmul whose sums are reduced piece by piece."""


@dataclass(frozen=True, slots=True)
class PairTime:
    """Seconds of a gather before a column cut and a reduction after a row cut, or of the all_reduce in their place."""

    wide: Array
    """In 16 bits, either way."""
    forward: Array
    backward: Array
    """Of linear layers in the job's recipe."""


def tensor_parallel_time(layer: LayerOps, c: Context) -> tuple[Array, Array]:
    """Return the seconds of a layer's pairs of column and row cuts, forward and backward, nothing hidden.

    The head gathers and does not reduce, the embedding reduces and does not gather: half a pair in 16 bits each.
    Source: Shoeybi et al. 2019; Korthikanti et al. 2022 (sequence parallelism).
    """
    halves = sum(0.5 for m in layer.matmuls if m.role is Role.LOGITS) if layer.matmuls else 0.5
    pairs = sum(1.0 for m in layer.matmuls if m.cut == "row")
    if not halves and not pairs:
        return np.asarray(0.0), np.asarray(0.0)
    pair = c.once(pair_time, c.g)
    return halves * pair.wide + pairs * pair.forward, halves * pair.wide + pairs * pair.backward


def pair_time(g: Grid, c: Context) -> PairTime:
    """Return the seconds of one pair.

    Where ``tp_gather_narrow`` is 1 the gather is in the recipe's format: TransformerEngine casts first. Backward the gradients
    cross once where their scales are of whole tensors, and twice where they are of blocks, as blocks run along the sum of
    either matmul. Reductions stay in 16 bits. Source: TransformerEngine, ``pytorch/distributed.py`` and ``module/base.py``.
    """
    group, net, p = tensor_group(g), c.network, c.job.precision
    elements = c.tokens * c.job.model.hidden_size
    stream = elements * p.activation_size
    gathered, reduced, summed = (
        net.all_gather(group, stream),
        net.reduce_scatter(group, stream),
        net.all_reduce(group, stream),
    )

    def pair(gather: Array) -> Array:
        return np.where(g.sequence_parallel, gather + reduced, summed)

    wide, share = pair(gathered), c.constants.tp_gather_narrow
    if not p.quantized or not np.any(share):
        return PairTime(wide, wide, wide)
    crossings = 2.0 if p.block_scaled else 1.0
    there = net.all_gather(group, elements * p.linear_input_size)
    back = net.all_gather(group, elements * (crossings * p.linear_input_size), crossings)
    return PairTime(wide, *(pair(gathered + share * (narrow - gathered)) for narrow in (there, back)))


def cut_pieces(op: Matmul, c: Context) -> tuple[Array | float, Array | float]:
    """Return into how many kernels a matmul is cut beside tensor-parallel links, forward and for its input's gradient.

    TransformerEngine's userbuffers (``tp_pieces`` 1) pass a ring's pieces on beside matmuls of as many pieces: of a column cut
    forward and a row cut backward what is gathered, of a row cut forward what is reduced (in 16 bits four pieces). Gradients of
    weights, and of inputs of a column cut, run whole beside a whole collective. Source: TransformerEngine,
    ``pytorch/module/base.py`` (``num_splits``); Megatron-Bridge, ``training/comm_overlap.py``.
    """
    cuts = c.constants.tp_pieces
    if op.high or op.cut not in ("column", "row") or not np.any(cuts):
        return 1.0, 1.0
    is_cut = cuts * (c.hides_tensor & c.g.sequence_parallel & (c.g.tp > 1))
    ring = 1.0 + is_cut * (c.g.tp - 1.0)
    if op.cut == "column":
        return ring, 1.0
    return ring if c.job.precision.quantized else 1.0 + is_cut * (PIPELINED - 1.0), ring
