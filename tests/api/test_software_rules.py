"""What MindSpeed refuses is not priced on an Ascend chip: its rules for 8 bits and experts decide the overlap."""

import pytest

from tianji import predict
from tianji.api.software import SoftwareChoice
from tianji.api.software_rules import OPTIONS, find_refusal, rule_out_overlap
from tianji.catalog import load_calibration, load_chip, load_model
from tianji.errors import FormatError
from tianji.hardware.software import Software
from tianji.parallel.software_fields import hold_fields
from tianji.workload import Job
from tianji.workload.precision import find_precision

DT, H100 = load_chip("ascend-950dt"), load_chip("h100-sxm")
DEFAULT = load_calibration()
MINDSPEED = Software.of(DEFAULT.reference["cann"])
DENSE, EXPERTS = "llama-3.1-70b", "deepseek-v3"
SIZES = {"chips": 64, "batch": 256, "seq": 4096}


def job(model: str, precision: str) -> Job:
    return Job(load_model(model), 4096, 256, find_precision(precision))


@pytest.mark.parametrize(
    ("model", "precision", "refused"),
    [(DENSE, "bf16", ()), (DENSE, "fp8", ("mc2", "coc")), (DENSE, "mxfp8", ("mc2", "coc")), (DENSE, "hif8", ("mc2", "coc")),
     (EXPERTS, "bf16", ("mc2",)), (EXPERTS, "fp8", ("mc2", "coc"))],
)  # fmt: skip
def test_the_rules_say_which_overlap_is_refused(model: str, precision: str, refused: tuple[str, ...]) -> None:
    assert tuple(word for word in OPTIONS if find_refusal(job(model, precision), MINDSPEED, word)) == refused


def test_only_low_precision_under_mindspeed_loses_its_overlap() -> None:
    ruled, note = rule_out_overlap(DEFAULT, job(DENSE, "fp8"), DT)
    assert hold_fields(ruled, DT, {}) == {"overlap_tp": False}
    assert "MC2 takes mxfp8 only" in note and "no CoC" in note
    other = DEFAULT.under(Software("our-trainer"), DT.name)
    for calibration, precision, chip, fixed in (
        (DEFAULT, "bf16", DT, ()), (DEFAULT, "fp8", H100, ()), (DEFAULT, "fp8", DT, ("overlap_tp",)), (other, "fp8", DT, ()),
        (load_calibration("none"), "fp8", DT, ()),
    ):  # fmt: skip
        assert rule_out_overlap(calibration, job(DENSE, precision), chip, fixed) == (calibration, "")


def test_a_plan_of_8_bits_prices_no_overlap_that_is_refused() -> None:
    layout = "tp=8,pp=1,zero=1,mbs=1"
    fp8 = predict(DENSE, "atlas-950-superpod", layout, **SIZES, precision="fp8")
    assert not fp8.plan.strategy.overlap_tp
    assert any("MC2 takes mxfp8 only" in text for text in fp8.document["assumptions"])
    assert not any(gain["switch"] == "tp_overlap" for gain in fp8.document["switch_gains"])
    assert predict(DENSE, "atlas-950-superpod", layout, **SIZES).plan.strategy.overlap_tp
    over = predict(DENSE, "atlas-950-superpod", layout, **SIZES, precision="fp8", overlap_tp=True)
    assert over.plan.strategy.overlap_tp


def test_a_switch_that_is_refused_is_an_error() -> None:
    choice = SoftwareChoice(DEFAULT.under(MINDSPEED.switch("mc2"), DT.name))
    with pytest.raises(FormatError, match="mindspeed refuses it for this job: MC2 excludes grouped matmuls"):
        choice.settle(job(EXPERTS, "bf16"), DT)
    assert choice.settle(job(DENSE, "bf16"), DT)
