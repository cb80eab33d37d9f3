"""Experts in a loop under ZeRO-3: their matrices are fetched one by one, and nothing hides that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from samples import SPARSE, job, pool
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.perf.module_fetches import HOST_BACKWARD, HOST_FORWARD
from tianji.perf.step import estimate

BASE = Strategy(dp=8, zero=3, zero_kind="buckets")
MATRICES = 7 * 8 * 3
"""Layers with experts, experts, matrices of each."""


def seconds(strategy: Strategy) -> float:
    terms = estimate(job(SPARSE, batch=8), pool(8), Constants(), Grid.of(strategy)).terms
    return float(terms["dp_comm"].item())


def test_the_host_pays_for_each_matrix_in_each_pass() -> None:
    longer = seconds(replace(BASE, zero_kind="modules")) - seconds(BASE)
    assert longer == pytest.approx(MATRICES * (HOST_FORWARD + HOST_BACKWARD), rel=0.1)
    again = seconds(replace(BASE, zero_kind="modules", recompute="full")) - seconds(replace(BASE, recompute="full"))
    assert again - longer == pytest.approx(MATRICES * HOST_FORWARD, rel=0.1)


def test_experts_that_are_cut_or_not_sharded_are_fewer_or_none() -> None:
    cut = replace(BASE, ep=4)
    assert seconds(replace(cut, zero_kind="modules")) - seconds(cut) == pytest.approx(
        MATRICES / 4 * (HOST_FORWARD + HOST_BACKWARD), rel=0.2
    )
    whole = replace(BASE, zero=2)
    assert seconds(replace(whole, zero_kind="modules")) == seconds(whole)
