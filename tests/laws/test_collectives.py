"""Laws of the collectives, on any nesting of tiers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samples import pool, tier
from tianji.hardware import TOPOLOGIES, Pool
from tianji.hardware.constants import Constants
from tianji.parallel.mesh import RankGroup
from tianji.perf.communication import Links

RATE = st.floats(1e9, 1e12)
TOPOLOGY = st.sampled_from(TOPOLOGIES)
SIZE = st.floats(1e3, 1e10)
POWER = st.sampled_from([1, 2, 4, 8, 16, 64])


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    tiers = [
        tier("node", 8, draw(RATE), topology=draw(TOPOLOGY)),
        tier("rack", 64, draw(RATE), topology=draw(TOPOLOGY)),
    ]
    return pool(4096, *tiers, tier("all", 0, draw(RATE), kind="scale-out"))


@st.composite
def groups(draw: st.DrawFn) -> RankGroup:
    return RankGroup(((np.asarray(draw(POWER)), np.asarray(draw(POWER))),))


CONSTANTS = st.builds(Constants, scale_up_latency=st.floats(0, 1e-4), scale_out_latency=st.floats(0, 1e-4))


@given(pools(), groups(), SIZE, CONSTANTS)
def test_all_reduce_is_reduce_scatter_and_all_gather(where: Pool, group: RankGroup, size: float, c: Constants) -> None:
    net, v = Links.of(where, c), np.asarray(size)
    assert net.all_reduce(group, v) == net.reduce_scatter(group, v) + net.all_gather(group, v)


@given(pools(), groups(), SIZE, CONSTANTS, st.integers(0, 2))
def test_a_faster_link_is_never_slower(where: Pool, group: RankGroup, size: float, c: Constants, which: int) -> None:
    old = where.tiers[which]
    assert old.bandwidth is not None
    faster = replace(old, bandwidth=replace(old.bandwidth, value=old.bandwidth.value * 1.5))
    better = replace(where, tiers=(*where.tiers[:which], faster, *where.tiers[which + 1 :]))
    v = np.asarray(size)
    for name in ("all_gather", "all_reduce", "all_to_all", "send"):
        assert getattr(Links.of(better, c), name)(group, v) <= getattr(Links.of(where, c), name)(group, v)


@given(pools(), groups(), SIZE, CONSTANTS)
def test_more_bytes_take_longer(where: Pool, group: RankGroup, size: float, c: Constants) -> None:
    net = Links.of(where, c)
    for collective in (net.all_gather, net.all_reduce, net.all_to_all, net.send):
        assert collective(group, np.asarray(2 * size)) >= collective(group, np.asarray(size)) >= 0


@given(pools(), POWER, SIZE)
def test_a_collective_takes_at_least_what_its_slowest_link_must_carry(where: Pool, n: int, size: float) -> None:
    """Every member of n must receive (n - 1)/n of the bytes over links of at most its fastest tier."""
    net = Links.of(where, Constants())
    fastest = max(tier.rate for tier in net.tiers)
    group = RankGroup(((np.asarray(n), np.asarray(1)),))
    assert net.all_gather(group, np.asarray(size)) >= size * (n - 1) / n / fastest / 3 * (1 - 1e-9)


@given(st.sampled_from([2, 4, 8]), SIZE, RATE)
def test_the_ring_on_one_tier(n: int, size: float, rate: float) -> None:
    net = Links.of(pool(8, tier("all", 0, rate)), Constants())
    group = RankGroup(((np.asarray(n), np.asarray(1)),))
    assert net.all_reduce(group, np.asarray(size)) == pytest.approx(2 * (n - 1) / n * size / rate)
