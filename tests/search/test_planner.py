"""A plan with the story behind it: idle chips, what binds, the naive choice, the closest miss."""

from dataclasses import replace

import pytest

import tianji
from samples import CHIP, SPARSE, figure, job, pool
from tianji.catalog import load_model, load_pool
from tianji.errors import IllegalStrategyError, InfeasibleError
from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.prediction import fits, predict
from tianji.search import SearchOptions, plan
from tianji.search.naive import naive_strategy
from tianji.workload import Job, find_precision

REAL = Calibration(chips={CHIP.name: Constants(matmul_half_size=50.0, scale_up_latency=3e-6, scale_out_latency=1e-5)})


def small(memory: float, chips: int = 16) -> Pool:
    return pool(chips, chip=replace(CHIP, memory=figure(memory)))


def test_results_are_the_best_of_the_search() -> None:
    outcome = plan(job(), pool(16), REAL, top=3)
    told = [c.step_time for c in outcome.search.best]
    assert [r.step_time.nominal for r in outcome.results] == pytest.approx(told, rel=1e-12)
    assert [r.plan.strategy for r in outcome.front] == [c.strategy for c in outcome.search.front]
    assert outcome.idle_reason == ""


@pytest.mark.parametrize("chips", [1, 2, 3, 5, 6, 7, 8, 12, 24, 40])
def test_every_chip_works_or_the_plan_says_why_not(chips: int) -> None:
    outcome = plan(job(batch=16), pool(chips), REAL)
    idle = outcome.results[0].plan.idle_chips
    assert 0 <= idle < chips
    assert bool(idle) == bool(outcome.idle_reason)
    if idle:
        assert f"{idle:,} of {chips:,} chips stand idle" in outcome.idle_reason


@pytest.mark.parametrize(
    ("many", "fewer", "batch"),
    [(13, 12, 2048), (31, 24, 2048), (65, 64, 2048), (184, 128, 2048), (376, 256, 2048), (192, 160, 1000)],
)
def test_a_number_of_chips_that_divides_badly_is_no_slower_than_a_smaller_one(
    many: int, fewer: int, batch: int
) -> None:
    task, where = Job(load_model("llama-3.1-8b"), 8192, batch, find_precision("bf16")), load_pool("hgx-h100")
    slow, quick = (plan(task, where.with_chips(n)).results[0].step_time.nominal for n in (many, fewer))
    assert slow <= quick


def test_a_prime_that_no_axis_takes_is_named() -> None:
    # 11 nodes of 8: no 11 in 8 heads, 1,024 tokens or 16 sequences, and only 8 layers
    outcome = plan(job(batch=16), pool(88), REAL)
    assert outcome.results[0].plan.strategy.chips < 88
    assert "no axis takes the factor 11 of 88" in outcome.idle_reason


def test_long_searches_end_with_the_second_number_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    every = plan(job(batch=16), pool(88), REAL, smaller=())
    monkeypatch.setattr("tianji.search.planner.MANY", 0)
    first = plan(job(batch=16), pool(88), REAL, smaller=())
    assert first.search.candidates < every.search.candidates
    assert first.results[0].step_time.nominal <= 1.1 * every.results[0].step_time.nominal


def test_a_batch_of_a_prime_size() -> None:
    outcome = plan(job(batch=13), pool(16), REAL)
    assert outcome.results[0].plan.strategy.dp in (1, 13)
    assert outcome.results[0].plan.strategy.chips + outcome.results[0].plan.idle_chips == 16


def test_held_fields_stay() -> None:
    outcome = plan(job(), pool(16), REAL, fixed={"tp": 2, "zero": 3})
    assert all((r.plan.strategy.tp, r.plan.strategy.zero) == (2, 3) for r in outcome.results)


def test_a_layout_is_listed_once_at_its_better_placement() -> None:
    def without(placement: str) -> list[Strategy]:
        return [r.plan.strategy for r in plan(job(), pool(16), REAL, top=20, fixed={"placement": placement}).results]

    listed = [r.plan.strategy for r in plan(job(), pool(16), REAL, top=20).results]
    assert len(listed) == 20
    assert len({replace(s, placement="dp-inside") for s in listed}) == 20
    assert set(listed) <= {*without("dp-inside"), *without("pp-inside")}


def test_no_legal_strategy() -> None:
    with pytest.raises(IllegalStrategyError, match="tp=3 does not divide the 8 attention heads"):
        plan(job(), pool(16), REAL, fixed={"tp": 3})


def test_a_degree_that_divides_nothing_is_refused_for_itself_alone() -> None:
    with pytest.raises(IllegalStrategyError) as caught:
        plan(job(), pool(16), REAL, fixed={"tp": 3})
    said = str(caught.value)
    assert "tp·pp·cp = 3 does not divide 16 chips; tp=3 does not divide the 8 attention heads" in said
    assert "batch of 64 sequences" not in said
    assert "does not divide by cp" not in said


def test_nothing_fits_and_the_closest_miss_is_named() -> None:
    with pytest.raises(InfeasibleError) as caught:
        plan(job(SPARSE), small(1e6), REAL)
    for part in (
        "no plan for small-moe fits 16 chips",
        "the closest (tp=",
        "more than the usable 940 kB",
        "Take more chips",
    ):
        assert part in str(caught.value)


def test_the_naive_choice_fills_the_node_and_takes_the_smallest_pipeline() -> None:
    naive = naive_strategy(job(), pool(16), REAL)
    assert naive is not None
    assert (naive.tp, naive.pp, naive.dp) == (8, 1, 2)


def test_the_naive_choice_fits_as_its_prediction_does() -> None:
    constants = REAL.constants(pool(16).chip)
    for degrees in ({"tp": 8, "dp": 2}, {"pp": 4, "dp": 4, "recompute": "full"}, {"dp": 16, "offload_optimizer": 0.5}):
        for where in (small(3e9), pool(16)):
            one = Plan(job(), where, Strategy(**degrees))
            assert fits(one, constants) == predict(one, REAL).fits


def test_the_best_is_no_slower_than_the_naive() -> None:
    outcome = plan(job(SPARSE), pool(64), REAL)
    assert outcome.naive is not None
    assert outcome.results[0].step_time.nominal <= outcome.naive.step_time.nominal


def test_a_catalog_pair() -> None:
    outcome = plan(tianji.make_job("llama-3.1-8b", global_batch_size=64), tianji.load_pool("hgx-h100").with_chips(8))
    best = outcome.results[0]
    assert best.fits
    assert best.plan.strategy.chips == 8
    assert 0 < best.mfu < 1
    assert outcome.search.feasible <= outcome.search.candidates


def test_an_outcome_is_shown_in_a_line_and_a_plan_too() -> None:
    outcome = plan(job(), pool(16), REAL, top=3)
    for shown in (repr(outcome), repr(outcome.results[0].plan)):
        assert "\n" not in shown
        assert len(shown) < 200
        assert outcome.results[0].plan.pool.name in shown


def test_options_may_be_given_whole_or_one_by_one() -> None:
    whole = plan(job(), pool(16), REAL, SearchOptions(fixed={"tp": 2}, top=2))
    single = plan(job(), pool(16), REAL, SearchOptions(top=7), fixed={"tp": 2}, top=2)
    assert whole.results == single.results == plan(job(), pool(16), REAL, fixed={"tp": 2}, top=2).results
    with pytest.raises(TypeError, match="topp"):
        plan(job(), pool(16), REAL, topp=2)
