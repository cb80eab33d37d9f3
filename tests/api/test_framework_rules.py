"""A plan for software that is named is one that this software starts; what is only assumed decides nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import tianji
from samples import DENSE, SPARSE
from tianji.errors import IllegalStrategyError

SIZES: dict[str, Any] = {"chips": 16, "batch": 64, "seq": 1024}


@pytest.mark.parametrize(
    ("software", "pool", "fields", "why"),
    [
        ("megatron-lm", "hgx-h100", {"pp": 2, "overlap_ep": True}, "without virtual stages"),
        ("megatron-bridge", "hgx-h100", {"pp": 2, "overlap_ep": True}, "without virtual stages"),
        ("megatron-lm", "hgx-h100", {"pp": 2, "vpp": 2, "overlap_pp": False}, "without overlap of their sends"),
        ("mindspeed", "atlas-900-a3-superpod", {"overlap_ep": True}, "overlapped gradients"),
        ("megatron-bridge", "hgx-h100", {"pp": 2, "vpp": 2, "overlap_pp": False}, ""),
        ("in-house", "hgx-h100", {"pp": 2, "overlap_ep": True}, ""),
        (None, "hgx-h100", {"pp": 2, "overlap_ep": True}, ""),
    ],
)
def test_a_plan_is_refused_at_which_its_software_stops(
    software: str | None, pool: str, fields: dict[str, Any], why: str
) -> None:
    def ask(**more: Any) -> None:
        tianji.predict(SPARSE, pool, ep=8, micro_batch_size=1, software=software, **fields, **SIZES, **more)

    if not why:
        ask()
        return
    with pytest.raises(IllegalStrategyError, match=rf"would not start this plan: .*{why}.*take .*\.py"):
        ask()
    ask(measured="20 s")


def test_a_search_gives_no_plan_at_which_its_software_stops() -> None:
    held = "overlap_ep=on,ep=8,etp=1,tp=1,cp=1,pp=1,micro_batch_size=1"
    with pytest.raises(IllegalStrategyError, match="overlapped gradients"):
        tianji.plan(SPARSE, "atlas-900-a3-superpod", software="mindspeed", fix=held, **SIZES)
    answer = tianji.plan(SPARSE, "atlas-900-a3-superpod", software="mindspeed", fix=f"{held},overlap_dp=off", **SIZES)
    assert all(not result.plan.strategy.overlap_dp for result in answer.results)


def test_full_recomputation_hides_no_experts_exchange_on_cuda() -> None:
    fields = {"ep": 8, "pp": 2, "vpp": 2, "overlap_ep": True, "recompute": "full", "micro_batch_size": 1}
    with pytest.raises(IllegalStrategyError, match="overlap_ep with recompute=full"):
        tianji.predict(SPARSE, "hgx-h100", **fields, **SIZES)
    assert tianji.predict(SPARSE, "atlas-900-a3-superpod", **fields, **SIZES).step_time.nominal > 0


def test_layers_that_do_not_divide_say_what_a_framework_asks_for() -> None:
    sizes: dict[str, Any] = {**SIZES, "pp": 4, "micro_batch_size": 1}
    uneven = replace(DENSE, num_layers=30)
    said = " ".join(tianji.predict(uneven, "hgx-h100", **sizes).document["assumptions"])
    assert "30 layers in chunks of 8 and 7" in said
    named = tianji.predict(uneven, "hgx-h100", stages="8,8,7,7", **sizes)
    assert "in chunks of" not in " ".join(named.document["assumptions"])
