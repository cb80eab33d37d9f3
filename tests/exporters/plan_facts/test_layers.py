"""Layers of stages and chunks: all are dealt, as priced, and a share that is recomputed is a whole number of them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

import tianji
from legal_plans import plans
from tianji.exporters.contract import Limits
from tianji.exporters.plan_facts.layers import deal_layers, hold_stages, is_even, recomputed_layers
from tianji.parallel.plan import Plan


@settings(max_examples=80)
@given(plan=plans(("hgx-h100",)))
def test_every_layer_is_dealt_once(plan: Plan) -> None:
    dealt, s, model = deal_layers(plan), plan.strategy, plan.job.model
    assert (len(dealt), {len(stage) for stage in dealt}) == (s.pp, {s.vpp})
    assert sum(map(sum, dealt)) == model.num_layers
    assert is_even(plan) is (len({count for stage in dealt for count in stage}) == 1)
    held = hold_stages(plan)
    assert len(held.layers) == s.pp * s.vpp
    assert (sum(held.layers), held.num_modules) == (model.num_layers, model.num_mtp_layers)
    assert deal_layers(replace(plan, strategy=replace(s, stages=str(held)))) == dealt


@pytest.mark.parametrize(("pp", "share", "count"), [(1, 1.0, None), (1, 0.5, 16), (2, 0.5, 8), (4, 0.25, 2)])
def test_a_share_of_the_layers_is_counted_in_each_chunk(pp: int, share: float, count: int | None) -> None:
    limits = Limits("any")
    assert recomputed_layers(shared(pp, share), limits) == count
    assert not limits.refusals


@pytest.mark.parametrize(("pp", "share", "words"), [(1, 0.3, "not a whole number"), (3, 0.5, "different numbers")])
def test_a_share_that_is_no_whole_number_is_refused(pp: int, share: float, words: str) -> None:
    limits = Limits("any")
    assert recomputed_layers(shared(pp, share), limits) is None
    assert words in limits.refusals[0]


def shared(pp: int, share: float) -> Plan:
    job = tianji.make_job("llama-3.1-8b", global_batch_size=24, seq_len=2048)
    strategy = tianji.Strategy(pp=pp, dp=8, recompute="full")
    plan = Plan(job, tianji.load_pool("hgx-h100", 8 * pp), strategy)
    return replace(plan, strategy=replace(strategy, recompute_layers=share))
