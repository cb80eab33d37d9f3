"""What people see of a run, its explanation, an operation and a measured machine: each made of its document alone."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tianji.backends.explanation import explain_gap
from tianji.backends.microbenchmarks.fitting import Findings, Fitted
from tianji.backends.microbenchmarks.measure_machine import Size
from tianji.backends.microbenchmarks.orders import Survey, TimedSample
from tianji.backends.ray_cluster.pool_control import Node, PoolStatus
from tianji.backends.ray_cluster.pool_state import PoolState
from tianji.catalog import load_calibration, load_pool, make_job
from tianji.operation.accounting import Account
from tianji.operation.controller import State
from tianji.operation.operating import OperationOutcome
from tianji.operation.simulation import play
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.ranges import Range
from tianji.report.documents.explanation import explanation_document
from tianji.report.documents.machine import machine_document
from tianji.report.documents.operation import operation_document
from tianji.report.documents.operation_request import operation_request_document
from tianji.report.documents.pool_node import pool_node_document
from tianji.report.documents.pool_status import pool_status_document
from tianji.report.documents.run import run_document
from tianji.report.documents.simulation import simulation_document
from tianji.report.present import view_of
from tianji.report.render.files import write_page, write_tables
from tianji.report.render.terminal import print_view
from tianji.report.view import View
from tianji.result import Measurement, Result, Traffic

from . import test_one_answer as laws
from .commands import OF_REAL_PROCESSES
from .documents.conformance import mismatches
from .documents.test_keys import generator


@pytest.fixture(scope="module")
def measured() -> Result:
    plan = Plan(make_job("llama-3.1-8b", 4096, 8), load_pool("hgx-h100").with_chips(8), Strategy(tp=2, dp=4))
    facts = Measurement(
        engine="local",
        chip="cpu",
        warmup=2,
        step_times=(2.0, 2.0, 2.0, 2.0, 2.0, 2.5),
        losses=(11.5, 11.4, 11.3, 11.2, 11.15, 11.1, 11.05, 11.0),
        gradient_norms=(1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3),
        memory_peaks=(1e9,) * 8,
        profiled_time=3.0,
        traffic={"tp": Traffic(7, 5e6)},
        versions={"torch": "2.13"},
        folder="out",
    )
    breakdown = {"matmul": 2.0, "overhead": 1.0}
    step = Range(2.0, 2.0, 2.5, "measured: 6 steps")
    return replace(predict(plan), kind="measured", step_time=step, breakdown=breakdown, measurement=facts)


def size(chips: int, noise: float) -> Size:
    samples = (TimedSample("copy", {"bytes": 8.0}, (0.1, 0.2, 0.3)),)
    survey = Survey(samples, chips, "cpu", 2.0, 1, 4e9, 2e8, {"torch": "2.13"})
    constants = {
        "op_overhead": Fitted(5e-5, 0.04, 7, "whole models"),
        "call_overhead": Fitted(2e-3, None, 5, "steps"),
        "step_overhead": Fitted(1e-2, 3.0, 5, "steps"),
    }
    link = 1e9 if chips > 1 else 0.0
    return Size(survey, Findings({"fp32": 5e10, "bf16": 4e10}, 1e10, link, constants, noise, 0.2))


@pytest.fixture(scope="module")
def documents(measured: Result) -> dict[str, Mapping[str, Any]]:
    account = Account(
        steps=100, lost_steps=7, seconds=50.0, useful=40.0, attempts=3, failures=2, growths=1, recoveries=(1.0, 2.0)
    )
    outcome = OperationOutcome(State.DONE, "", Path("operation"), account, load_calibration())
    return {
        "run": run_document(measured),
        "explanation": explanation_document(explain_gap(measured, predict(measured.plan))),
        "operation": operation_document(outcome),
        "machine": machine_document([size(1, 0.02), size(2, 0.03)], "pool.toml", "pool-calibration.toml"),
        "operation_request": operation_request_document("operation", "cordon", (0, 1, 2, 7)),
        "simulation": simulation_document(play(7)),
        "pool_node": pool_node_document(
            PoolState("head", "10.0.0.1:6379", "10.0.0.1", 4, 4711, "99", "ray", "ray/token"), is_up=True
        ),
        "pool_status": pool_status_document(
            PoolStatus("10.0.0.1:6379", (Node("10.0.0.1", True, 4, 64, "left"), Node("10.0.0.2", False, 4, 64, "")), 3)
        ),
    }


def text_of(view: View) -> str:
    """All that a view says, in one text."""
    return repr(view)


@pytest.mark.parametrize("name", OF_REAL_PROCESSES)
def test_a_document_has_the_keys_of_its_type(name: str, documents: dict[str, Mapping[str, Any]]) -> None:
    assert not list(mismatches(json.loads(json.dumps(documents[name])), generator.document_types()[name]))


@pytest.fixture(scope="module", params=OF_REAL_PROCESSES)
def answer(
    request: pytest.FixtureRequest, documents: dict[str, Mapping[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> laws.Answer:
    """An answer everywhere it goes."""
    folder = tmp_path_factory.mktemp(request.param)
    document = json.loads(json.dumps(documents[request.param], allow_nan=False))
    assert document["document"] == request.param
    view, terminal = view_of(document), io.StringIO()
    print_view(Console(file=terminal, width=int(laws.WIDE)), view)
    write_page(view, str(folder / "page.html"), "tianji")
    write_tables(view.tables(), str(folder / "tables"))
    return laws.Answer(terminal.getvalue(), (folder / "page.html").read_text(), folder / "tables", document)


@pytest.mark.parametrize("law", [law for name, law in vars(laws).items() if name.startswith("test_")])
def test_terminal_page_and_files_are_one_answer(law: Callable[[laws.Answer], None], answer: laws.Answer) -> None:
    law(answer)


def test_a_run_shows_speed_losses_and_what_each_axis_sends(documents: dict[str, Mapping[str, Any]]) -> None:
    text = text_of(view_of(documents["run"]))
    for part in (
        "16,384",
        "11.5000 at first",
        "11.0000 at last",
        "8 x cpu",
        "5 MB",
        "the first 2 left out",
        "torch 2.13",
    ):
        assert part in text


def test_processes_stand_in_for_other_chips_only(measured: Result) -> None:
    assert "CPU processes stood in for" in text_of(view_of(run_document(measured)))
    plan = measured.plan
    host = replace(plan, pool=replace(plan.pool, chip=replace(plan.pool.chip, vendor="host")))
    assert "stood in for" not in text_of(view_of(run_document(replace(measured, plan=host))))


def test_one_step_is_no_steps_and_mindspore_is_named(measured: Result) -> None:
    assert measured.measurement is not None
    facts = replace(measured.measurement, step_times=(2.0,), versions={"mindspore": "2.10.0"})
    text = text_of(view_of(run_document(replace(measured, measurement=facts, breakdown={}))))
    assert "over 1 step," in text
    assert "mindspore 2.10.0" in text
    assert "profiled" not in text


def test_a_prediction_is_no_run(measured: Result) -> None:
    with pytest.raises(ValueError, match="only a measured result"):
        run_document(replace(measured, measurement=None))


def test_an_explanation_shows_both_and_the_gap(documents: dict[str, Mapping[str, Any]]) -> None:
    text = text_of(view_of(documents["explanation"]))
    for part in ("matrix multiplications", "1.33 s", "tp sends of one chip", "CPU processes"):
        assert part in text


def test_terms_add_up_to_both_steps(documents: dict[str, Mapping[str, Any]]) -> None:
    explanation = documents["explanation"]
    for kind in ("predicted", "measured"):
        total = sum(term[f"{kind}_s"] for term in explanation["terms"])
        assert total == pytest.approx(explanation["step_time_s"][kind])
    assert explanation["ratio"] == pytest.approx(2.0 / explanation["step_time_s"]["predicted"])
    assert documents["run"]["tokens_per_s"] == 16384


def test_the_time_of_an_operation_adds_up(documents: dict[str, Mapping[str, Any]]) -> None:
    (chart,) = view_of(documents["operation"]).charts()
    seconds = [value for bar in chart.bars for _, value in bar.parts]  # type: ignore[union-attr]
    assert sum(seconds) == pytest.approx(documents["operation"]["seconds"])
    assert min(seconds) >= 0.0


def test_why_an_operation_was_given_up_is_said(documents: dict[str, Mapping[str, Any]]) -> None:
    failed = {**documents["operation"], "state": "failed", "reason": "20 failures in a row"}
    assert "State failed: 20 failures in a row." in text_of(view_of(failed))


def test_a_busy_machine_is_told_and_the_next_command_is_shown(documents: dict[str, Mapping[str, Any]]) -> None:
    quiet = text_of(view_of(documents["machine"]))
    assert "was busy" not in quiet
    assert "tianji plan MODEL pool.toml --calibration pool-calibration.toml --chips 2 --precision fp32" in quiet
    for part in ("0.05 TFLOP/s", "10 GB/s", "0.002 ± ?", "±4 %", "±>99 %", "none"):
        assert part in quiet
    busy = machine_document([size(1, 0.3)], "pool.toml", "calibration.toml")
    assert "a repeat is off by up to 30 %" in text_of(view_of(busy))
