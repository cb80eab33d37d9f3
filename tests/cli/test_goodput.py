"""`tianji goodput`: a plan file or a model and a pool, choices, JSON, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tianji.cli import main

JOB = ("llama-3.1-70b", "hgx-h100", "--chips", "1024", "--tp", "8", "--pp", "4")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["goodput", *arguments], catch_exceptions=False)


def document(*arguments: str) -> dict[str, Any]:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def usual() -> dict[str, Any]:
    return document(*JOB, "--price", "2 USD", "--tokens", "15T")


def test_the_losses_are_the_rest_of_the_time(usual: dict[str, Any]) -> None:
    for case in usual["cases"].values():
        assert case["goodput"] + sum(case["losses"].values()) == pytest.approx(1)
    span = usual["goodput"]
    assert 0 < span["low"] < span["nominal"] < span["high"] < 1
    assert usual["cases"]["many_failures"]["mtbf_s"] < usual["cases"]["few_failures"]["mtbf_s"]


def test_useful_tokens_and_days_follow(usual: dict[str, Any]) -> None:
    share = usual["goodput"]["nominal"]
    assert usual["useful_tokens_per_s"] == pytest.approx(usual["plan"]["tokens_per_s"] * share)
    assert usual["days"] == pytest.approx(usual["plan"]["days"] / share)


def test_each_rung_is_worth_chip_hours_and_money(usual: dict[str, Any]) -> None:
    choices = {choice["name"]: choice for choice in usual["choices"]}
    for choice in choices.values():
        gain = choice["goodput"]["nominal"] - usual["goodput"]["nominal"]
        assert choice["chip_hours_in_30_days"] == pytest.approx(gain * 1024 * 720)
        assert choice["money_in_30_days_usd"] == pytest.approx(2 * choice["chip_hours_in_30_days"])
    assert choices["job restart"]["money_in_30_days_usd"] == 0
    assert choices["process restart"]["money_in_30_days_usd"] > choices["pod restart"]["money_in_30_days_usd"] > 0


def test_every_figure_used_has_its_source(usual: dict[str, Any]) -> None:
    profile = usual["failure_profile"]
    assert all(figure["source"] and figure["confidence"] for figure in profile["figures"].values())
    assert {"LLAMA3", "RSC"} <= {source["key"] for source in profile["sources"]}
    assert sum(cause["count"] for cause in profile["causes"]) == 419


def test_times_of_ones_own_arrive() -> None:
    # Save, recovery and interval arrive as they were given.
    found = document(*JOB, "--save-time", "60 s", "--recovery-time", "600 s", "--straggle", "0", "--no-corruption",
                     "--interval", "966 s")  # fmt: skip
    case = found["cases"]["nominal_failures"]
    assert case["save_time_s"] == 60
    assert case["recovery_time_s"] == pytest.approx(600)
    assert case["checkpoint_intervals_s"] == {"storage": pytest.approx(966)}


def test_a_plan_file_gives_the_same(tmp_path: Path) -> None:
    path = str(tmp_path / "plan.json")
    made = CliRunner().invoke(
        main,
        ["plan", "llama-3.1-8b", "hgx-h100", "--chips", "16", "--batch", "64", "--fix", "tp=4,pp=2", "--out", path],
    )
    assert made.exit_code == 0
    found = document(path)
    from_names = document("llama-3.1-8b", "hgx-h100", "--chips", "16", "--batch", "64", "--tp", "4", "--pp", "2")
    assert found["goodput"]["nominal"] == pytest.approx(from_names["goodput"]["nominal"], abs=1e-3)


def test_tables_name_losses_interval_and_spares() -> None:
    done = run(*JOB, "--price", "2 USD", "--tokens", "15T")
    assert done.exit_code == 0
    for word in (
        "goodput",
        "Counted, storage",
        "spare nodes",
        "restart and loading",
        "process restart + peer memory",
        "USD",
    ):
        assert word in done.stdout, word


def test_sampled_runs_say_how_sure_they_are() -> None:
    found = document(*JOB, "--recovery-spread", "2.2", "--runs", "50", "--seed", "1")
    assert found["cases"]["nominal_failures"]["standard_error"] > 0
    assert found == document(*JOB, "--recovery-spread", "2.2", "--runs", "50", "--seed", "1")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--recovery", "jbo"], "did you mean job"),
        (["--loss", "everything"], "unknown loss 'everything'"),
        (["--store", "disk"], "unknown store 'disk'"),
        (["--interval", "30"], "has no unit"),
        (["--failures", "llama"], "unknown failure profile 'llama'"),
        (["--confidence", "2"], "expected a share from 0.5"),
        (["--spares", "-1"], "expected a whole number"),
        (["--shape", "0"], "shape: expected 0.2 to 5"),
        (["--price", "2 EUR"], "has the unit 'EUR'"),
        (["--runs", "0"], "at least 1"),
        (["--runs", "1M", "--method", "montecarlo"], "expected 1 to 100,000 runs"),
        (["--seed", "-1"], "not in the range x>=0"),
        (["--method", "guess"], "unknown method 'guess'"),
        (["--method", "closed", "--shape", "0.7"], "sample it instead"),
        (["--horizon", "1 s"], "horizon: expected 3600"),
    ],
)
def test_what_cannot_be_used_is_refused(options: list[str], expected: str) -> None:
    done = run(*JOB, *options)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert expected in done.stderr


def test_a_model_alone_needs_a_pool() -> None:
    done = run("llama-3.1-8b")
    assert done.exit_code == 2
    assert "tianji goodput llama-3.1-8b POOL --tp 8" in done.stderr


def test_a_plan_that_does_not_fit_is_told() -> None:
    done = run("llama-3.1-70b", "hgx-h100", "--chips", "64", "--tp", "8")
    assert "This plan does not fit: 8" in done.stdout
    assert "This plan does not fit" not in run(*JOB).stdout
