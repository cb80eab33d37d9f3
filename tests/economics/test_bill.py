"""Published bills, recomputed: the numbers can be checked by hand."""

import pytest

from tianji.catalog import load_pool, load_site
from tianji.economics import find_chip_hour, find_draw, price_run
from tianji.economics.bill import KWH, carbon_of, energy_of, rent_run, value_goodput
from tianji.ranges import Range
from tianji.units import DAY, HOUR


def test_deepseek_v3_cost_5_576_million_dollars_at_two_dollars_an_hour() -> None:
    assert rent_run(2.788e6, 2.0) == pytest.approx(5.576e6)


def test_llama_3_1_405b_took_21_588_mwh_at_the_chips_limit() -> None:
    assert energy_of(30.84e6, 700.0) / KWH == pytest.approx(21_588_000)


def test_bloom_emitted_24_69_tonnes() -> None:
    """433.2 MWh on the French grid at 57 g of a kWh (BLOOM's carbon paper)."""
    assert carbon_of(433.2e3 * KWH, 0.057) == pytest.approx(24_690, abs=5)


def test_one_point_of_goodput_on_512_b200_at_list() -> None:
    """41,573 dollars in 30 days are 3,686.4 chip-hours at the list price of 11.2774 dollars an hour."""
    assert value_goodput(512, 0.01, 720.0, 11.2774) == pytest.approx(41_573, abs=1)


def test_a_rented_run_by_hand() -> None:
    pool, site = load_pool("hgx-h100", 1024), load_site("usa")
    hour = find_chip_hour(pool, site, rent=2.0)
    bill = price_run(Range.exactly(30 * DAY), find_draw(pool, site, pue=1.2), hour, site)
    assert bill.cost is not None
    assert bill.cost.nominal == pytest.approx(1024 * 720 * 2.0)
    assert bill.energy.nominal == pytest.approx(1024 * 1730 * 1.2 * 30 * DAY)
    assert bill.carbon.nominal == pytest.approx(1024 * 1.73 * 1.2 * 720 * 0.348)
    assert set(bill.items) == {"rent"}, "a rent has its electricity inside"


def test_an_owned_run_pays_its_electricity_and_its_items_add_up() -> None:
    pool, site = load_pool("hgx-h100", 1024), load_site("usa")
    bill = price_run(Range.exactly(HOUR), find_draw(pool, site), find_chip_hour(pool, site, own=True), site)
    assert bill.cost is not None
    assert list(bill.items) == ["chips", "servers", "network", "storage", "interest", "staff", "electricity"]
    assert sum(item.nominal for item in bill.items.values()) == pytest.approx(bill.cost.nominal)
    assert bill.cost.low < bill.cost.nominal < bill.cost.high


def test_without_a_price_there_is_energy_but_no_cost() -> None:
    pool, site = load_pool("atlas-950-superpod"), load_site("china")
    bill = price_run(Range.exactly(HOUR), find_draw(pool, site), find_chip_hour(pool, site), site)
    assert bill.cost is None
    assert bill.energy.nominal > 0
