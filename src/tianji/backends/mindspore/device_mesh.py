"""Where a rank stands along each axis, and with whom it shares each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tianji.parallel import Strategy


@dataclass(frozen=True, slots=True)
class RankPlace:
    """Where a rank stands: its index along each axis, and the ranks that it shares that axis with."""

    rank: int
    tp: int
    dp: int
    pp: int
    tp_ranks: tuple[int, ...]
    dp_ranks: tuple[int, ...]
    pp_ranks: tuple[int, ...]

    @classmethod
    def of(cls, s: Strategy, rank: int) -> RankPlace:
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
