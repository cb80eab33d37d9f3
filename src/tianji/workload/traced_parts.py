"""A layer read from the modules of a class: its matrices one by one, and its attention where it has one."""

from __future__ import annotations

import re

from tianji.errors import FormatError
from tianji.workload.layer_part import LayerPart
from tianji.workload.ops import AttentionOp, Matmul, Role, Vector

MATRIX = re.compile(r"(column|row|none)_(\d{1,8})_(\d{1,8})")


def traced(
    h: int, *, num_heads: int = 0, num_key_value_heads: int = 0, qk_dim: int = 0, v_dim: int = 0, window: int = 0,
    small: int = 0, **matrices: int,
) -> LayerPart:  # fmt: skip
    """Return a traced layer. A matrix from k to n is written ``CUT_k_n = how many``, CUT as :class:`Matmul` has it.

    What the backward pass needs is the input of each matrix, as far as it is not the layer's own.
    """
    matmuls, saved = [], 0.0
    for name, copies in matrices.items():
        match = MATRIX.fullmatch(name)
        if match is None or not 1 <= copies <= 10_000:
            raise FormatError(
                f"a traced layer: {name} = {copies}: expected CUT_k_n = how many, as in column_4096_11008 = 2"
            )
        cut, k, n = match[1], int(match[2]), int(match[3])
        role = Role.MLP_OUT if cut == "row" else Role.PLAIN
        matmuls += [Matmul(f"{k} to {n}", k, n, cut, role=role)] * copies
        saved += copies * (n if cut == "column" else k if cut == "row" else 0)
    attention = (AttentionOp(num_heads, num_key_value_heads or num_heads, qk_dim, v_dim, window),) if num_heads else ()
    whole = sum(m.k * m.n for m in matmuls if m.cut == "none")
    return LayerPart(
        "attention" if num_heads else "traced layer", tuple(matmuls), attention,
        vectors=(Vector("elementwise", 12.0 * h, "sequence"),), small=small, whole=whole, saved=saved,
    )  # fmt: skip
