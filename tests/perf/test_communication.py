"""Collectives on paper: nodes of 8 chips at 100 GB/s, a network of 10 GB/s, no latency unless said."""

from dataclasses import replace

import numpy as np
import pytest

from samples import figure, flat, pool, tier
from tianji.hardware import Pool
from tianji.hardware.constants import Constants
from tianji.parallel.mesh import RankGroup
from tianji.perf.communication import Links, SustainedTier
from tianji.units import GB


def group(size: int, stride: int = 1) -> RankGroup:
    return RankGroup(((np.asarray(size), np.asarray(stride)),))


def network(where: Pool, **constants: float) -> Links:
    return Links.of(where, Constants(**constants))


GIGABYTE = np.asarray(1 * GB)


def test_ring() -> None:
    # Thakur 2005: all_gather V (n - 1)/n, all_reduce twice that; 1 GB over 8 chips of 100 GB/s
    net = network(flat(8))
    assert net.all_gather(group(8), GIGABYTE) == pytest.approx(7 / 8 / 100)
    assert net.reduce_scatter(group(8), GIGABYTE) == pytest.approx(7 / 8 / 100)
    assert net.all_reduce(group(8), GIGABYTE) == pytest.approx(2 * 7 / 8 / 100)
    assert net.all_to_all(group(8), GIGABYTE) == pytest.approx(7 / 8 / 100)
    assert net.send(group(8), GIGABYTE) == pytest.approx(1 / 100)


def test_a_group_of_one_says_nothing() -> None:
    net = network(flat(8), scale_up_latency=1e-3)
    for collective in (net.all_gather, net.reduce_scatter, net.all_reduce, net.all_to_all, net.send):
        assert collective(group(1), GIGABYTE) == 0


def test_hierarchical_all_reduce() -> None:
    # 64 chips in 8 nodes. Inside a node each chip receives 7/8 GB at 100 GB/s: 8.75 ms. Between nodes the 8 chips of a node
    # share the 7/8 GB that the others hold, each over its own rail of 10 GB/s: 10.9 ms. Both run as one pipeline.
    net = network(pool(64))
    inside, between = 7 / 8 / 100, 7 / 8 / 8 / 10
    assert net.all_gather(group(64), GIGABYTE) == pytest.approx(max(inside, between))
    assert net.all_reduce(group(64), GIGABYTE) == pytest.approx(2 * max(inside, between))


def test_one_chip_of_each_node_uses_the_network_alone() -> None:
    assert network(pool(64)).all_gather(group(8, 8), GIGABYTE) == pytest.approx(7 / 8 / 10)


def test_latency_counts_by_step() -> None:
    # ring: n - 1 steps; from 16 on a tree of 2 ceil(log2 n)
    net = network(flat(64), scale_up_latency=1e-6)
    nothing = np.asarray(0.0)
    assert net.all_gather(group(4), nothing) == pytest.approx(3e-6)
    assert net.all_gather(group(64), nothing) == pytest.approx(12e-6)


def test_a_mesh_of_two_uses_one_link_of_seven() -> None:
    net = network(pool(8, tier("node", 8, 70 * GB, topology="mesh")))
    assert net.all_gather(group(8), GIGABYTE) == pytest.approx(7 / 8 / 70)
    assert net.all_gather(group(2), GIGABYTE) == pytest.approx(1 / 2 / 10)
    assert net.send(group(2), GIGABYTE) == pytest.approx(1 / 10)


def test_oversubscription_slows() -> None:
    thin = replace(tier("network", 0, 10 * GB, kind="scale-out"), oversubscription=2.0)
    net = network(pool(64, tier("node", 8, 100 * GB), thin))
    assert net.all_gather(group(8, 8), GIGABYTE) == pytest.approx(7 / 8 / 5)


def test_a_published_latency_counts_where_nothing_slower_was_fitted() -> None:
    published = replace(tier("all", 0, 100 * GB), latency=figure(2e-6))
    net = network(pool(8, published))
    assert net.all_gather(group(2), np.asarray(0.0)) == pytest.approx(2e-6)


def test_an_all_to_all_of_every_copy_crosses_more_than_tokens_that_cross_once() -> None:
    # 4 copies on 2 nodes of 8 chips: all of them against 2 (1 - 1/16) = 1.875, over the slower tier
    net = Links((8, 16), (SustainedTier(1e12, 0.0, "switch", 8), SustainedTier(1e9, 0.0, "switch", 2)))
    every, once = (float(np.ravel(net.dispatch(group(16), GIGABYTE, 4, (1, 1), kind))[0]) for kind in (False, True))
    assert once / every == pytest.approx(1.875 / 4)


def test_a_library_without_rings_takes_its_factors_times_as_long() -> None:
    own = Constants(reduce_scatter_factor=2.0, all_reduce_factor=1.5, all_to_all_factor=3.0)
    ring, other = (Links.of(flat(4), constants) for constants in (Constants(), own))
    assert other.all_gather(group(4), GIGABYTE) == ring.all_gather(group(4), GIGABYTE)
    assert other.reduce_scatter(group(4), GIGABYTE) == pytest.approx(2 * ring.reduce_scatter(group(4), GIGABYTE))
    assert other.all_reduce(group(4), GIGABYTE) == pytest.approx(1.5 * ring.all_reduce(group(4), GIGABYTE))
    assert other.all_to_all(group(4), GIGABYTE) == pytest.approx(3 * ring.all_to_all(group(4), GIGABYTE))
