"""This rank's part of each weight, and whose gradients are terms of a sum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tianji.parallel import Strategy

ROWS = ("wq", "wk", "wv", "gate", "up", "embedding", "head")
"""Cut by what comes out: (out, in) matrices and their biases lose rows."""
COLUMNS = ("wo", "down")
"""Cut by what goes in: matrices lose columns, biases stay whole."""


def cut_weight(
    name: str, whole: NDArray[np.float32], tp: int, size: int, num_key_value_heads: int
) -> NDArray[np.float32]:
    """Return a tensor rank's part of a weight.

    >>> cut_weight("layers.0.mlp.down.weight", np.float32([[1, 2, 3, 4]]), tp=1, size=2, num_key_value_heads=1)
    array([[3., 4.]], dtype=float32)
    """
    axis = axis_of(name, size, num_key_value_heads)
    return whole if axis is None else np.split(whole, size, axis)[tp]


def axis_of(name: str, size: int, num_key_value_heads: int) -> int | None:
    """Return the axis along which tensor ranks cut a weight; None where each has all of it.

    Key-value heads that the ranks do not divide are whole on all of them, as in the torch trainer.
    """
    owner, kind = name.split(".")[-2:]
    if size == 1 or (owner in ("wk", "wv") and num_key_value_heads % size):
        return None
    if owner in ROWS:
        return 0
    return 1 if owner in COLUMNS and kind == "weight" else None


def is_partial(name: str, strategy: Strategy, num_key_value_heads: int) -> bool:
    """Return whether a tensor rank's gradient of a weight is one term of a sum over the tensor ranks.

    So it is for a whole weight that sees some of the heads, and under sequence parallelism some of the tokens.
    """
    if strategy.tp == 1 or axis_of(name, strategy.tp, num_key_value_heads) is not None:
        return False
    owner = name.split(".")[-2]
    return owner in ("wk", "wv", "q_norm", "k_norm") or strategy.sequence_parallel
