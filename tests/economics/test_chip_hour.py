import pytest

from tianji.catalog import load_pool, load_quotes, load_site
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
