"""A pool by its name or its chip's, with the links of the run."""

import pytest
from tables import cells

from tianji.catalog import list_pools, load_pool
from tianji.errors import UnknownNameError
from tianji.measurements.machines import find_pool, read_pool


@pytest.mark.parametrize("name", list_pools())
def test_a_pool_is_found_by_its_own_name_and_by_its_chips(name: str) -> None:
    pool = load_pool(name)
    assert find_pool(name) == pool
    assert find_pool(pool.chip.name).chip == pool.chip
    assert find_pool(pool.chip.name).unit <= pool.unit


def test_an_unknown_name_is_told_with_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="h100-sxm"):
        read_pool(cells(pool="h100-sxn"))


def test_a_part_of_a_node_is_a_smaller_node() -> None:
    pool = read_pool(cells(chips_per_node="4"))
    assert (pool.node, pool.tiers[0].span, pool.chips) == (4, 4, 8)


def test_stated_links_replace_the_catalogs_and_say_where_they_come_from() -> None:
    pool = read_pool(cells(scale_up="200 GB/s", scale_out="100 Gbit/s", as_published_scale_out="4x 200G per node"))
    inner, outer = pool.tiers[0].bandwidth, pool.tiers[-1].bandwidth
    assert inner is not None and outer is not None
    assert (inner.value, outer.value) == (200e9, 12.5e9)
    assert outer.source == "4x 200G per node" and inner.source == "200 GB/s"
    assert load_pool("hgx-h100").tiers[0].bandwidth != inner


def test_a_stated_link_that_is_the_catalogs_changes_nothing() -> None:
    own = load_pool("hgx-h100").tiers[-1].bandwidth
    assert own is not None
    assert read_pool(cells(scale_out=f"{own.value / 1e9:g} GB/s")).tiers[-1].bandwidth == own


def test_a_chip_is_understood_as_tables_spell_it() -> None:
    assert read_pool(cells(pool="TPU v7")).chip.name == "tpu-v7"
    assert read_pool(cells(pool="Ascend 910B3 (64 GB)")).chip.name == "ascend-910b3"
