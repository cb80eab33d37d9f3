"""Documents: plain values that JSON holds, and that agree with the results they are of."""

import json

import pytest

from tianji.catalog import load_calibration
from tianji.hardware.calibration import Calibration
from tianji.report.documents import against_document, days_range, outcome_document, prediction_document, result_document
from tianji.result import Result
from tianji.search import Outcome


def test_an_outcome_is_plain_json(outcome: Outcome) -> None:
    document = outcome_document(outcome, Calibration(), explained=outcome.results[1])
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["search"]["candidates"] == outcome.search.candidates
    assert len(document["front"]) == len(outcome.front)


def test_a_result_keeps_its_figures(outcome: Outcome) -> None:
    best = outcome.results[0]
    document = result_document(best)
    assert document["mfu"] == best.mfu
    assert document["memory_total_bytes"] == sum(document["memory"].values())
    assert len(document["memory_stages"]) == best.plan.strategy.pp
    assert document["memory_stages"][document["worst_stage"]] == document["memory"]
    assert "memory_stages" not in result_document(best, in_full=False)


def test_days_have_the_steps_range(outcome: Outcome) -> None:
    best = outcome.results[0]
    assert days_range(best) == {"low": pytest.approx(best.days), "high": pytest.approx(best.days)}


def test_a_job_without_tokens_has_no_days(deep: Result) -> None:
    assert result_document(deep)["days"] is None
    assert days_range(deep) is None


def test_the_best_against_itself_is_nothing(outcome: Outcome) -> None:
    document = against_document(outcome.results[0], outcome.results[0])
    assert document["slower_by_s"] == document["slower_by_ratio"] == 0
    assert set(document["breakdown_difference"].values()) == {0.0}


def test_constants_come_with_their_evidence(deep: Result) -> None:
    calibration = load_calibration()
    document = prediction_document(deep, calibration)["calibration"]
    assert document["name"] == calibration.name
    assert document["of_chip"] == "h100-sxm"
    assert document["constants"]
    assert all(constant["tier"] for constant in document["constants"].values())
    assert document["leans_on"].startswith("measured")
