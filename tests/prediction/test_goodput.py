"""Goodput of a predicted plan: what of the plan failures can hit, and which way it is computed."""

from dataclasses import replace

import pytest
from tests.samples import make_plan

from tianji import Plan, Reliability, Strategy, load_pool, make_job
from tianji.errors import EnvelopeError, UnknownNameError
from tianji.prediction import predict
from tianji.prediction.goodput import expect_goodput, find_exposure
from tianji.prediction.remedies import (
    FINE,
    MOST_WRITING,
    TOLERANCE,
    recommend_interval,
    weigh_choices,
    weigh_intervals,
    weigh_spares,
)
from tianji.result import Result

PLAN = Plan(make_job("llama-3.1-70b"), load_pool("hgx-h100", 1024), Strategy(tp=8, pp=4, dp=32))
RESULT = predict(PLAN)


def test_the_checkpoint_holds_each_parameter_once() -> None:
    # 2 bytes of weights and 12 of the optimizer.
    assert find_exposure(RESULT).state == pytest.approx(14 * 70.55e9, rel=1e-3)


@pytest.mark.parametrize("zero", [0, 1, 3])
def test_the_fullest_chip_writes_at_least_its_share(zero: int) -> None:
    result = predict(replace(PLAN, strategy=replace(PLAN.strategy, zero=zero)))
    found = find_exposure(result)
    assert found.state / 1024 <= found.share < 1.3 * found.state / 1024


def test_expert_parallel_plans_have_a_share_too() -> None:
    job = make_job("deepseek-v3", precision="bf16")
    result = predict(Plan(job, load_pool("cloudmatrix384", 384), Strategy(tp=1, pp=16, dp=24, ep=8, zero=1)))
    found = find_exposure(result)
    assert found.state == pytest.approx(14 * 671e9, rel=1e-3)
    assert found.share >= found.state / 384


def test_many_failures_make_the_low_goodput() -> None:
    found = expect_goodput(RESULT)
    assert 0.95 < found.low.goodput < found.nominal.goodput < found.high.goodput < 1
    assert found.goodput.leans_on == "failure profile default"
    assert found.spare_nodes == found.low.spares_needed >= found.nominal.spares_needed >= found.high.spares_needed


def test_512_chips_lose_3686_chip_hours_a_month_with_each_point() -> None:
    # At the list price of a B200 chip-hour, 11.2774 USD, that is the published 41,573 USD.
    found = replace(expect_goodput(RESULT), chips=512)
    assert found.chip_hours(0.01, 720) == pytest.approx(3686.4)
    assert found.chip_hours(0.01, 720) * 11.2774 == pytest.approx(41_573, rel=1e-4)


def test_the_closed_form_or_the_sample_answers() -> None:
    clustered = Reliability(shape=0.7)
    with pytest.raises(EnvelopeError, match="Weibull"):
        expect_goodput(RESULT, clustered, method="closed")
    sampled = expect_goodput(RESULT, clustered, jobs=100)
    assert sampled.nominal.standard_error > 0
    assert expect_goodput(RESULT).nominal.standard_error == 0


def test_both_ways_agree() -> None:
    closed, drawn = expect_goodput(RESULT, method="closed"), expect_goodput(RESULT, method="montecarlo", jobs=2000)
    for first, second in zip(
        (closed.low, closed.nominal, closed.high), (drawn.low, drawn.nominal, drawn.high), strict=True
    ):
        assert second.goodput == pytest.approx(first.goodput, rel=0.01)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="montecarlo"):
        expect_goodput(RESULT, method="monte-carlo")


def test_choices_are_weighed_side_by_side() -> None:
    found = weigh_choices(RESULT)
    assert found["process restart"].nominal.goodput > found["job restart"].nominal.goodput
    assert found["synchronous saves"].nominal.goodput < found["job restart"].nominal.goodput
    assert found["job restart"] == expect_goodput(RESULT)


def test_a_plan_with_one_replica_has_no_choice_of_losing_one() -> None:
    alone = predict(make_plan(Strategy(tp=8, pp=2)))
    assert "lost replica, not lost job" not in weigh_choices(alone)


def test_a_measured_result_without_memory_will_do() -> None:
    bare: Result = replace(RESULT, kind="measured", memory={}, stages=())
    assert expect_goodput(bare).nominal.goodput == pytest.approx(expect_goodput(RESULT).nominal.goodput, rel=1e-3)


@pytest.mark.parametrize("chips", [512, 8192])
def test_the_recommended_interval_is_the_longest_that_costs_a_tenth_of_a_point(chips: int) -> None:
    result = predict(
        Plan(make_job("llama-3.1-70b"), load_pool("hgx-h100", chips), Strategy(tp=8, pp=4, dp=chips // 32))
    )
    choices = weigh_intervals(result)
    best = next(c for c in choices if c.is_best)
    recommended = next(c for c in choices if c.is_recommended)
    assert [c.interval for c in choices] == sorted(c.interval for c in choices)
    assert recommended.writing <= MOST_WRITING
    assert best.goodput.nominal.goodput == max(c.goodput.nominal.goodput for c in choices)
    floor = best.goodput.nominal.goodput - TOLERANCE
    least = best.goodput.nominal.drain_time / MOST_WRITING
    if least < best.interval:  # not the pause of the storage but the goodput decides
        longer = expect_goodput(result, Reliability(interval=recommended.interval * FINE * 1.001))
        assert recommended.goodput.nominal.goodput >= floor > longer.nominal.goodput
    assert recommend_interval(result) == recommended.interval


def test_more_spares_never_leave_less() -> None:
    result = predict(Plan(make_job("llama-3.1-70b"), load_pool("hgx-h100", 2048), Strategy(tp=8, pp=4, dp=64)))
    shares = [goodput.nominal.goodput for goodput in weigh_spares(result).values()]
    assert shares == sorted(shares)
    assert len(shares) > 3
    assert weigh_spares(result, Reliability(replacement="shrink")) == {}
    assert weigh_intervals(result, Reliability(loss="replica")) == []
