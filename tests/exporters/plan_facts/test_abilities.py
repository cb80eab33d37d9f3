"""What a framework keeps where and how: each ability against a plan that wants more, and against one that wants just that."""

from dataclasses import replace
from typing import Any

import pytest

import tianji
from tianji.exporters.contract import Limits
from tianji.exporters.plan_facts.abilities import Abilities, always, named_modules
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import read_modules
from tianji.workload import Formats


def plan_of(model: str = "llama-3.1-8b", formats: Formats | None = None, **fields: Any) -> Plan:
    job = tianji.make_job(model, seq_len=2048, global_batch_size=64)
    job = replace(job, precision=(formats or Formats()).apply(job.precision))
    return Plan(job, tianji.load_pool("hgx-h100", 8), tianji.Strategy(dp=8, **fields))


def reasons(abilities: Abilities, plan: Plan) -> list[str]:
    limits = Limits("any")
    abilities.apply(plan, limits)
    return limits.refusals


HALF: dict[str, Any] = {"offload_optimizer": 0.5}
ALL: dict[str, Any] = {"offload_optimizer": 1}
NAMED: dict[str, Any] = {"recompute": "selective", "recompute_modules": "core_attn"}


@pytest.mark.parametrize(
    ("able", "fields", "words"),
    [
        (Abilities(optimizer=always), ALL, "offload_optimizer: it has no setting"),
        (Abilities(optimizer=always, fraction=always), HALF, "offload_optimizer"),
        (Abilities(optimizer=always, updates=("chip",)), ALL | {"offload_update": "chip"}, "offload_optimizer"),
        (Abilities(optimizer=always, overlap=always), ALL | {"offload_overlap": True}, "offload_optimizer"),
        (Abilities(activations=always), {"offload_activations": 1}, "offload_activations=1"),
        (Abilities(weights=always), {"zero": 3, "offload_weights": True}, "offload_weights"),
        (Abilities(modules=lambda modules: modules == ("core_attn",)), NAMED, "recompute_modules=core_attn"),
        (Abilities(zero_kinds=("buckets",)), {"zero": 3, "zero_kind": "buckets"}, "it gathers layers"),
    ],
)
def test_who_cannot_refuses_and_who_can_takes_it(able: Abilities, fields: dict[str, Any], words: str) -> None:
    plan = plan_of(**fields)
    assert words in "; ".join(reasons(Abilities(), plan))
    assert reasons(able, plan) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (HALF, "all of the state or none"),
        (ALL | {"offload_update": "chip"}, "take offload_update=host"),
        (ALL | {"offload_overlap": True}, "offload_overlap"),
    ],
)
def test_a_way_of_offloading_that_it_does_not_have(fields: dict[str, Any], words: str) -> None:
    assert words in "; ".join(reasons(Abilities(optimizer=always), plan_of(**fields)))


@pytest.mark.parametrize(
    "formats", [Formats(optimizer="lion"), Formats(main_weights="none"), Formats(loss_kernel="chunked")]
)
def test_formats_that_no_file_sets(formats: Formats) -> None:
    plan = plan_of(formats=formats)
    p = plan.job.precision
    assert reasons(Abilities(), plan)
    assert not reasons(Abilities(optimizers=(p.optimizer,), main_weights=(p.main,), losses=(p.loss,)), plan)


def test_modules_that_a_model_does_not_have_are_left_out() -> None:
    every = "core_attn+mla_up_proj+moe_act+mlp+moe+shared_experts"
    fields: dict[str, Any] = {"recompute": "selective", "recompute_modules": every}
    assert named_modules(plan_of(**fields)) == ("core_attn", "mlp")
    assert named_modules(plan_of("deepseek-v3", **fields)) == read_modules(every)
