"""The lines above every answer: sizes, tiers, assumptions, and what the times rest on."""

from tianji.catalog import load_calibration, load_model, load_pool, make_job
from tianji.hardware.calibration import Calibration
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.report.documents.request import calibration_document, pool_document, request_document, work_document
from tianji.report.views.request_summary import describe_job, describe_pool, describe_trust, request_facts


def trust(calibration: Calibration, pool: str, model: str = "llama-3.1-8b") -> str:
    machine = load_pool(pool)
    document = calibration_document(calibration, machine, load_model(model))
    return describe_trust(document, pool_document(machine))


def test_a_job_in_a_line() -> None:
    text = describe_job(work_document(make_job("mixtral-8x7b", 4096, 512, "2T", "fp8", moe_imbalance=1.5)))
    for part in ("46.7B parameters", "12.9B active", "fp8", "512 sequences of 4,096", "2T tokens", "1.5 x the mean"):
        assert part in text
    assert "active" not in describe_job(work_document(make_job("llama-3.1-8b", 4096, 512)))


def test_a_pool_in_a_line_with_its_tiers_from_the_inside() -> None:
    text = describe_pool(pool_document(load_pool("hgx-h100", 64)))
    assert text.startswith("hgx-h100: 64 x H100 SXM5 80GB with 80 GiB each; NVLink 8 at 450 GB/s")
    assert "64 at 50 GB/s" in text


def test_trust_names_its_measurements_or_their_lack() -> None:
    calibration = load_calibration()
    assert "measured: " in trust(calibration, "hgx-h100")
    assert "nobody outside has measured" in trust(calibration, "atlas-950-superpod")
    assert "lower bound" in trust(Calibration(), "hgx-h100")
    assert "runs of gpt_oss_120b under megatron-bridge took 1.2" in trust(calibration, "hgx-h100", "gpt-oss-120b")
    assert "no measured run of this mixture of experts" in trust(calibration, "hgx-h100", "ling-1t")


def test_what_was_not_stated_stands_there() -> None:
    plan = Plan(make_job("deepseek-v3"), load_pool("hgx-h100"), Strategy())
    document = request_document(plan, Calibration())
    labels = [label for label, _ in request_facts(document, (("More", "so"),)).rows]
    assert document["assumptions"]
    assert labels == ["Job", "Pool", "Assumed", "Trust", "More"]
