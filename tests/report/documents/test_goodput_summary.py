"""Every plan says what failures leave of it."""

from dataclasses import replace

import pytest

from tianji import Plan, Reliability, Strategy, load_pool, make_job
from tianji.catalog.mixtures import load_mixture
from tianji.prediction import predict
from tianji.prediction.goodput import expect_goodput
from tianji.report.documents.goodput_summary import GoodputSummaryDocument, goodput_summary_document
from tianji.report.views.plan_result import days_highlights, goodput_highlights, goodput_lead
from tianji.result import Result
from tianji.search.mixed_planner import MixedOutcome, plan_mixture


@pytest.fixture(scope="module")
def result() -> Result:
    job = make_job("llama-3.1-70b", tokens="1T")
    return predict(Plan(job, load_pool("hgx-h100", 1024), Strategy(tp=8, pp=4, dp=32)))


def test_the_document_agrees_with_the_goodput_of_the_plan(result: Result) -> None:
    found, document = expect_goodput(result), goodput_summary_document(result)
    assert document["goodput"]["nominal"] == found.goodput.nominal
    assert document["useful_tokens_per_s"] == pytest.approx(result.tokens_per_s * found.goodput.nominal)
    assert result.days is not None
    assert document["days"] == pytest.approx(result.days / found.goodput.nominal)


def test_the_run_with_failures_ends_later_than_without(result: Result) -> None:
    document = goodput_summary_document(result)
    (days,) = days_highlights(document)
    assert (days.label, days.number.value) == ("days with failures", document["days"])
    assert document["days"] > result.days  # type: ignore[operator]
    span = document["days_range"]
    assert span is not None
    assert span["low"] < span["nominal"] < span["high"]


def test_a_lost_replica_costs_less_than_a_lost_job(result: Result) -> None:
    whole, part = (goodput_summary_document(result, Reliability(loss=loss)) for loss in ("job", "replica"))
    assert whole == goodput_summary_document(result)
    assert (whole["loss"], whole["replicas"], part["loss"], part["replicas"]) == ("job", 1, "replica", 32)
    assert part["goodput"]["nominal"] > whole["goodput"]["nominal"]
    assert any("stops one of 32 replicas, 32 chips, not the job" in text for text in goodput_lead(part))
    assert not [*goodput_lead(whole)]


def test_what_a_lost_replica_asks_of_the_plan_is_said(result: Result) -> None:
    assert (
        "ZeRO spreads over 32 ranks" in goodput_summary_document(result, Reliability(loss="replica"))["loss_in_words"]
    )
    inside = replace(result.plan.strategy, zero=3, zero_group=2)
    pods = Reliability(loss="replica", replica_chips=64)
    safe = predict(replace(result.plan, strategy=inside))
    assert "ZeRO" not in goodput_summary_document(safe, pods)["loss_in_words"]


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
    document = goodput_summary_document(mixed)
    assert mixed.choice == "batches"
    # Two nodes of eight A100 and two of eight H100, 3.789e-3 failures of each in a day.
    assert document["mean_time_between_failures_s"] == pytest.approx(86400 / (4 * 3.789e-3))
    share = document["goodput"]["nominal"]
    assert document["useful_tokens_per_s"] == pytest.approx(mixed.tokens_per_s * share)
    assert mixed.days is not None
    assert document["days"] == pytest.approx(mixed.days / share)
    (shown,) = goodput_highlights(document)
    assert shown.number.text == f"{share * 100:.1f} %"
    assert [h.label for h in days_highlights(document)] == ["days with failures"]


def test_a_mixture_says_why_it_cannot_lose_a_replica_alone(mixed: MixedOutcome) -> None:
    lost = Reliability(loss="replica")
    document: GoodputSummaryDocument = goodput_summary_document(mixed, lost)
    assert {key for key, value in document.items() if value is not None} == {"reason"}
    assert "priced on a pool of one chip only" in str(document["reason"])
    assert [*goodput_highlights(document), *days_highlights(document)] == []
    assert any("not known: a lost replica" in text for text in goodput_lead(document))
