import pytest

from tianji.catalog import load_ownership
from tianji.economics import amortise, own_chip_hour
from tianji.ranges import Range
from tianji.units import DAY

NETWORK = 0.19 / 0.81
"""Over the servers: Epoch's 19 % of the whole."""


def test_the_annuity_by_hand() -> None:
    """A loan of 1,000 at 10 % over two years is paid back with 576.19 a year."""
    assert amortise(1000.0, 2 * 365.25 * DAY, 0.10) == pytest.approx(576.19, abs=0.01)


def test_the_items_of_owning_and_their_cases() -> None:
    items = own_chip_hour(Range.exactly(25_000.0), load_ownership())
    chips = items["chips"].nominal
    assert chips == pytest.approx(25_000 * 0.95 / 4 / (365.25 * 24 * 0.85))
    assert items["servers"].nominal == pytest.approx(0.64 * chips)
    assert items["network"].nominal == pytest.approx(1.64 * chips * NETWORK)
    assert all(item.low < item.nominal < item.high for item in items.values())
