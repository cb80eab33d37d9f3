"""Every plan says which frameworks run its layout, and where none does, what runs instead."""

from dataclasses import replace

import pytest

import tianji
from tianji.exporters import render_plan
from tianji.exporters.layout_support import find_support
from tianji.exporters.runnable import OWN, SPACES, find_reason
from tianji.parallel.layouts import read_layout
from tianji.report.views.layout_support import support_lead

SIZES = {"chips": 16, "batch": 256, "seq": 4096}


@pytest.mark.parametrize("where", ["hgx-h100", "atlas-900-a2"])
def test_each_framework_that_is_named_writes_the_plan(where: str) -> None:
    answer = tianji.plan("llama-3.1-8b", where, **SIZES, fix="pp=1")
    support = answer.document["layout_support"]
    assert support["frameworks"] and support["runnable"] is None and support["why"] == ""
    for name in support["frameworks"]:
        assert render_plan(answer.best.plan, name).artefacts
    refused = set(SPACES) - set(support["frameworks"]) - {OWN}
    assert all(find_reason(name, answer.best.plan) for name in refused)


def test_where_none_runs_it_the_answer_says_why_and_what_runs() -> None:
    answer = tianji.plan("qwen3-30b-a3b", "hgx-h100", **SIZES, fix="pp=4,zero=1,schedule=zero-bubble")
    support = answer.document["layout_support"]
    assert (support["frameworks"], support["preferred"]) == ([], "nemo")
    assert support["why"].startswith("schedule=zero-bubble")
    assert support["runnable"] is None
    assert list(support_lead(support))[-1] == "--runs-on nemo searches what it runs."
    free = tianji.plan("qwen3-30b-a3b", "hgx-h100", **SIZES)
    if runnable := free.document["layout_support"]["runnable"]:
        strategy = replace(free.best.plan.strategy, **read_layout(runnable["layout"], "layout"))
        assert find_support(replace(free.best.plan, strategy=strategy), (), free.calibration).frameworks


def test_the_first_other_plan_that_something_runs_is_named() -> None:
    best = tianji.plan("llama-3.1-8b", "hgx-h100", **SIZES, fix="pp=2,schedule=zero-bubble").best.plan
    others = [
        replace(best, strategy=replace(best.strategy, schedule=word)) for word in ("dualpipe", "1f1b", "interleaved")
    ]
    support = find_support(best, others, tianji.load_calibration(), "megatron")
    assert support.runnable is not None and support.runnable.strategy.schedule == "1f1b"
    assert "megatron" in support.by and "zero-bubble" in support.why


def test_with_a_framework_named_nothing_is_said_of_others() -> None:
    document = tianji.plan("llama-3.1-8b", "hgx-h100", **SIZES, runs_on="megatron").document
    assert document["layout_support"] is None and not list(support_lead(None))
