"""Blocks hold every strategy of a grid once, in its order, at the price of the whole grid."""

import numpy as np
import pytest

from samples import SPARSE, job, pool
from tianji.hardware.constants import Constants
from tianji.parallel.legality import is_legal
from tianji.perf.step import estimate
from tianji.search.blocks import Weighed, estimated_blocks
from tianji.search.space import Space

REAL = Constants(matmul_half_size=50.0, scale_up_latency=3e-6, overlap_efficiency=0.7, op_overhead=1e-6)


@pytest.mark.parametrize("size", [1, 7, 100, 3_000, 10**9])
@pytest.mark.parametrize("sharing", [1.0, 2.0])
def test_blocks_of_any_size_are_the_grid(size: int, sharing: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tianji.search.blocks.BLOCK", size)
    given = Constants(**{"sharing": sharing, "overlap_efficiency": 0.7, "op_overhead": 1e-6})
    task, where = job(SPARSE, batch=4), pool(4)
    for grid in Space(task, where, {"recompute": "none"}, {"overlap_dp": (False, True)}).slices():
        blocks = list(estimated_blocks(task, where, given, Weighed.of(task, where, given, grid)))
        cost = estimate(task, where, given, grid)
        assert [b.start for b in blocks] == np.cumsum([0, *(len(b.legal) for b in blocks[:-1])]).tolist()
        for name, whole in (
            ("legal", is_legal(grid, task, where)),
            ("step_time", cost.step_time),
            ("memory", cost.memory_total),
        ):
            found = np.concatenate([getattr(b, name) for b in blocks])
            # A search adds up the same terms in another order.
            assert np.allclose(found, np.broadcast_to(whole, grid.shape).ravel(), rtol=1e-12, atol=0.0), name


def test_a_block_is_about_as_large_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tianji.search.blocks.BLOCK", 500)
    task, where = job(SPARSE, batch=4), pool(8)
    for grid in Space(task, where, {}, {}).slices():
        sizes = [len(b.legal) for b in estimated_blocks(task, where, REAL, Weighed.of(task, where, REAL, grid))]
        assert max(sizes) <= 500
        assert sum(sizes) <= 500 or max(sizes) > 250
