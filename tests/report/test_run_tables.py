"""What people see of a run and of its explanation."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from tianji.backends.explanation import explain_gap
from tianji.catalog import load_pool, make_job
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.ranges import Range
from tianji.report.documents.run import run_document
from tianji.report.explanation_tables import explanation_document, print_explanation
from tianji.report.run_tables import print_run
from tianji.result import Measurement, Result, Traffic


def shown(show: Callable[[Console, Any], None], subject: object) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(console, subject)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def measured() -> Result:
    plan = Plan(make_job("llama-3.1-8b", 4096, 8), load_pool("hgx-h100").with_chips(8), Strategy(tp=2, dp=4))
    facts = Measurement(
        "local",
        "cpu",
        2,
        (2.0, 2.0, 2.0),
        (11.5, 11.0),
        (1.0, 1.0),
        (1e9,) * 8,
        3.0,
        {"tp": Traffic(7, 5e6)},
        {"torch": "2.13"},
    )
    breakdown = {"matmul": 2.0, "overhead": 1.0}
    step = Range(2.0, 2.0, 2.0, "measured: 3 steps")
    return replace(predict(plan), kind="measured", step_time=step, breakdown=breakdown, measurement=facts)


def test_a_run_shows_speed_losses_and_what_each_axis_sends(measured: Result) -> None:
    text = shown(print_run, measured)
    for part in ("16,384 tokens/s", "11.5000 at first", "11.0000 at last", "8 x cpu", "5 MB", "first 2 left out"):
        assert part in text


def test_processes_stand_in_for_other_chips_only(measured: Result) -> None:
    assert "CPU processes stood in for" in shown(print_run, measured)
    plan = measured.plan
    host = replace(plan, pool=replace(plan.pool, chip=replace(plan.pool.chip, vendor="host")))
    assert "stood in for" not in shown(print_run, replace(measured, plan=host))


def test_one_step_is_no_steps_and_mindspore_is_named(measured: Result) -> None:
    assert measured.measurement is not None
    facts = replace(measured.measurement, step_times=(2.0,), versions={"mindspore": "2.10.0"})
    text = shown(print_run, replace(measured, measurement=facts))
    assert "over 1 step (" in text
    assert "mindspore 2.10.0" in text


def test_a_prediction_is_no_run(measured: Result) -> None:
    with pytest.raises(ValueError, match="only a measured result"):
        shown(print_run, replace(measured, measurement=None))


def test_an_explanation_shows_both_and_the_gap(measured: Result) -> None:
    text = shown(print_explanation, explain_gap(measured, predict(measured.plan)))
    for part in ("matrix multiplications", "1.33 s", "step", "tp sends of one chip", "CPU processes"):
        assert part in text


def test_documents_add_up(measured: Result) -> None:
    assert run_document(measured)["tokens_per_s"] == 16384
    told = explanation_document(explain_gap(measured, predict(measured.plan)))
    assert sum(term["measured_s"] for term in told["terms"]) == pytest.approx(2.0)
    assert told["ratio"] == pytest.approx(2.0 / told["step_time_s"]["predicted"])
