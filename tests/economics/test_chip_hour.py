import pytest

from tianji.catalog import load_ownership, load_pool, load_quotes, load_site
from tianji.economics import find_chip_hour

CHINA, USA = load_site("china"), load_site("usa")


@pytest.mark.parametrize(
    ("chip", "yuan"), [("ascend-910c", 11.3), ("ascend-910b2", 2.4), ("h800", 12.0), ("h100-sxm", 15.1)]
)
def test_rents_in_china_october_2026(chip: str, yuan: float) -> None:
    found = [q for q in load_quotes() if (q.chip, q.date, q.currency) == (chip, "2026-10", "CNY")]
    assert [q.amount.value for q in found] == [yuan]


def test_every_quote_has_a_currency_and_a_date() -> None:
    assert all(q.currency and len(q.date) >= 7 for q in load_quotes())


def test_the_site_chooses_among_quotes() -> None:
    pool = load_pool("hgx-h100")
    here, there = find_chip_hour(pool, USA), find_chip_hour(pool, CHINA)
    assert here.price is not None
    assert there.price is not None
    assert here.price.nominal == pytest.approx(1.3)
    assert there.price.nominal == pytest.approx(15.1 / 7.14)
    assert here.price.low == there.price.low == 1.3
    assert here.price.high == pytest.approx(15.1 / 7.14)


def test_atlas_950_has_no_price_but_a_bracket() -> None:
    hour = find_chip_hour(load_pool("atlas-950-superpod"), CHINA)
    assert hour.basis == "unknown"
    assert hour.price is None
    assert hour.bracket is not None
    assert 0.5 < hour.bracket.low < hour.bracket.high < 10
    assert find_chip_hour(load_pool("atlas-950-superpod"), CHINA, rent=1.5).price is not None


def test_a_unit_is_bought_at_its_own_price_where_that_is_known() -> None:
    pool, terms = load_pool("cloudmatrix384"), load_ownership()
    hour = find_chip_hour(pool, CHINA, own=True)
    years = terms.lifetime.value / (365.25 * 86400)
    share = 8e6 / 384 * (1 - terms.residual.value) / years / (365.25 * 24 * terms.used_share.value)
    assert hour.items["unit"].nominal == pytest.approx(share)
    assert not {"chips", "servers", "network"} & set(hour.items)
    assert "of a unit of 384 chips" in hour.sources[0]


def test_joined_units_need_a_network_between_them() -> None:
    one, two = (find_chip_hour(load_pool("cloudmatrix384", chips), CHINA, own=True) for chips in (384, 768))
    assert set(two.items) - set(one.items) == {"network"}
    assert one.price is not None
    assert two.price is not None
    assert one.price.nominal < two.price.nominal


def test_a_stated_price_of_a_unit_goes_before_all_published_ones() -> None:
    pool = load_pool("cloudmatrix384")
    stated = find_chip_hour(pool, CHINA, unit_price=16e6)
    published = find_chip_hour(pool, CHINA, own=True)
    assert stated.items["unit"].nominal == pytest.approx(2 * published.items["unit"].nominal)
    assert stated.basis == "own"
    chips = find_chip_hour(pool, CHINA, chip_price=16e6 / 384)
    assert "chips" in chips.items
