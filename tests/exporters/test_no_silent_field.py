"""The law of each strategy field: two plans that differ in one field never become the same files in silence.

A framework writes the field, or refuses one of the two, or says in a note what it does instead.
"""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tianji
from legal_plans import TRAINERS, with_its_loss
from tianji.errors import ExportError, TianjiError
from tianji.exporters import TARGETS, render_plan
from tianji.parallel.legality import refusals
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import CHOICES, SWITCHES, Strategy

VALUES: dict[str, tuple[Any, ...]] = {
    **CHOICES,
    **dict.fromkeys(SWITCHES, (True, False)),
    "micro_batch_size": (1, 2),
    "zero": (0, 1, 2, 3),
    "zero_group": (0, 2),
    "recompute_layers": (1.0, 0.5),
    "offload_optimizer": (0.0, 0.5, 1.0),
    "offload_activations": (0.0, 0.5, 1.0),
    "stages": ("", "20,12", "30,18"),
    "recompute_modules": ("", "core_attn", "layernorm", "layernorm+mlp_act+moe_act", "ops"),
}
CASES = {
    "megatron": ("hgx-h100", ("llama-3.1-8b", "qwen3-30b-a3b")),
    "megatron-swift": ("hgx-h100", ("llama-3.1-8b", "qwen3-30b-a3b")),
    "nemo": ("hgx-h100", ("llama-3.1-8b", "qwen3-30b-a3b")),
    "torchtitan": ("hgx-h100", ("llama-3.1-8b", "qwen3-30b-a3b")),
    "mindspeed": ("atlas-950-superpod", ("llama-3.1-8b", "qwen3-30b-a3b")),
    "mindformers": ("atlas-950-superpod", ("qwen3-8b", "qwen3-30b-a3b")),
    "deepspeed": ("hgx-h100", ("llama-3.1-8b",)),
    **dict.fromkeys(TRAINERS, ("hgx-h100", ("llama-3.1-8b",))),
}
USUAL = {
    "overlap_ep": (False,),
    "flash_attention": (True,),
    **dict.fromkeys(("offload_optimizer", "offload_activations"), (0.0,)),
    **dict.fromkeys(("offload_weights", "offload_overlap"), (False,)),
    "offload_update": ("host",),
    "zero_kind": ("layers",),
    "recompute_modules": ("",),
    "stages": ("",),
    "sequence_parallel": (True,),
}
"""What a framework is first drawn with: every other value is tried as the one field that differs."""


def settle(s: Strategy) -> Strategy:
    """Return a strategy with the fields at their defaults that have nothing to act on."""
    alone = s.cp * s.dp == 1
    idle = {
        "schedule": s.pp == 1, "overlap_pp": s.pp == 1, "placement": s.pp == 1 or s.dp == 1, "cp_kind": s.cp == 1,
        "sequence_parallel": s.tp == 1, "overlap_tp": s.tp == 1, "ep_kind": s.ep == 1, "overlap_ep": s.ep == 1,
        "overlap_dp": alone, "zero": alone, "weight_gather": alone or s.zero in (0, 3) or not s.overlap_dp,
        "zero_group": s.zero == 0 or s.zero_group >= s.cp * s.dp, "recompute_layers": s.recompute == "none",
        "recompute_modules": s.recompute != "selective",
        "zero_kind": alone or s.zero == 0,
        **dict.fromkeys(("offload_update", "offload_overlap"), not s.offload_optimizer),
    }  # fmt: skip
    if set(s.recompute_modules.split("+")) == {"layernorm", "mlp_act", "moe_act"}:
        s = replace(s, recompute_modules="")  # the cheap outputs, by their names
    return replace(s, **{name: getattr(Strategy(), name) for name, is_idle in idle.items() if is_idle})


@st.composite
def framework_plans(draw: st.DrawFn, target: str) -> Plan:
    pool, models = CASES[target]
    space = USUAL | dict(TARGETS[target].space or {})

    def pick(name: str, words: tuple[Any, ...]) -> Any:
        return draw(st.sampled_from(space.get(name, words)))

    model = draw(st.sampled_from(models))
    pp = pick("pp", (1, 2, 4))
    fields = {name: pick(name, words) for name, words in VALUES.items() if name not in ("schedule", "weight_gather")}
    try:
        strategy = Strategy(
            tp=draw(st.sampled_from([1, 2, 4])), pp=pp, cp=draw(st.sampled_from([1, 2])),
            dp=draw(st.sampled_from([2, 4, 8])), ep=pick("ep", (1, 2, 4)) if "a3b" in model else 1,
            weight_gather=draw(st.sampled_from(["hidden", "exposed"])), **fields,
        )  # fmt: skip
    except TianjiError:
        assume(False)
        raise
    job = tianji.make_job(model, seq_len=2048, global_batch_size=strategy.dp * 16, tokens="1T")
    return with_its_loss(Plan(job, tianji.load_pool(pool, strategy.chips), strategy), target)


def render(plan: Plan, target: str) -> tuple[list[str], tuple[str, ...]] | None:
    """Return a plan's files without their comments and copies of the plan, and the notes; None where it is refused."""
    if refusals(plan.strategy, plan.job, plan.pool):
        return None
    try:
        bundle = render_plan(plan, target)
    except ExportError:
        return None
    lines = [[x.split("  # ")[0] for x in a.text.splitlines() if not x.startswith("#")] for a in bundle.artefacts]
    return ["\n".join(text) for text in lines], bundle.notes


@pytest.mark.parametrize("target", CASES)
def test_no_field_is_dropped_in_silence(target: str) -> None:
    compared: Counter[str] = Counter()

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(plan=framework_plans(target))
    def compare(plan: Plan) -> None:
        files = render(plan, target)
        assume(files is not None)
        for name, words in VALUES.items():
            for word in words:
                try:
                    strategy = replace(plan.strategy, **{name: word})
                except TianjiError:
                    continue
                if settle(strategy) == settle(plan.strategy):
                    continue
                other = render(replace(plan, strategy=strategy), target)
                compared[name] += other is not None
                assert other != files, f"{name}={getattr(plan.strategy, name)} and {word} are the same files"

    compare()
    assert len([name for name, count in compared.items() if count]) >= 6, compared


def test_every_framework_is_held_to_the_law() -> None:
    assert set(CASES) == {name for name, target in TARGETS.items() if target.space is not None}
