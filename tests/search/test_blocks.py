"""Blocks hold every strategy of a grid once, in its order, at the price of the whole grid."""

from collections.abc import Iterator

import numpy as np
import pytest

from samples import SPARSE, job, pool
from tianji.hardware.constants import Constants
from tianji.parallel.legality import is_legal
from tianji.perf.passes import keep_layers
from tianji.perf.step import estimate, estimate_job_layers
from tianji.search.blocks import Block, Weighed, estimated_blocks
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


@pytest.mark.parametrize("size", [1, 40, 700])
def test_columns_that_are_worth_it_have_their_places_and_the_prices_of_the_whole(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tianji.search.blocks.BLOCK", size)
    task, where, random = job(SPARSE, batch=4), pool(8), np.random.default_rng(1)
    for grid in Space(task, where, {}, {}).slices():
        kept = random.random(grid.shape[-3:]) < 0.6
        weighed = Weighed.of(task, where, REAL, grid).keep(kept)
        layers = keep_layers(estimate_job_layers(task, where, REAL, grid), np.nonzero(kept))
        worth = random.random((*weighed.grid.shape[:-2], weighed.grid.shape[-1])) < 0.5
        blocks = estimated_blocks(task, where, REAL, weighed, weighs_stages=True, worth=worth, layers=layers)
        (whole,) = _in_one(estimated_blocks(task, where, REAL, weighed, weighs_stages=True), monkeypatch)
        seen = np.zeros(weighed.grid.shape, dtype=bool)
        for block in blocks:
            places = block.places(np.arange(len(block.legal)))
            assert not seen.flat[places].any()
            seen.flat[places] = True
            for name in ("legal", "step_time", "memory", "uneven"):
                assert np.allclose(getattr(block, name), getattr(whole, name)[places], rtol=1e-12, atol=1e-15), name
        left_out = ~np.broadcast_to(np.expand_dims(worth, -2), seen.shape)
        assert np.array_equal(~seen, left_out) or (seen.all() and seen.size <= 2 * size)


def _in_one(blocks: Iterator[Block], monkeypatch: pytest.MonkeyPatch) -> list[Block]:
    with monkeypatch.context() as patch:
        patch.setattr("tianji.search.blocks.BLOCK", 10**9)
        return list(blocks)
