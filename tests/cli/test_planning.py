"""`tianji plan`: one JSON document, tables that fit the width, a plan file, and a clear end when nothing fits."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tianji.cli import main
from tianji.parallel.plan_file import read_plan

SMALL = ("plan", "llama-3.1-8b", "hgx-h100", "--chips", "16", "--batch", "64", "--seq", "4096")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    done = run(*SMALL, "--tokens", "1T", "--explain", "tp=8", "--json")
    assert done.exit_code == 0
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_json_has_the_names_that_scripts_rely_on(document: dict[str, Any]) -> None:
    best = document["plans"][0]
    degrees = {"tp", "pp", "vpp", "cp", "ep", "etp", "dp", "zero", "micro_batch_size", "recompute", "schedule"}
    assert degrees <= best["strategy"].keys()
    assert {
        "step_time_s",
        "tokens_per_s",
        "tokens_per_s_per_chip",
        "mfu",
        "days",
        "memory_bytes",
        "breakdown_s",
    } <= best.keys()
    assert {"low", "nominal", "high"} == best["step_time_range_s"].keys()
    assert {"candidates", "feasible", "seconds"} <= document["search"].keys()
    assert document["model"]["name"] == "llama-3.1-8b"
    assert document["model"]["num_parameters"] == document["model"]["num_active_parameters"] == 8_030_261_248
    assert (document["pool"]["name"], document["pool"]["chips"]) == ("hgx-h100", 16)


def test_the_terms_of_every_plan_add_up(document: dict[str, Any]) -> None:
    for plan in (*document["plans"], *document["front"], document["naive"], document["explained"]):
        assert sum(plan["breakdown_s"].values()) == pytest.approx(plan["step_time_s"], rel=1e-9)
        assert sum(plan["memory_bytes"].values()) == pytest.approx(plan["memory_total_bytes"])


def test_speed_and_days_follow_from_the_step(document: dict[str, Any]) -> None:
    best = document["plans"][0]
    assert best["tokens_per_s"] == pytest.approx(64 * 4096 / best["step_time_s"])
    assert best["tokens_per_s_per_chip"] == pytest.approx(best["tokens_per_s"] / 16)
    assert best["days"] == pytest.approx(1e12 / best["tokens_per_s"] / 86400)


def test_plans_come_fastest_first_and_use_every_chip(document: dict[str, Any]) -> None:
    times = [plan["step_time_s"] for plan in document["plans"]]
    assert times == sorted(times)
    assert len(times) == 5
    assert {plan["chips"] for plan in document["plans"]} == {16}
    assert document["idle"] == {"chips": 0, "reason": ""}


def test_the_explained_layout_differs_by_the_sum_of_its_terms(document: dict[str, Any]) -> None:
    yours = document["explained"]
    assert (yours["strategy"]["tp"], yours["strategy"]["dp"]) == (8, 2)
    assert sum(yours["breakdown_difference_s"].values()) == pytest.approx(yours["slower_by_s"])
    assert yours["slower_by_s"] >= 0


def test_fixed_fields_hold_and_top_counts() -> None:
    done = run(*SMALL, "--fix", "tp=4,zero=1", "--fix", "pp=2", "--top", "3", "--json")
    plans = json.loads(done.stdout)["plans"]
    assert [(p["strategy"]["tp"], p["strategy"]["zero"], p["strategy"]["pp"]) for p in plans] == [(4, 1, 2)] * 3


def test_a_switch_can_be_varied() -> None:
    plain = json.loads(run(*SMALL, "--json").stdout)["search"]
    varied = json.loads(run(*SMALL, "--vary", "overlap_tp", "--json").stdout)["search"]
    assert varied["candidates"] == 2 * plain["candidates"]


def test_the_plan_file_predicts_the_same(tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    document = json.loads(run(*SMALL, "--out", str(out), "--json").stdout)
    assert read_plan(out).strategy.as_dict() == document["plans"][0]["strategy"]
    again = json.loads(run("predict", str(out), "--json").stdout)
    assert again["plans"][0] == document["plans"][0]


@pytest.mark.parametrize("width", [80, 140])
def test_tables_fit_the_width_and_say_it_all(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = run(*SMALL, "--tokens", "1T").stdout
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    assert "\x1b" not in text
    parts = ("Best plans", "Where a step", "Memory of one chip", "Time against memory", "What binds", "naive")
    assert all(part in text for part in parts)


def test_nothing_fits_names_the_closest_miss() -> None:
    done = run("plan", "llama-3.1-405b", "hgx-h100", "--chips", "8", "--batch", "64")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "closest" in done.stderr
    assert "more than the usable" in done.stderr


def test_a_frugal_plan_says_what_its_size_saves() -> None:
    asked = (*SMALL, "--objective", "energy", "--fix", "tp=2")
    chosen = json.loads(run(*asked, "--json").stdout)["chosen"]
    assert chosen["offered_chips"] == 16 >= chosen["chips"]
    assert chosen["spent"]["nominal"] <= chosen["spent_on_all_chips"]["nominal"]
    assert f"{chosen['chips']} of 16 chips: the least energy" in " ".join(run(*asked).stdout.split())


def test_a_plan_for_an_engine_exports_as_it_is(tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    words = ["plan", "llama-3.1-8b", "hgx-h100", "--runs-on", "deepspeed", "--out", str(out), "--json"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["runs_on"]["engine"] == "deepspeed"
    exported = CliRunner().invoke(main, ["export", str(out), "--to", "deepspeed", "--out", str(tmp_path / "files")])
    assert exported.exit_code == 0, exported.stderr
    unknown = CliRunner().invoke(main, ["plan", "llama-3.1-8b", "hgx-h100", "--runs-on", "deepsped"])
    assert (unknown.exit_code, "did you mean deepspeed" in unknown.stderr) == (2, True)
