"""The bottom line counts what was given; headings name the precision; unlike peaks have no ratio of MFUs."""

import pytest

import tianji
from tianji.formatting import format_days, format_duration
from tianji.report.documents.checked_lines import twin_line
from tianji.report.present import view_of

MODEL, WHERE = "llama-3.1-8b", "hgx-h100"


def test_the_price_that_was_given_is_the_one_that_is_counted() -> None:
    answer = tianji.goodput(MODEL, WHERE, chips=16, batch=64, tp=8, price="2 USD", spares=0)
    assert "768 USD a day" in answer.document["bottom_line"]["amounts"]


def test_a_plan_that_does_not_fit_is_a_no() -> None:
    line = tianji.predict("llama-3.1-70b", WHERE, chips=8, batch=64, tp=8).document["bottom_line"]
    assert line["answer"].startswith("No: 8 chips do not hold it")
    assert line["chance"] < 0.5
    assert "give --tokens" in line["amounts"]


@pytest.mark.parametrize("precision", ["bf16", "fp8"])
def test_a_heading_names_the_precision(precision: str) -> None:
    answer = tianji.predict(MODEL, WHERE, chips=16, batch=64, tp=8, precision=precision)
    assert f"{MODEL} in {precision} on" in view_of(answer.document).title


def test_unlike_peaks_have_no_ratio_of_mfus_and_every_pair_a_verdict() -> None:
    pools = (f"16x{WHERE}", "16xhgx-h200", "16xhgx-a100")
    document = tianji.compare(MODEL, *pools, batch=64, tokens="1T").document
    assert document["ratios"]["mfu"][2] is None
    assert document["ratios"]["mfu"][1] is not None
    assert len(document["pairs"]) == 3
    assert [pair["one"].partition(" × ")[2] for pair in document["pairs"]] == ["hgx-h200", "hgx-a100", "hgx-a100"]
    assert all(0 <= pair["is_faster_chance"] <= 1 for pair in document["pairs"])
    assert "MFU" not in document["verdicts"][0] or "h200" in document["verdicts"][0]


@pytest.mark.parametrize(
    ("layers", "runs", "hinge"),
    [
        (2, 2, "What was run is measured: no chance is in it. It hangs on the steps that were run."),
        (
            1,
            2,
            "What was run is measured: no chance is in it. It hangs on the twin, which has 1 of the model's 2 layers.",
        ),
        (1, 0, "Nothing is measured yet: it hangs on the runs that its commands start."),
    ],
)
def test_a_twin_says_fewer_layers_only_where_it_has_fewer(layers: int, runs: int, hinge: str) -> None:
    assert twin_line("m", layers, 2, runs, "pass" if runs else None)["hinge"] == hinge


def test_a_plan_that_was_chosen_says_the_step_and_the_days_corrected_for_it() -> None:
    document = tianji.plan(MODEL, WHERE, chips=64, tokens="15T").document
    choice, first = document["choice"], document["plans"][0]
    days = first["goodput_summary"]["days"] * (1 + choice["optimism_ratio"])
    step = format_duration(choice["corrected_step_time_s"])
    assert f"{step} and {format_days(days)} days corrected for having been chosen" in document["bottom_line"]["answer"]
    one = tianji.predict(MODEL, WHERE, first["layout"], chips=64, tokens="15T")
    assert "corrected" not in one.document["bottom_line"]["answer"]
    assert one.step_time.nominal == pytest.approx(first["step_time_s"])
