"""Who holds what: the place of a rank along each axis, its neighbours, and its part of each weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tianji.parallel import Strategy
from tianji.perf.stages import stage
from tianji.workload import Model


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rank stands: its index along each axis, and the ranks that it shares that axis with."""

    rank: int
    tp: int
    dp: int
    pp: int
    tp_ranks: tuple[int, ...]
    dp_ranks: tuple[int, ...]
    pp_ranks: tuple[int, ...]

    @classmethod
    def of(cls, s: Strategy, rank: int) -> Place:
        """Return the place of a rank, numbered as the torch trainer numbers it: tensor ranks are neighbours."""
        inside = s.placement == "dp-inside"
        shape = (s.pp, s.dp, s.tp) if inside else (s.dp, s.pp, s.tp)
        grid = np.arange(s.chips).reshape(shape)
        if not inside:
            grid = grid.transpose(1, 0, 2)
        pp, dp, tp = (int(i[0]) for i in np.nonzero(grid == rank))
        return cls(rank, tp, dp, pp, _ranks(grid[pp, dp, :]), _ranks(grid[pp, :, tp]), _ranks(grid[:, dp, tp]))


def _ranks(line: NDArray[np.int_]) -> tuple[int, ...]:
    return tuple(int(rank) for rank in line)


def layers_of_place(model: Model, num_stages: int, index: int) -> range:
    """Return the layers of a pipeline stage, dealt out as the planner prices them."""
    counts = [round(float(stage(model, np.asarray(num_stages), np.asarray(i)).layers)) for i in range(index + 1)]
    return range(sum(counts[:-1]), sum(counts))


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
