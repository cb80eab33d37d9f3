from datetime import date, timedelta

import pytest

from tianji.catalog import load_ownership
from tianji.economics import amortise, own_chip_hour
from tianji.economics.bill import KWH, energy_of
from tianji.economics.ownership import amortise_by_progress, depreciate
from tianji.ranges import Range
from tianji.units import DAY

NETWORK = 0.19 / 0.81
"""Over the servers: Epoch's 19 % of the whole."""


def test_the_annuity_by_hand() -> None:
    """A loan of 1,000 at 10 % over two years is paid back with 576.19 a year."""
    assert amortise(1000.0, 2 * 365.25 * DAY, 0.10) == pytest.approx(576.19, abs=0.01)


def test_epoch_gpt_4_40_16_million_dollars_in_four_components() -> None:
    """25,000 A100 for 95 days; a DGX A100 at 199,000 dollars, bought 90 days after release, used until August 2022."""
    hours = 25_000 * 95 * 24.0
    years = (date(2022, 8, 15) - timedelta(days=95) - (date(2020, 5, 14) + timedelta(days=90))).days / 365.25
    servers = amortise_by_progress(depreciate(199_000 / 8, years), hours)
    chips, network = servers / 1.66, servers * NETWORK
    energy = energy_of(hours, 6500 / 8 * 0.75, 1.25) / KWH * 0.0806
    assert (chips, servers - chips) == pytest.approx((17.89e6, 11.81e6), rel=1e-3)
    assert (network, energy) == pytest.approx((6.965e6, 3.499e6), rel=1e-3)
    assert servers + network + energy == pytest.approx(40.16e6, abs=0.005e6)


def test_epoch_llama_3_1_405b_51_26_million_dollars() -> None:
    """16,384 H100 for 2,142 hours; a DGX H100 at 44,489.88 dollars a chip."""
    hours = 16_384 * 2142.0
    start = date(2024, 7, 23) - timedelta(days=60) - timedelta(hours=2142)
    # The start falls 6 hours before midnight, which costs one day of whole days.
    years = ((start - (date(2022, 9, 20) + timedelta(days=90))).days - 1) / 365.25
    servers = amortise_by_progress(depreciate(44_489.88, years), hours)
    energy = energy_of(hours, 10_200 / 8 * 0.75, 1.1) / KWH * 0.0771
    assert servers * (1 + NETWORK) + energy == pytest.approx(51.26e6, abs=0.03e6)


def test_the_items_of_owning_and_their_cases() -> None:
    items = own_chip_hour(Range.exactly(25_000.0), load_ownership())
    chips = items["chips"].nominal
    assert chips == pytest.approx(25_000 * 0.95 / 4 / (365.25 * 24 * 0.85))
    assert items["servers"].nominal == pytest.approx(0.64 * chips)
    assert items["network"].nominal == pytest.approx(1.64 * chips * NETWORK)
    assert all(item.low < item.nominal < item.high for item in items.values())
