"""Documents: plain values that JSON holds, and that agree with the results they are of."""

import json

import pytest

from tianji.catalog import load_calibration
from tianji.hardware.calibration import Calibration
from tianji.report.documents.plan import plan_document
from tianji.report.documents.plan_result import (
    against_document,
    days_range,
    full_plan_result_document,
    plan_result_document,
    subtract,
)
from tianji.report.documents.prediction import prediction_document
from tianji.result import Result
from tianji.search import Outcome


def test_an_outcome_is_plain_json(outcome: Outcome) -> None:
    document = plan_document(outcome, Calibration(), explained=outcome.results[1])
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["search"]["candidates"] == outcome.search.candidates
    assert len(document["front"]) == len(outcome.front)


def test_a_result_keeps_its_figures(outcome: Outcome) -> None:
    best = outcome.results[0]
    document = full_plan_result_document(best)
    assert document["mfu"] == best.mfu
    assert document["memory_total_bytes"] == sum(document["memory_bytes"].values())
    assert len(document["memory_stages_bytes"]) == best.plan.strategy.pp
    assert document["memory_stages_bytes"][document["worst_stage"]] == document["memory_bytes"]
    assert "memory_stages_bytes" not in plan_result_document(best)


def test_days_have_the_steps_range(outcome: Outcome) -> None:
    best = outcome.results[0]
    assert days_range(best) == {end: pytest.approx(best.days) for end in ("low", "nominal", "high")}


def test_a_job_without_tokens_has_no_days(deep: Result) -> None:
    assert plan_result_document(deep)["days"] is None
    assert days_range(deep) is None


def test_the_best_against_itself_is_nothing(outcome: Outcome) -> None:
    document = against_document(outcome.results[0], outcome.results[0])
    assert document["slower_by_s"] == document["slower_by_ratio"] == 0
    assert set(document["breakdown_difference_s"].values()) == {0.0}


def test_constants_come_with_their_evidence(deep: Result) -> None:
    calibration = load_calibration()
    document = prediction_document(deep, calibration)["calibration"]
    assert document["name"] == calibration.name
    assert document["of_chip"] == "h100-sxm"
    assert document["constants"]
    assert all(constant["tier"] for constant in document["constants"].values())
    assert document["leans_on"].startswith("measured")


def test_a_key_of_either_side_counts() -> None:
    assert subtract({"a": 3.0, "c": 1.0}, {"a": 1.0, "b": 2.0}) == {"a": 2.0, "c": 1.0, "b": -2.0}


def test_differences_add_up_to_the_difference(outcome: Outcome) -> None:
    assert outcome.naive is not None
    document = against_document(outcome.naive, outcome.results[0])
    assert sum(document["breakdown_difference_s"].values()) == pytest.approx(document["slower_by_s"])
