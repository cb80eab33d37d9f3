import pytest

from tianji.catalog import load_pool
from tianji.comparison import Assumptions, assess
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.units import TERA
from tianji.workload import Job

STRATEGY = Strategy(tp=8, pp=2, dp=16)


def test_an_assessment_by_hand(job: Job, h100: Pool, calibration: Calibration) -> None:
    result = predict(Plan(job, h100, STRATEGY), calibration)
    a = assess(result, Assumptions(rents={"h100-sxm": 2.0}, pue=1.25))
    useful = result.tokens_per_s * a.goodput.nominal.goodput
    assert a.useful.nominal == pytest.approx(useful)
    assert a.useful.low < a.useful.nominal < a.useful.high
    assert a.days is not None
    assert a.days.nominal == pytest.approx(15e12 / useful / 86400)
    assert a.chips == 256 + 8 * a.goodput.spare_nodes
    assert a.cost is not None
    assert a.cost.nominal == pytest.approx(TERA / useful / 3600 * a.chips * 2.0)
    assert a.cost_per_hour is not None
    assert a.cost_per_hour.nominal == pytest.approx(a.chips * 2.0)
    assert a.bill is not None
    assert a.bill.energy.nominal == pytest.approx(TERA / useful * a.chips * 1730 * 1.25)


def test_a_higher_rent_costs_more_and_nothing_else(job: Job, h100: Pool, calibration: Calibration) -> None:
    result = predict(Plan(job, h100, STRATEGY), calibration)
    cheap, dear = (assess(result, Assumptions(rents={"hgx-h100": usd})) for usd in (1.0, 3.0))
    assert cheap.cost is not None
    assert dear.cost is not None
    assert dear.cost.nominal == pytest.approx(3 * cheap.cost.nominal)
    assert (cheap.useful, cheap.days) == (dear.useful, dear.days)


def test_what_nobody_published_is_named_with_its_bracket(job: Job, calibration: Calibration) -> None:
    pool = load_pool("atlas-950-superpod", 256)
    a = assess(predict(Plan(job, pool, STRATEGY), calibration))
    assert a.cost is None
    assert len(a.unknown) == 1
    assert "--rent ascend-950dt=USD" in a.unknown[0]
    assert "a bracket and not a price" in a.unknown[0]
