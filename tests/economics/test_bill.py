"""Bills that can be checked by hand."""

import pytest

from tianji.catalog import load_pool, load_site
from tianji.economics import find_chip_hour, find_power, price_run
from tianji.ranges import Range
from tianji.units import DAY, HOUR


def test_a_rented_run_by_hand() -> None:
    pool, site = load_pool("hgx-h100", 1024), load_site("usa")
    hour = find_chip_hour(pool, site, rent=2.0)
    bill = price_run(Range.exactly(30 * DAY), find_power(pool, site, pue=1.2), hour, site)
    assert bill.cost is not None
    assert bill.cost.nominal == pytest.approx(1024 * 720 * 2.0)
    assert bill.energy.nominal == pytest.approx(1024 * 1730 * 1.2 * 30 * DAY)
    assert bill.carbon.nominal == pytest.approx(1024 * 1.73 * 1.2 * 720 * 0.348)
    assert set(bill.items) == {"rent"}, "a rent has its electricity inside"


def test_an_owned_run_pays_its_electricity_and_its_items_add_up() -> None:
    pool, site = load_pool("hgx-h100", 1024), load_site("usa")
    bill = price_run(Range.exactly(HOUR), find_power(pool, site), find_chip_hour(pool, site, own=True), site)
    assert bill.cost is not None
    assert list(bill.items) == ["chips", "servers", "network", "storage", "interest", "staff", "electricity"]
    assert sum(item.nominal for item in bill.items.values()) == pytest.approx(bill.cost.nominal)
    assert bill.cost.low < bill.cost.nominal < bill.cost.high


def test_without_a_price_there_is_energy_but_no_cost() -> None:
    pool, site = load_pool("atlas-950-superpod"), load_site("china")
    bill = price_run(Range.exactly(HOUR), find_power(pool, site), find_chip_hour(pool, site), site)
    assert bill.cost is None
    assert bill.energy.nominal > 0
