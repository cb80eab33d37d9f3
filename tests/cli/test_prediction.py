"""`tianji predict`: a model and a pool with a strategy, or a plan file, its strategy changed or not."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import tianji
from tianji.cli import main
from tianji.parallel.plan import Plan

JOB = ("predict", "llama-3.1-8b", "hgx-h100", "--chips", "16", "--batch", "64", "--seq", "4096")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


def predicted(*arguments: str) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    (plan,) = json.loads(done.stdout)["plans"]
    prediction: dict[str, Any] = plan
    return prediction


@pytest.fixture
def plan_file(tmp_path: Path) -> str:
    path = str(tmp_path / "plan.json")
    done = run("plan", *JOB[1:], "--fix", "tp=4,pp=2,cp=1", "--out", path)
    assert done.exit_code == 0
    return path


def test_data_parallel_ranks_take_what_is_left() -> None:
    strategy = predicted(*JOB, "--tp", "4", "--pp", "2")["strategy"]
    assert (strategy["tp"], strategy["pp"], strategy["dp"]) == (4, 2, 2)


def test_more_chunks_mean_interleaving() -> None:
    assert predicted(*JOB, "--pp", "4", "--vpp", "2")["strategy"]["schedule"] == "interleaved"


def test_switches_reach_the_strategy() -> None:
    strategy = predicted(*JOB, "--tp", "4", "--no-overlap-tp", "--overlap-ep")["strategy"]
    assert (strategy["overlap_tp"], strategy["overlap_ep"]) == (False, True)


def test_a_plan_file_holds_its_strategy_unless_told_otherwise(plan_file: str) -> None:
    kept = predicted("predict", plan_file)
    assert (kept["strategy"]["tp"], kept["strategy"]["pp"], kept["chips"]) == (4, 2, 16)
    changed = predicted("predict", plan_file, "--tp", "8", "--recompute", "full")
    assert (changed["strategy"]["tp"], changed["strategy"]["pp"], changed["strategy"]["dp"]) == (8, 2, 1)
    assert changed["strategy"]["recompute"] == "full"


def test_job_options_beside_a_plan_file_are_refused(plan_file: str) -> None:
    done = run("predict", plan_file, "--batch", "128")
    assert done.exit_code == 2
    assert "--batch cannot change a plan file" in done.stderr


def test_a_model_without_a_pool_is_told_so() -> None:
    done = run("predict", "llama-3.1-8b")
    assert done.exit_code == 2
    assert "needs a pool" in done.stderr


def test_what_does_not_fit_is_predicted_and_said() -> None:
    done = run("predict", "llama-3.1-70b", "hgx-h100", "--batch", "8", "--tp", "8")
    assert done.exit_code == 0
    assert "does not fit" in done.stdout


def test_python_and_the_command_line_start_from_one_default() -> None:
    typed = predicted("predict", "llama-3.1-70b", "hgx-h100", "--chips", "64", "--tp", "8", "--pp", "4")
    job = tianji.make_job("llama-3.1-70b", chips=64)
    plan = Plan(job, tianji.load_pool("hgx-h100", 64), tianji.Strategy(tp=8, pp=4, dp=2))
    assert tianji.predict(plan).step_time.nominal == pytest.approx(typed["step_time_s"], rel=1e-12)
