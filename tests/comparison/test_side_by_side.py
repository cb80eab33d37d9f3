import math
from dataclasses import replace

import pytest

from tianji.catalog import load_pool
from tianji.comparison import Assumptions, assess, compare
from tianji.comparison.side_by_side import describe_verdicts
from tianji.economics import price_run
from tianji.errors import FormatError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.ranges import Range
from tianji.units import HOUR, TERA
from tianji.workload import Job


def test_a_pool_against_itself_is_one_to_one_without_a_verdict(job: Job, h100: Pool, calibration: Calibration) -> None:
    found = compare([(job, h100), (job, h100)], calibration)
    ratio = found.ratios("useful_tokens_per_day")[1]
    assert ratio is not None
    assert ratio.nominal == 1.0
    assert ratio.low < 1 < ratio.high
    assert all(sentence.startswith("No verdict") for sentence in found.verdicts)


def test_four_times_the_chips_are_ahead_and_their_number_decides(
    job: Job, h100: Pool, calibration: Calibration
) -> None:
    found = compare([(job, load_pool("hgx-h100", 64)), (job, h100)], calibration)
    assert found.verdicts[0].startswith("256 × hgx-h100 is ahead")
    assert "decided by the number of chips ×4.00" in found.verdicts[0]
    assert "×1.00" not in found.verdicts[0]


def test_no_price_no_verdict_on_cost(job: Job, h100: Pool, calibration: Calibration) -> None:
    found = compare([(job, h100), (job, load_pool("atlas-950-superpod", 256))], calibration)
    assert found.verdicts[1].startswith("No verdict on cost: no price is known of 256 × atlas-950-superpod")


def test_the_factors_multiply_to_the_ratio(job: Job, h100: Pool, calibration: Calibration) -> None:
    from tianji.comparison.side_by_side import _cost_factors, _speed_factors

    a, b = compare([(job, h100), (job, load_pool("cloudmatrix384", 256))], calibration).assessments
    assert math.prod(_speed_factors(a, b).values()) == pytest.approx(a.useful.nominal / b.useful.nominal)
    assert a.cost is not None
    assert b.cost is not None
    assert math.prod(_cost_factors(a, b).values()) == pytest.approx(a.cost.nominal / b.cost.nominal)


def test_one_pool_is_no_comparison(job: Job, h100: Pool, calibration: Calibration) -> None:
    with pytest.raises(FormatError, match="at least two pools"):
        compare([(job, h100)], calibration)


def test_a_rent_decides_the_cost(job: Job, h100: Pool, calibration: Calibration) -> None:
    a = compare([(job, h100), (job, h100)], calibration).assessments[0].result
    cheap, dear = (assess(a, Assumptions(rents={"hgx-h100": usd})) for usd in (0.1, 10.0))
    assert "decided by the price of a chip-hour ×100" in describe_verdicts((cheap, dear))[1]


def test_no_verdict_says_what_would_decide(job: Job, h100: Pool, calibration: Calibration) -> None:
    said = compare([(job, h100), (job, load_pool("cloudmatrix384", 256))], calibration).verdicts
    assert said[0].startswith("No verdict")
    assert "The widest part is the speed of 256 × cloudmatrix384" in said[0]
    assert "a measured step of llama-3.1-70b on cloudmatrix384 would narrow it most" in said[0]


def test_the_widest_part_may_be_a_price(job: Job, h100: Pool, calibration: Calibration) -> None:
    a = compare([(job, h100), (job, h100)], calibration).assessments[0]
    assert a.chip_hour.price is not None
    nominal = a.chip_hour.price.nominal
    dear = replace(a.chip_hour, price=Range(nominal / 9, nominal, nominal * 9))
    assert a.power is not None
    bill, hourly_bill = (price_run(time, a.power, dear, a.site) for time in (TERA / a.useful, Range.exactly(HOUR)))
    unsure = replace(a, chip_hour=dear, bill=bill, hourly_bill=hourly_bill)
    assert "a firm price of h100-sxm would narrow it most" in describe_verdicts((a, unsure))[1]


def test_the_bill_of_an_hour_is_that_of_the_run_per_hour(job: Job, h100: Pool, calibration: Calibration) -> None:
    a = compare([(job, h100), (job, h100)], calibration).assessments[0]
    assert a.cost is not None
    assert a.cost_per_hour is not None
    hours = 10**12 / a.useful.nominal / 3600
    assert a.cost_per_hour.nominal * hours == pytest.approx(a.cost.nominal)
    assert a.chip_hour.price is not None
    assert a.cost_per_hour.high == pytest.approx(a.chip_hour.price.high * a.chips)


def test_rented_beside_bought_is_said(job: Job, h100: Pool, calibration: Calibration) -> None:
    both = compare([(job, h100), (job, h100)], calibration, Assumptions())
    one, other = both.assessments
    bought = replace(other, chip_hour=replace(other.chip_hour, basis="own"))
    assert not any("two kinds" in sentence for sentence in both.verdicts)
    (said,) = [sentence for sentence in describe_verdicts([one, bought]) if "two kinds" in sentence]
    assert "is rented" in said and "is bought" in said and "--buy" in said
