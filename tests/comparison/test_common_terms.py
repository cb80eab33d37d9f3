"""What both sides share drops out of a ratio; what is bought is whole units; a firm quote ends the doubt of a price."""

import re
from dataclasses import replace

import pytest

from tianji import load_calibration, load_pool
from tianji.catalog import FirmQuote, make_job
from tianji.comparison import Assumptions
from tianji.comparison.assessment import assess, price_to_buy
from tianji.comparison.measures import MEASURES
from tianji.comparison.side_by_side import set_side_by_side
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.prediction import predict
from tianji.ranges import Range
from tianji.result import Result

OWNED = Assumptions(own=True, site="china")


def result_on(pool: str, chips: int) -> Result:
    job = make_job("llama-3.1-8b", 4096, 512, "1T")
    return predict(Plan(job, load_pool(pool, chips), Strategy(tp=2, dp=chips // 2)), load_calibration())


@pytest.fixture(scope="module")
def results() -> tuple[Result, Result]:
    return result_on("hgx-h100", 64), result_on("cloudmatrix384", 64)


@pytest.mark.parametrize("given", [OWNED, Assumptions(), Assumptions(own=True)])
def test_a_ratio_is_never_wider_than_the_quotient_of_both_ranges(
    given: Assumptions, results: tuple[Result, Result]
) -> None:
    both = set_side_by_side([assess(result, given) for result in results], given)
    for measure in MEASURES:
        ratio, spans = both.ratio(measure.key, 1), [measure.of(a) for a in both.assessments]
        if ratio is None:
            continue
        assert spans[0] is not None
        assert spans[1] is not None
        apart = spans[1] / spans[0]
        assert ratio.nominal == pytest.approx(apart.nominal)
        assert apart.low * (1 - 1e-9) <= ratio.low <= ratio.high <= apart.high * (1 + 1e-9)


def test_a_pool_against_itself_has_no_doubt_but_of_its_speed(results: tuple[Result, Result]) -> None:
    result = replace(results[0], step_time=Range.exactly(results[0].step_time.nominal))
    same = replace(OWNED, chip_prices={"h100-sxm": 30_000.0})
    both = set_side_by_side([assess(result, same)] * 2, same)
    cost, goodput = both.ratio("cost", 1), both.ratio("goodput", 1)
    assert cost is not None
    assert goodput is not None
    power = both.ratio("chip_hour", 1)
    assert power is not None
    assert power.low == pytest.approx(1.0)
    assert power.high == pytest.approx(1.0)
    alone = both.assessments[0].cost
    assert alone is not None
    assert cost.high / cost.low < 0.5 * (alone / alone).high / (alone / alone).low


def test_whole_units_are_bought_and_what_stays_free_is_said(results: tuple[Result, Result]) -> None:
    a = assess(results[1], OWNED)
    assert (a.bought, a.floor_space.units) == (384, 1)
    assert a.chips < a.bought
    assert "1 unit of 384 chips leaves" in a.free
    assert a.capital is not None
    assert a.capital.nominal > 8e6
    assert a.cost_of_run is not None
    assert a.cost is not None
    assert a.cost_of_run.nominal == pytest.approx(a.cost.nominal)
    rented = assess(results[1])
    assert rented.capital is not None
    assert rented.capital.nominal == pytest.approx(a.capital.nominal)
    for either in (a, rented):
        assert re.match(r"owning it costs [\d.]+ times renting it", either.own_or_rent)
    assert a.own_or_rent == rented.own_or_rent
    assert rented.energy_of_run is not None
    assert assess(results[0]).free == ""


def test_a_far_too_large_unit_names_the_smaller_product() -> None:
    a = assess(result_on("atlas-950-superpod", 64), Assumptions(powers={"ascend-950dt": 1000.0}))
    assert "atlas-950-superpod-1024 is sold in units of 1,024" in a.free


def test_a_firm_quote_becomes_the_price_and_has_no_range(results: tuple[Result, Result]) -> None:
    quote = FirmQuote("h100-sxm", "rent", 14.0, "CNY", "2026-11-20", "2027-03-31", 64, "")
    a = assess(results[0], Assumptions(quotes=(quote,), site="china"))
    assert a.chip_hour.price is not None
    assert a.chip_hour.price.is_exact
    assert a.chip_hour.price.nominal == pytest.approx(14.0 / a.site.exchange.value)
    assert a.chip_hour.sources == (quote.words,)
    stated = assess(results[0], Assumptions(quotes=(quote,), rents={"h100-sxm": 3.0}))
    assert stated.chip_hour.sources == ("your own rent",)
    large = replace(quote, volume=128)
    short = assess(results[0], Assumptions(quotes=(large,), site="china"))
    assert any("not taken" in text for text in short.unknown)
    assert short.chip_hour.price is not None
    assert not short.chip_hour.price.is_exact


def test_the_smaller_product_is_priced() -> None:
    a = assess(result_on("atlas-950-superpod", 64), Assumptions(powers={"ascend-950dt": 1000.0}))
    assert "smaller: 1 × 1,024 chips of atlas-950-superpod-1024 with another chip" in a.bought_words
    dear = a.under(replace(a.given, unit_prices={"atlas-950-superpod-1024": 40e6}))
    price = price_to_buy(load_pool("atlas-950-superpod-1024"), dear.given)
    assert price is not None
    assert price.nominal >= 40e6
    assert f"{price.nominal / 1e6:.3g} M USD" in dear.bought_words
