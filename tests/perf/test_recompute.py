"""Modules that the backward pass computes again: bytes that go, seconds that come, and both within a full recomputation."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tianji.catalog import load_model, load_pool, make_job
from tianji.errors import FormatError
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.strategy import MODULES
from tianji.perf.activations import layer_activations
from tianji.perf.recompute import CHECKPOINT_LAUNCHES, MODULE_TABLE
from tianji.perf.step import estimate
from tianji.units import Array
from tianji.workload import Job
from tianji.workload.layer_widths import layer_sizes

JOBS = {name: make_job(name, 4096, 8) for name in ("llama-3.1-8b", "deepseek-v3")}
POOL = load_pool("hgx-h200", 8)


def one(values: Array) -> float:
    return float(np.ravel(values)[0])


def strategy(*modules: str, **fields: Any) -> Strategy:
    return Strategy(tp=8, recompute="selective", recompute_modules="+".join(modules), **fields)


def kept(task: Job, s: Strategy, kind: str) -> float:
    return one(layer_activations(task, Grid.of(s), layer_sizes(task.model)[kind].widths)[1])


def again(task: Job, s: Strategy) -> float:
    return one(estimate(task, POOL, Constants(), Grid.of(s)).terms["recompute"])


NOTHING = Strategy(tp=8)


def test_by_hand() -> None:
    task, model = JOBS["llama-3.1-8b"], load_model("llama-3.1-8b")
    h, f = model.hidden_size, model.intermediate_size
    saved = {m: kept(task, NOTHING, "dense") - kept(task, strategy(m), "dense") for m in MODULES}
    assert saved["layernorm"] == pytest.approx(2 * 2 * h / 8)
    assert saved["mlp_act"] == pytest.approx(2 * f / 8)
    assert saved["mlp"] == pytest.approx(3 * 2 * f / 8)
    assert saved["core_attn"] == pytest.approx(4 * model.num_attention_heads / 8)
    assert saved["moe"] == saved["moe_act"] == saved["shared_experts"] == saved["mla_up_proj"] == 0
    assert kept(task, strategy("mlp", "mlp_act"), "dense") == kept(task, strategy("mlp"), "dense"), "a piece goes once"


def test_experts_by_hand() -> None:
    task, model = JOBS["deepseek-v3"], load_model("deepseek-v3")
    assert model.moe
    width, k = model.moe.intermediate_size, model.moe.top_k
    saved = {m: kept(task, NOTHING, "moe") - kept(task, strategy(m), "moe") for m in MODULES}
    assert saved["moe_act"] == pytest.approx(k * 2 * width / 8)
    assert saved["shared_experts"] == pytest.approx(3 * 2 * model.moe.shared_intermediate_size / 8)
    assert saved["moe"] == pytest.approx(saved["shared_experts"] + k * 2 * (model.hidden_size + 3 * width) / 8)
    assert saved["mla_up_proj"] > saved["core_attn"] > 0
    assert saved["mlp"] == 0, "no dense MLP in a layer of experts"


@settings(max_examples=12, deadline=None)
@given(
    name=st.sampled_from(sorted(JOBS)), few=st.sets(st.sampled_from(MODULES), min_size=1),
    more=st.sets(st.sampled_from(MODULES)), layers=st.sampled_from((0.5, 1.0)),
)  # fmt: skip
def test_more_modules_keep_less_and_take_longer_but_never_more_than_full(
    name: str, few: set[str], more: set[str], layers: float
) -> None:
    task = JOBS[name]
    full = Strategy(tp=8, recompute="full", recompute_layers=layers)
    small, large = (strategy(*s, recompute_layers=layers) for s in (few, few | more))
    for kind in layer_sizes(task.model):
        sizes = [kept(task, s, kind) for s in (NOTHING, small, large, full)]
        assert sizes == sorted(sizes, reverse=True)
    seconds = [again(task, s) for s in (NOTHING, small, large)]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= again(task, full) * 1.001


def test_the_cheap_outputs_are_modules_too() -> None:
    task = JOBS["deepseek-v3"]
    named = strategy("layernorm", "mla_up_proj", "mlp_act", "moe_act")
    for kind in ("dense", "moe"):
        assert kept(task, named, kind) == pytest.approx(kept(task, strategy(), kind))


def test_a_grid_keeps_every_strategy_apart() -> None:
    task = JOBS["deepseek-v3"]
    several = [NOTHING, strategy("moe"), strategy("core_attn", "ops"), strategy(), Strategy(tp=8, recompute="full")]
    together = estimate(task, POOL, Constants(), Grid.of(*several))
    for i, s in enumerate(several):
        alone = estimate(task, POOL, Constants(), Grid.of(s))
        assert np.broadcast_to(together.step_time, 5)[i] == pytest.approx(one(alone.step_time), rel=1e-12)
        assert Grid.of(*several).at((i,)) == s


@pytest.mark.parametrize("fields", [{"recompute": "full"}, {"recompute": "none"}])
def test_modules_need_selective(fields: dict[str, str]) -> None:
    with pytest.raises(FormatError, match="recompute=selective"):
        replace(strategy("moe"), **fields)  # type: ignore[arg-type]
    with pytest.raises(FormatError, match="core_attn"):
        strategy("attn")


def test_checkpoints_cost_the_host_where_it_is_what_is_waited_for() -> None:
    """A slow host pays for each checkpoint of each layer and for its ops once more, and a fast one for none."""
    task = JOBS["llama-3.1-8b"]
    slow, fast = Constants(op_overhead=1.0), Constants(op_overhead=1e-9)

    def seconds(constants: Constants, *modules: str) -> float:
        kept_all = Strategy(tp=8)
        chosen = strategy(*modules) if modules else kept_all
        return one(estimate(task, POOL, constants, Grid.of(chosen)).terms["overhead"])

    calls = {"core_attn": 1, "mlp": 1, "mlp_act": 1, "layernorm": 2, "moe": 0, "moe_act": 0, "mla_up_proj": 0}
    for module, count in calls.items():
        more = seconds(slow, module) - seconds(slow)
        launches = CHECKPOINT_LAUNCHES * count + (MODULE_TABLE[module].ops if count else 0)
        assert more == pytest.approx(launches * 32 * 8, rel=0.01)
        assert seconds(fast, module) == pytest.approx(seconds(fast), abs=1e-3)
