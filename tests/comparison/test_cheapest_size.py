import pytest

from tianji.catalog import load_pool
from tianji.comparison.assessment import Assumptions, assess
from tianji.comparison.cheapest_size import find_cheapest_size
from tianji.errors import IllegalStrategyError, UnknownFigureError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.search import plan
from tianji.workload import Job


def test_fewer_chips_make_a_cheaper_token(job: Job, h100: Pool, calibration: Calibration) -> None:
    for objective in ("cost", "energy"):
        found = find_cheapest_size(job, h100, calibration, objective)
        assert 0 < found.pool.chips <= found.offered == h100.chips
        assert found.on_all is not None
        assert found.spent.nominal <= found.on_all.nominal


def test_what_is_spent_is_the_bill_of_the_best_plan(job: Job, h100: Pool, calibration: Calibration) -> None:
    found = find_cheapest_size(job, h100, calibration, "cost", fixed={"tp": 4})
    best = plan(job, found.pool, calibration, fixed={"tp": 4}, top=1).results[0]
    assert best.plan.strategy.tp == 4
    bill = assess(best).bill
    assert bill is not None
    assert found.spent == bill.cost


def test_held_fields_count_when_the_size_is_chosen(job: Job, h100: Pool, calibration: Calibration) -> None:
    assert (
        find_cheapest_size(job, h100, calibration, "cost", fixed={"dp": h100.chips // 8}).pool.chips >= h100.chips // 8
    )
    with pytest.raises(IllegalStrategyError, match="tp=7"):
        find_cheapest_size(job, h100, calibration, "cost", fixed={"tp": 7})


def test_a_pool_without_a_price_has_no_cheapest_size(job: Job, calibration: Calibration) -> None:
    pool = load_pool("atlas-950-superpod", 256)
    with pytest.raises(UnknownFigureError, match="Supply it: --rent ascend-950dt=USD"):
        find_cheapest_size(job, pool, calibration, "cost")
    given = Assumptions(rents={"ascend-950dt": 1.5})
    assert find_cheapest_size(job, pool, calibration, "cost", given).spent.nominal > 0
    assert find_cheapest_size(job, pool, calibration, "energy").pool.chips <= 256
