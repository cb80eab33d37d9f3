"""Whole predictions, digit by digit: a change of the cost model shows here, and its commit says why.

    python tests/golden/test_predictions.py      # writes predictions.json anew

Most cases hold the physics alone (calibration ``none``); the last ones hold what ships.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tianji
from tianji.parallel.layouts import complete_layout, read_layout
from tianji.parallel.plan import Plan
from tianji.prediction import predict as predict_plan

PAGE = Path(__file__).with_name("predictions.json")
DIGITS = 1e-9
"""Relative: another processor rounds the last digits its own way."""

CASES: dict[str, tuple[str, str, int, int, str, str, str]] = {
    "gpt3 as Megatron ran it": ("gpt3-175b", "dgx-a100", 1024, 1536, "bf16", "none", "tp=8,pp=8,recompute=full"),
    "gpt3 interleaved": ("gpt3-175b", "dgx-a100", 1536, 1536, "bf16", "none", "tp=8,pp=8,vpp=6,zero=0"),
    "llama fully sharded": ("llama-3.1-70b", "hgx-h100", 512, 1024, "bf16", "none", "zero=3,zero_group=8,recompute=selective"),
    "llama long context": ("llama-3.1-405b", "hgx-h100", 1024, 256, "bf16", "none", "tp=8,pp=8,cp=4,vpp=2"),
    "ulysses": ("llama-3.1-8b", "hgx-h100", 64, 64, "bf16", "none", "tp=2,cp=4,cp_kind=ulysses"),
    "deepseek in fp8": ("deepseek-v3", "hgx-h800", 2048, 15360, "fp8", "none", "pp=16,ep=64,schedule=dualpipe,overlap_ep=on"),
    "deepseek on a SuperPoD": ("deepseek-v3", "atlas-950-superpod", 8192, 15360, "fp8", "none", "tp=4,pp=8,ep=64"),
    "mixtral, experts cut": ("mixtral-8x7b", "atlas-900-a2", 128, 256, "bf16", "none", "tp=4,pp=4,ep=4,etp=2,schedule=gpipe"),
    "pangu": ("pangu-ultra-moe", "cloudmatrix384", 384, 1536, "bf16", "none", "tp=8,pp=6,ep=8,schedule=zero-bubble"),
    "shipped: llama": ("llama-3.1-70b", "hgx-h100", 512, 1024, "bf16", "default", "tp=4,pp=4,vpp=4"),
    "shipped: MoE": ("deepseek-v3", "hgx-h800", 2048, 15360, "fp8", "default", "pp=16,ep=64,schedule=dualpipe,overlap_ep=on"),
    "shipped: Ascend": ("llama-3.1-70b", "atlas-900-a2", 256, 512, "bf16", "default", "tp=8,pp=4"),
}  # fmt: skip
"""Model, pool, chips, batch, precision, calibration, layout."""


def predict(name: str) -> dict[str, Any]:
    model, pool, chips, batch, precision, calibration, layout = CASES[name]
    job = tianji.make_job(model, global_batch_size=batch, precision=precision)
    plan = Plan(job, tianji.load_pool(pool).with_chips(chips), complete_layout(read_layout(layout), chips))
    found = predict_plan(plan, tianji.load_calibration(calibration))
    return {
        "step_time_s": found.step_time.nominal,
        "mfu": found.mfu,
        "breakdown": {kind: seconds for kind, seconds in found.breakdown.items() if seconds},
        "memory": {part: size for part, size in found.memory.items() if size},
        "worst_stage": found.worst_stage,
    }


def flat(value: Any, way: str = "") -> dict[str, float]:
    if not isinstance(value, dict):
        return {way: value}
    return {k: v for key, item in value.items() for k, v in flat(item, f"{way}.{key}".lstrip(".")).items()}


@pytest.mark.parametrize("name", CASES)
def test_a_prediction_is_what_it_was(name: str) -> None:
    expected, found = flat(json.loads(PAGE.read_text(encoding="utf-8"))[name]), flat(predict(name))
    assert found == pytest.approx(expected, rel=DIGITS), "run this file to write the page anew; say why in the commit"


def test_the_page_holds_the_cases_and_no_others() -> None:
    assert list(json.loads(PAGE.read_text(encoding="utf-8"))) == list(CASES)


if __name__ == "__main__":
    PAGE.write_text(json.dumps({name: predict(name) for name in CASES}, indent=1) + "\n", encoding="utf-8")
