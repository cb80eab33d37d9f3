"""One change at a time: every single step that gains, with the flag that makes it, and a measured time beside its range."""

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

import tianji
from tianji.catalog.software import list_known_words
from tianji.cli import main
from tianji.parallel.strategy import FIELDS
from tianji.search.changes import find_changes

MODEL, WHERE = "mixtral-8x7b", "hgx-h100"
SLOW = {"tp": 2, "pp": 2, "ep": 8, "etp": 2, "recompute": "full", "overlap_dp": False}


@pytest.fixture(scope="module")
def slow() -> "tianji.Answer[tianji.Result]":
    return tianji.predict(MODEL, WHERE, chips=64, batch=256, measured="60 s", **SLOW)


def test_each_change_is_one_field_and_its_flag_gives_what_it_says(slow: "tianji.Answer[tianji.Result]") -> None:
    changes = slow.document["measured"]["changes"]
    assert {"--etp 1", "--recompute none", "--overlap-dp"} <= {c["flag"] for c in changes}
    switches = list_known_words(slow.plan.pool.chip.ecosystem)
    assert all(c["field"] in FIELDS or c["field"] in switches for c in changes)
    for change in (c for c in changes if c["field"] in FIELDS):
        again = tianji.predict(MODEL, WHERE, chips=64, batch=256, **SLOW | {change["field"]: change["value"]})
        assert again.step_time.nominal == pytest.approx(change["step_time_s"], rel=1e-9)
        assert again.step_time.nominal < slow.step_time.nominal


def test_a_switch_of_the_software_is_a_change_too(slow: "tianji.Answer[tianji.Result]") -> None:
    changes = slow.document["measured"]["changes"]
    (launch,) = (c for c in changes if c["field"] == "launch")
    assert launch["flag"] == "--with full-graph"
    again = tianji.predict(MODEL, WHERE, chips=64, batch=256, with_="full-graph", **SLOW)
    assert again.step_time.nominal == pytest.approx(launch["step_time_s"], rel=1e-9)
    assert 0.5 < launch["chance"] <= 1.0
    # What a field of the strategy says already is not said again as a switch.
    assert sum("ep" in c["flag"] and "overlap" in c["flag"] for c in changes) <= 1


def test_changes_are_ranked_by_gain_and_all_fit(slow: "tianji.Answer[tianji.Result]") -> None:
    found = find_changes(slow.plan, tianji.load_calibration())
    assert [c.step_time for c in found] == sorted(c.step_time for c in found)
    assert all(c.result.fits and c.step_time < slow.step_time.nominal for c in found)
    assert all(c.result.plan.strategy.chips == slow.plan.strategy.chips for c in found)
    assert len({c.field for c in found}) == len(found)
    assert all(0 <= c.chance <= 1 for c in found)
    assert found[0].chance == max(c.chance for c in found) > 0.9
    gains = [c["gain_ratio"] for c in slow.document["measured"]["changes"]]
    assert gains == sorted(gains, reverse=True)
    assert all(0 < gain < 1 for gain in gains)


@pytest.mark.parametrize(("share", "inside"), [(0.3, False), (1.0, True), (9.0, False)])
def test_a_measured_time_is_inside_or_outside_the_range(
    share: float, inside: bool, slow: "tianji.Answer[tianji.Result]"
) -> None:
    measured = share * slow.step_time.nominal
    said = tianji.predict(slow.plan, measured=measured).document["measured"]
    assert said["is_inside"] is inside
    assert math.isclose(said["gap_s"], measured - slow.step_time.nominal, abs_tol=1e-9)
    assert said["measure_next"]
    assert [s["predicted_s"] for s in said["suspects"]] == sorted(
        (s for s in slow.breakdown.values() if s > 0), reverse=True
    )


def test_a_time_that_no_chip_reaches_asks_what_the_run_was(slow: "tianji.Answer[tianji.Result]") -> None:
    faster_than_the_peak = 0.9 * slow.mfu * slow.step_time.nominal
    (asked,) = tianji.predict(slow.plan, measured=faster_than_the_peak).document["measured"]["measure_next"]
    assert "its MFU would be 111 %" in asked


def test_without_a_measured_time_nothing_is_said_of_one() -> None:
    assert tianji.predict("llama-3.1-8b", WHERE, chips=8, batch=64, tp=2).document["measured"] is None


def test_the_command_shows_the_gap_and_the_flags() -> None:
    words = ["predict", "llama-3.1-8b", WHERE, "--chips", "8", "--batch", "64", "--tp", "8", "--measured", "9s"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0
    for part in ("Measured 9", "outside the range", "One change at a time", "--tp 4", "What to measure next"):
        assert part in done.output
    refused = CliRunner().invoke(main, [*words[:-1], "-3 s"])
    assert refused.exit_code == 2
    assert "--measured" in refused.output


def test_a_script_is_measured_as_a_plan_is(tmp_path: Path) -> None:
    folder = tmp_path / "launch"
    tianji.export(tianji.predict(MODEL, WHERE, chips=64, batch=256, **SLOW).plan, "megatron", out=str(folder))
    words = [
        "predict",
        "--from",
        str(next(folder.rglob("*.sh"))),
        WHERE,
        "--chips",
        "64",
        "--measured",
        "12.1s",
        "--json",
    ]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)["measured"]
    assert said["step_time_s"] == 12.1
    assert said["changes"][0]["gain_ratio"] > 0
    both = CliRunner().invoke(main, [*words, "--explain"])
    assert both.exit_code == 2
    assert "leave out --explain" in both.output


def test_natural_routing_is_a_cause_of_the_gap(slow: "tianji.Answer[tianji.Result]") -> None:
    said = slow.document["measured"]
    natural, *worse = said["causes"]
    assert natural["cause"].startswith("natural routing")
    load = float(natural["flag"].split()[-1])
    again = tianji.predict(MODEL, WHERE, chips=64, batch=256, moe_imbalance=load, measured="60 s", **SLOW)
    assert again.step_time.nominal == pytest.approx(natural["step_time_s"], rel=1e-9)
    assert again.document["measured"]["causes"] == [], "the load was stated"
    assert len(worse) == 2 and worse[0]["step_time_s"] <= worse[1]["step_time_s"]
    assert natural["of_gap"] * said["gap_s"] == pytest.approx(natural["step_time_s"] - slow.step_time.nominal)


def test_the_stack_of_a_script_is_what_the_script_says(tmp_path: Path) -> None:
    plan = tianji.predict(MODEL, WHERE, chips=64, batch=256, ep_kind="all_to_all", overlap_tp=False, **SLOW).plan
    tianji.export(plan, "megatron", out=str(tmp_path))
    answer = tianji.predict(from_=str(next(tmp_path.rglob("*.sh"))), pool=WHERE, chips=64)
    switches = answer.document["software"]["switches"]
    assert (switches["dispatcher"], switches["tp_overlap"]) == ("all_to_all", "none")
    assert any("experts in perfect balance" in text for text in answer.document["assumptions"])
    said = tianji.predict(from_=str(next(tmp_path.rglob("*.sh"))), pool=WHERE, chips=64, with_="deep-ep")
    assert said.document["software"]["switches"]["dispatcher"] == "deep_ep", "what the user says goes before the script"
