"""What holds of any bill: twice the time costs twice, items add up, and dearer terms never make a cheaper chip-hour."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tianji.catalog import load_ownership, load_pool, load_site
from tianji.economics import amortise, find_chip_hour, find_floor_space, find_power, own_chip_hour, price_run
from tianji.hardware import Figure
from tianji.ranges import CASES, Range
from tianji.units import DAY, HOUR

SITE = load_site("usa")
TERMS = load_ownership()
POOL = load_pool("hgx-h100", 64)
POWER = find_power(POOL, SITE)
CHIP_HOURS = {own: find_chip_hour(POOL, SITE, own=own) for own in (False, True)}
DEARER = ("server_overhead", "network_share", "storage_share", "interest", "staff")
CHEAPER = ("lifetime", "residual", "used_share")

dollars = st.floats(100.0, 1e6)
ranges = st.tuples(dollars, dollars, dollars).map(lambda three: Range(*sorted(three)))
chips = st.integers(1, 512).map(lambda nodes: 8 * nodes)


@given(st.floats(1.0, 1e4), st.floats(1.0, 100.0), st.booleans())
def test_a_bill_grows_with_time_and_its_items_add_up(hours: float, times: float, own: bool) -> None:
    short, long = (price_run(Range.exactly(h * HOUR), POWER, CHIP_HOURS[own], SITE) for h in (hours, hours * times))
    assert short.cost is not None
    assert long.cost is not None
    for case in CASES:
        assert getattr(long.cost, case) == pytest.approx(times * getattr(short.cost, case))
        assert getattr(long.energy, case) == pytest.approx(times * getattr(short.energy, case))
        assert sum(getattr(item, case) for item in short.items.values()) == pytest.approx(getattr(short.cost, case))


@settings(max_examples=20)
@given(chips, st.integers(2, 8))
def test_power_floor_and_rent_grow_with_the_chips(count: int, times: int) -> None:
    few, many = (load_pool("cloudmatrix384", n) for n in (count, count * times))
    small, large = find_power(few, SITE), find_power(many, SITE)
    assert large.site.nominal == pytest.approx(times * small.site.nominal)
    assert small.chip == large.chip
    assert (find_floor_space(many).cabinets or 0) >= (find_floor_space(few).cabinets or 0)
    bills = [price_run(Range.exactly(HOUR), p, find_chip_hour(few, SITE, rent=2.0), SITE) for p in (small, large)]
    costs = [bill.cost.nominal for bill in bills if bill.cost is not None]
    assert costs == pytest.approx([2.0 * count, 2.0 * count * times])


@given(ranges, st.floats(0.1, 10.0))
def test_owning_is_proportional_to_the_price_of_a_chip(price: Range, times: float) -> None:
    items, scaled = own_chip_hour(price, TERMS), own_chip_hour(price * times, TERMS)
    for name, item in items.items():
        for case in CASES:
            assert getattr(scaled[name], case) == pytest.approx(times * getattr(item, case))


@given(st.sampled_from((*DEARER, *CHEAPER)), st.floats(0.5, 1.0))
def test_each_term_moves_the_chip_hour_its_own_way(term: str, less: float) -> None:
    figure = getattr(TERMS, term)
    lower = Figure(max(figure.value * less, 1.0 if term == "server_overhead" else 0.0), "", "user")
    given = replace(TERMS, **{term: Figure(figure.value, "", "user")})
    before, after = (
        Range.total(own_chip_hour(Range.exactly(25_000.0), terms).values()).nominal
        for terms in (given, replace(TERMS, **{term: lower}))
    )
    assert after <= before * (1 + 1e-12) if term in DEARER else after >= before * (1 - 1e-12)


@given(dollars, st.floats(1.0, 10.0), st.floats(0.001, 0.5), st.floats(0.0, 0.9))
def test_interest_is_paid_on_top_of_the_straight_line(price: float, years: float, interest: float, rest: float) -> None:
    lifetime = years * 365.25 * DAY
    straight, annuity = (amortise(price, lifetime, i, rest) for i in (0.0, interest))
    assert straight * years == pytest.approx(price * (1 - rest))
    assert straight < annuity <= (straight + interest * price) * (1 + 1e-9)
    assert amortise(price, lifetime, 1e-9, rest) == pytest.approx(straight, rel=1e-4)
