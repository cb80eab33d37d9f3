"""Laws of the sensitivity: a worse assumption about a pool never makes its useful throughput better."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tianji.catalog import load_calibration, load_pool, make_job
from tianji.comparison import Assumptions
from tianji.comparison.curve import Curve
from tianji.comparison.sensitivity import choose_best, compute_sensitivities, find_alternative_plans

MODELS = ("llama-3.1-8b", "llama-3.1-70b", "mixtral-8x7b", "qwen3-30b-a3b", "gpt-oss-120b")
POOLS = ("hgx-h100", "atlas-900-a2", "cloudmatrix384", "atlas-950-superpod", "gb200-nvl72")
SIZES = (64, 144, 192, 384)


def check_swings(model: str, name: str, chips: int, precision: str = "bf16") -> None:
    calibration, pool = load_calibration("default"), load_pool(name, chips)
    if precision not in ("bf16", *pool.chip.peak):
        return
    curve = Curve(make_job(model, precision=precision, chips=chips), pool, calibration, Assumptions())
    plan = curve.at(chips)
    if plan is None:
        return
    alternatives = find_alternative_plans(curve, plan)
    best = choose_best(curve, alternatives, calibration)
    assert best.useful.nominal >= plan.useful.nominal
    sensitivities = compute_sensitivities(
        curve, best, best, lambda a, b: b.useful.nominal / a.useful.nominal, alternatives
    )
    assert {s.assumption for s in sensitivities} >= {"link efficiency", "MFU", "failure rate"}
    for swing in sensitivities:
        assert swing.at_low <= 1 + 1e-9, swing
        assert swing.at_high >= 1 - 1e-9, swing


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(MODELS), st.sampled_from(POOLS), st.sampled_from(SIZES), st.sampled_from(["bf16", "fp8"]))
def test_worse_assumptions_never_help(model: str, name: str, chips: int, precision: str) -> None:
    check_swings(model, name, chips, precision)


@pytest.mark.parametrize(("name", "chips"), [("cloudmatrix384", 1536), ("atlas-950-superpod", 1024)])
def test_worse_assumptions_never_help_a_mixture_of_experts(name: str, chips: int) -> None:
    check_swings("deepseek-v3", name, chips)
