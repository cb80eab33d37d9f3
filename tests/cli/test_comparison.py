"""compare, replace and size, through the door."""

import json
from typing import Any

import pytest
from click.testing import CliRunner

from tianji.cli import main

REPLICA = ("--loss", "replica", "--replica-chips", "16")
SMALL = ("llama-3.1-8b", "--batch", "256", "--seq", "4096")


def run(*arguments: str) -> str:
    done = CliRunner(env={"COLUMNS": "160"}).invoke(main, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def document(*arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return found


def nominal(pool: dict[str, Any], measure: str) -> float:
    value: float = pool["measures"][measure]["value"]["nominal"]
    return value


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert "Traceback" not in done.stderr
    return str(done.stderr)


def test_compare_gives_every_measure_with_three_cases_and_ratios() -> None:
    found = document("compare", "llama-3.1-8b", "64xhgx-h100", "64xatlas-900-a2", "--tokens", "1T", *SMALL[1:])
    first, other = found["pools"]
    assert first["chips"] == other["chips"] == 64
    for measure in first["measures"].values():
        if value := measure["value"]:
            assert value["low"] <= value["nominal"] <= value["high"]
    day = "useful_tokens_per_day"
    ratio = found["ratios"][day][1]["nominal"]
    assert ratio == pytest.approx(nominal(other, day) / nominal(first, day))
    assert first["power"]["basis"] == "published"
    assert other["power"]["basis"] == "bracket"
    assert first["site"]["figures"]["electricity"]["sources"][0]["url"]
    assert len(found["verdicts"]) == 2


def test_compare_as_a_table() -> None:
    text = run("compare", "llama-3.1-8b", "64xhgx-h100", "64xhgx-h200", *SMALL[1:])
    assert "cost of 10¹² useful tokens" in text
    assert "64 × hgx-h200" in text


def test_a_pool_may_have_its_own_number_formats() -> None:
    found = document("compare", "llama-3.1-8b", "64xhgx-h100@fp8", "64xhgx-h100", *SMALL[1:])
    assert found["ratios"]["tokens_per_s"][1]["nominal"] < 1


def test_replace_draws_both_curves_and_the_tornado() -> None:
    arguments = ("replace", *SMALL, "--from", "64xhgx-h100", "--with", "atlas-900-a2", "--points", "6")
    found = document(*arguments)
    assert found["chips"] > 64
    for curve in found["curves"].values():
        assert [p["chips"] for p in curve["points"]] == sorted(p["chips"] for p in curve["points"])
        assert all(r["low"] <= r["nominal"] <= r["high"] for p in curve["points"] for r in (p["useful_tokens_per_s"],))
    assert {s["assumption"] for s in found["sensitivity"]["swings"]} >= {"MFU", "failure rate"}
    text = run(*arguments)
    assert "What would flip the answer" in text


def test_size_says_how_many_or_what_binds() -> None:
    arguments = ("size", "llama-3.1-8b", "hgx-h100", *SMALL[1:], "--tokens", "1T", "--days", "30")
    found = document(*arguments)
    assert found["is_met"]
    assert nominal(found["best"], "days") <= 30
    assert "finish in" in run(*arguments)
    assert "the budget" in run(*arguments, "--budget", "10")


def test_owning_shows_the_items_that_buyers_know() -> None:
    found = document("compare", "llama-3.1-8b", "64xhgx-h100", "64xhgx-h200", *SMALL[1:], "--buy")
    assert {"chips", "servers", "network", "storage", "interest", "staff", "electricity"} == set(
        found["pools"][0]["bill_usd"]
    )


def test_a_lost_replica_in_place_of_a_lost_job_is_a_choice_of_every_command() -> None:
    pools = ("64xhgx-h100", "64xatlas-900-a2")
    whole, part = (document("compare", "llama-3.1-8b", *pools, *SMALL[1:], *extra) for extra in ((), REPLICA))
    for before, after in zip(whole["pools"], part["pools"], strict=True):
        assert before["replicas"] == 1 < after["replicas"]
        assert nominal(after, "goodput") > nominal(before, "goodput")
        assert after["plan"]["goodput_summary"]["goodput"]["nominal"] == nominal(after, "goodput") / 100
    found = document("replace", *SMALL, "--from", pools[0], "--with", "atlas-900-a2", "--points", "3", *REPLICA)
    assert found["first"]["replicas"] > 1
    found = document("size", "llama-3.1-8b", "hgx-h100", *SMALL[1:], "--tokens", "4T", "--days", "60", *REPLICA)
    assert found["best"]["plan"]["goodput_summary"]["loss"] == "replica"
    assert "did you mean replica" in refused("compare", "llama-3.1-8b", *pools, "--loss", "replca")


@pytest.mark.parametrize("command", [("plan", "--fix", "tp=2"), ("predict", "--tp", "2")])
def test_a_lost_replica_is_a_choice_of_a_plan(command: tuple[str, ...]) -> None:
    words = (command[0], "llama-3.1-8b", "hgx-h100", "--chips", "64", *SMALL[1:], *command[1:], *REPLICA)
    lasting = document(*words)["plans"][0]["goodput_summary"]
    assert (lasting["loss"], lasting["replicas"]) == ("replica", 4)
    assert "stops one of 4 replicas, 16 chips, not the job" in " ".join(run(*words).split())


def test_a_stated_price_power_and_site_are_used() -> None:
    found = document(
        "compare", "llama-3.1-8b", "64xhgx-h100", "64xatlas-950-superpod", *SMALL[1:], "--rent", "ascend-950dt=1.5",
        "--power", "ascend-950dt=1.2kW", "--site", "china", "--pue", "1.2", "--electricity", "0.06",
    )  # fmt: skip
    other = found["pools"][1]
    assert nominal(other, "chip_hour") == 1.5
    assert other["power"]["chip_w"]["nominal"] == 1200.0
    assert {p["site"]["name"] for p in found["pools"]} == {"china"}
    assert other["unknown"] == []


def test_chips_that_stand_idle_are_told() -> None:
    arguments = ("compare", "llama-3.1-8b", "13xhgx-h100", "8xhgx-h100")
    assert "hgx-h100: 1 of the 13 chips stand idle: the best plan uses 12" in " ".join(run(*arguments).split())
    assert [p["idle"] is None for p in json.loads(run(*arguments, "--json"))["pools"]] == [False, True]


def test_more_than_one_superpod_is_said_to_be_an_assumption() -> None:
    pools = ("64xhgx-h100", "768xcloudmatrix384")
    found = document("compare", "llama-3.1-8b", *pools, *SMALL[1:])
    assert "768 chips are more than one unit of 384" in found["pools"][1]["beyond_unit"]
    assert found["pools"][0]["beyond_unit"] is None
    assert "not published" in " ".join(run("compare", "llama-3.1-8b", *pools, *SMALL[1:]).split())
    assert "Beyond" in run("predict", "llama-3.1-8b", "cloudmatrix384", "--chips", "768", "--batch", "768")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("size", "llama-3.1-8b", "atlas-950-superpod", "--tokens", "1T", "--days", "60", "--budget", "1e6"),
            "Supply it: --rent ascend-950dt=USD",
        ),
        (("compare", "llama-3.1-8b", "64xhgx-h100"), "at least two pools"),
        (("compare", "llama-3.1-8b", "64xhgx-h10", "hgx-h200"), "did you mean"),
        (("compare", "llama-3.1-8b", "2xcloudmatrix384", "8xhgx-h100"), "768xcloudmatrix384"),
        (("compare", "llama-3.1-8b", "8xhgx-h100", "8xhgx-h200", "--rent", "h100=2"), "did you mean"),
        (("compare", "llama-3.1-8b", "8xhgx-h100", "8xhgx-h200", "--rent", "h100-sxm"), "like h800=2"),
        (("compare", "llama-3.1-8b", "8xhgx-h100", "8xhgx-h200", "--pue", "0.5"), "from 1 to 5"),
        (("compare", "llama-3.1-8b", "8xhgx-h100", "8xhgx-h200", "--site", "mars"), "Known: china, usa"),
        (("replace", "llama-3.1-8b", "--from", "8xhgx-h100", "--with", "hgx-h200", "--points", "1"), "2 to 100"),
        (("replace", "llama-3.1-8b", "--from", "8xhgx-h100", "--with", "hgx-h200", "--match", "deadline"), "--tokens"),
        (("size", "llama-3.1-8b", "hgx-h100", "--days", "soon", "--tokens", "1T"), "3 us"),
        (("size", "llama-3.1-8b", "hgx-h100", "--days", "30"), "--tokens"),
    ],
)
def test_bad_input_ends_in_one_message(arguments: tuple[str, ...], words: str) -> None:
    assert words in refused(*arguments)
