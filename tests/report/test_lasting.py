"""Every plan says what failures leave of it."""

from dataclasses import replace

import pytest

from tianji import Plan, Reliability, Strategy, load_pool, make_job
from tianji.catalog.mixtures import load_mixture
from tianji.prediction import predict
from tianji.prediction.goodput import expect_goodput
from tianji.report.lasting import lasting_document, lasting_lines
from tianji.result import Result
from tianji.search.mixed_planner import MixedOutcome, plan_mixture


@pytest.fixture(scope="module")
def result() -> Result:
    job = make_job("llama-3.1-70b", tokens="1T")
    return predict(Plan(job, load_pool("hgx-h100", 1024), Strategy(tp=8, pp=4, dp=32)))


def test_the_document_agrees_with_the_goodput_of_the_plan(result: Result) -> None:
    found, document = expect_goodput(result), lasting_document(result)
    assert document["goodput"]["nominal"] == found.goodput.nominal
    assert document["useful_tokens_per_s"] == pytest.approx(result.tokens_per_s * found.goodput.nominal)
    assert result.days is not None
    assert document["days"] == pytest.approx(result.days / found.goodput.nominal)


def test_the_run_with_failures_ends_later_than_without(result: Result) -> None:
    lines = dict(lasting_lines(result))
    assert "with failures" in lines["run"]
    assert lasting_document(result)["days"] > result.days


def test_a_lost_replica_costs_less_than_a_lost_job(result: Result) -> None:
    whole, part = (lasting_document(result, Reliability(loss=loss)) for loss in ("job", "replica"))
    assert whole == lasting_document(result)
    assert (whole["loss"], whole["replicas"], part["loss"], part["replicas"]) == ("job", 1, "replica", 32)
    assert part["goodput"]["nominal"] > whole["goodput"]["nominal"]
    assert (
        "stops one of 32 replicas, 32 chips, not the job"
        in dict(lasting_lines(result, Reliability(loss="replica")))["loss"]
    )


def test_what_a_lost_replica_asks_of_the_plan_is_said(result: Result) -> None:
    assert "ZeRO spreads over 32 ranks" in lasting_document(result, Reliability(loss="replica"))["loss_in_words"]
    inside = replace(result.plan.strategy, zero=3, zero_group=2)
    pods = Reliability(loss="replica", replica_chips=64)
    safe = predict(replace(result.plan, strategy=inside))
    assert "ZeRO" not in lasting_document(safe, pods)["loss_in_words"]


def test_experts_that_are_spread_over_replicas_make_one_copy_of_them() -> None:
    plan = Plan(make_job("mixtral-8x7b"), load_pool("hgx-h100", 128), Strategy(tp=2, ep=8, dp=64))
    found = expect_goodput(predict(plan), Reliability(loss="replica"))
    assert found.replicas == 128 // 8
    assert expect_goodput(predict(plan), Reliability(loss="replica", replica_chips=4)).replicas == 128 // 8


@pytest.fixture(scope="module")
def mixed() -> MixedOutcome:
    found = load_mixture("a100-h100")
    small = replace(found, parts=tuple(part.with_chips(16) for part in found.parts))
    return plan_mixture(make_job("llama-3.1-8b", 4096, 128, "1T"), small)


def test_a_mixture_says_what_failures_leave_of_it(mixed: MixedOutcome) -> None:
    document, lines = lasting_document(mixed), dict(lasting_lines(mixed))
    assert mixed.choice == "batches"
    # Two nodes of eight A100 and two of eight H100, 3.789e-3 failures of each in a day.
    assert document["mean_time_between_failures_s"] == pytest.approx(86400 / (4 * 3.789e-3))
    share = document["goodput"]["nominal"]
    assert document["useful_tokens_per_s"] == pytest.approx(mixed.tokens_per_s * share)
    assert mixed.days is not None
    assert document["days"] == pytest.approx(mixed.days / share)
    assert f"{share:.1%}" in lines["goodput"]
    assert "with failures" in lines["run"]


def test_a_mixture_says_why_it_cannot_lose_a_replica_alone(mixed: MixedOutcome) -> None:
    lost = Reliability(loss="replica")
    assert lasting_document(mixed, lost)["goodput"] is None
    assert "priced on a pool of one chip only" in lasting_document(mixed, lost)["reason"]
    assert "not known: a lost replica" in dict(lasting_lines(mixed, lost))["goodput"]
