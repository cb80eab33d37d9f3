"""One plan in, one result out."""

import math
from dataclasses import replace

import pytest

from samples import CHIP, DENSE, SPARSE, figure, make_plan
from tianji.catalog import load_calibration, load_pool, make_job
from tianji.errors import IllegalStrategyError
from tianji.hardware.calibration import Calibration, Evidence, Spread
from tianji.hardware.constants import Constants
from tianji.hardware.uncertainty import DOUBTED, RANGE_80
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import predict, predict_together
from tianji.units import GB, TERA
from tianji.workload.layers import step_flops

PHYSICS = Calibration()


def test_what_a_prediction_carries() -> None:
    plan = make_plan(Strategy(tp=2, pp=2, dp=2))
    found = predict(plan)
    assert (found.plan, found.kind) == (plan, "predicted")
    assert found.peak == 100 * TERA
    assert found.memory_limit == pytest.approx(94 * GB)
    assert found.model_flops == step_flops(DENSE, 1024, 64 * 1024)
    assert len(found.stages) == 2
    assert found.memory == found.stages[found.worst_stage]


def test_the_range_is_the_calibrations() -> None:
    spread = Calibration(spreads={CHIP.name: {"dense": Spread(0.9, 1.3, "measured")}})
    found = predict(make_plan(Strategy(dp=8)), spread).step_time
    assert (found.low, found.high) == (0.9 * found.nominal, 1.3 * found.nominal)
    assert found.leans_on.startswith("measured: ")


def test_a_constant_that_few_runs_told_about_widens_the_range_by_its_share_of_the_time() -> None:
    unsure = Calibration(
        chips={CHIP.name: Constants(matmul_efficiency=0.5)},
        evidence={CHIP.name: {"matmul_efficiency": Evidence("fitted", 3, standard_error=1.0)}},
        spreads={CHIP.name: {"dense": Spread(0.9, 1.1, "measured")}},
    )
    found = predict(make_plan(Strategy()), unsure)
    share = found.breakdown["matmul"] / found.step_time.nominal
    assert 0.1 < share < 1.0
    high = math.hypot(math.log(1.1), RANGE_80 * DOUBTED * share)
    assert found.step_time.high / found.step_time.nominal == pytest.approx(math.exp(high), rel=1e-3)
    assert found.step_time.leans_on.endswith("; least sure of matmul efficiency")


def test_no_end_of_a_range_is_above_the_peak() -> None:
    wide = Calibration(spreads={CHIP.name: {"dense": Spread(0.001, 1.3, "inherited")}})
    found = predict(make_plan(Strategy(dp=8)), wide)
    assert found.step_time.low == pytest.approx(found.model_flops / (8 * 100 * TERA))
    assert found.step_time.low < found.step_time.nominal


def test_constants_of_the_chip_are_used() -> None:
    slow = Calibration(chips={CHIP.name: Constants(matmul_efficiency=0.5)})
    assert predict(make_plan(Strategy()), slow).breakdown["matmul"] == pytest.approx(
        2 * predict(make_plan(Strategy()), PHYSICS).breakdown["matmul"], rel=0.05
    )


def test_an_illegal_strategy_is_refused_with_its_reason() -> None:
    with pytest.raises(IllegalStrategyError, match="does not divide the 8 attention heads"):
        predict(make_plan(Strategy(tp=3)))


def test_what_does_not_fit_is_still_a_result() -> None:
    plan = make_plan(Strategy(dp=8), SPARSE)
    small = replace(plan, pool=replace(plan.pool, chip=replace(CHIP, memory=figure(1.0))))
    assert predict(plan, PHYSICS).fits
    assert not predict(small, PHYSICS).fits
    assert predict(small, PHYSICS).step_time == predict(plan, PHYSICS).step_time


@pytest.mark.parametrize("calibration", ["default", "none"])
def test_plans_that_are_predicted_together_are_what_they_are_alone(calibration: str) -> None:
    job, pool, constants = make_job("qwen3-30b-a3b", 4096, 96), load_pool("hgx-h100", 16), load_calibration(calibration)
    strategies = [
        Strategy(tp=tp, pp=pp, dp=chips // (tp * pp), ep=ep, zero=zero, recompute=recompute, schedule=schedule)
        for chips in (16, 8)
        for tp, pp, ep in ((1, 1, 8), (2, 2, 2), (1, 4, 2), (4, 1, 4))
        for zero, recompute, schedule in ((1, "none", "1f1b"), (0, "full", "gpipe"))
    ]
    together = predict_together(job, pool, strategies, constants)
    assert together == tuple(predict(Plan(job, pool, s), constants) for s in strategies)
    assert len({result.step_time.nominal for result in together}) == len(strategies)
