"""How sure a plan's memory is: its range, the chance that it does not fit, and the reserve that a search keeps."""

from dataclasses import replace

import pytest

from samples import CHIP, SPARSE, figure, flat, job
from tianji.catalog import load_calibration
from tianji.hardware.uncertainty import RANGE_80
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.prediction.balance import CASES, describe_balance
from tianji.result import Result
from tianji.search import plan


def sized(bytes_of_chip: float) -> Result:
    """Return a prediction on chips of so many usable bytes."""
    pool = replace(flat(8, chip=replace(CHIP, memory=figure(bytes_of_chip), ecosystem="cuda")), usable_memory=1.0)
    return predict(Plan(job(), pool, Strategy(dp=8)))


def test_the_range_is_around_the_total_and_its_ends_are_as_likely() -> None:
    result = sized(100e9)
    low, high = result.memory_range.low, result.memory_range.high
    assert low < result.memory_total < high
    assert low * high == pytest.approx(result.memory_total**2)
    assert sized(high).misfit_chance == pytest.approx(0.1, abs=1e-3)
    assert sized(low).misfit_chance == pytest.approx(0.9, abs=1e-3)
    assert sized(result.memory_total).misfit_chance == pytest.approx(0.5)
    assert pytest.approx(1.2816, abs=1e-4) == RANGE_80


def test_pure_physics_is_sure() -> None:
    result = predict(Plan(job(), flat(8), Strategy(dp=8)), load_calibration("none"))
    assert (result.memory_error, result.misfit_chance) == (0.0, 0.0)
    assert result.memory_range.is_exact


def test_a_search_leaves_its_reserve_or_says_that_none_can() -> None:
    free = plan(job(), flat(8), top=1).best
    tight = flat(8, chip=replace(CHIP, memory=figure(free.memory_total / 0.99 / flat(8).usable_memory)))
    assert plan(job(), tight, top=1).best.memory_total == pytest.approx(free.memory_total)
    with_reserve = plan(job(), tight, top=1, margin=0.2)
    assert with_reserve.best.memory_total <= 0.8 * with_reserve.best.memory_limit
    one = {"tp": 1, "pp": 1, "cp": 1, "dp": 8, "zero": 1, "micro_batch_size": 8, "recompute": "none"}
    only = plan(job(), flat(8), top=1, fixed=one).best.memory_total
    full = flat(8, chip=replace(CHIP, memory=figure(only / 0.99 / flat(8).usable_memory)))
    unsaid = plan(job(), full, top=1, margin=0.2, fixed=one)
    assert "no plan leaves the reserve of 20 %" in unsaid.binding[0]
    assert unsaid.best.fits


def test_what_experts_out_of_balance_cost_is_said_once() -> None:
    result = predict(Plan(job(SPARSE), flat(8), Strategy(dp=8, ep=8)))
    calibration = load_calibration()
    (said,) = describe_balance(result, calibration)
    assert all(f"{load:g} (+" in said for load in CASES)
    stated = predict(Plan(job(SPARSE, moe_imbalance=1.3), flat(8), Strategy(dp=8, ep=8)))
    for other in (stated, predict(Plan(job(), flat(8), Strategy(dp=8)))):
        assert describe_balance(other, calibration) == ()
