"""Megatron-LM: what its script says of uneven stages, sharding, experts and the optimizer's state."""

from dataclasses import replace

import pytest

import tianji
from tianji.errors import ExportError
from tianji.exporters import render_plan
from tianji.exporters.launch_reader.shell_reader import read_script
from tianji.parallel.plan import Plan
from tianji.parallel.stages import read_stages


def options_of(plan: Plan) -> dict[str, str]:
    text = render_plan(plan, "megatron").artefacts[0].text
    words = next(c for c in read_script(text, "script").commands if "pretrain_gpt.py" in c)
    return {name: value for name, value in zip(words, [*words[1:], ""], strict=True) if name.startswith("--")}


def make(model: str = "llama-3.1-8b", precision: str = "bf16", **strategy: object) -> Plan:
    job = tianji.make_job(model, seq_len=4096, global_batch_size=64, precision=precision)
    made = tianji.Strategy(**strategy)  # type: ignore[arg-type]
    return Plan(job, tianji.load_pool("hgx-h100", made.chips), made)


def test_uneven_stages_are_a_layout_of_every_layer() -> None:
    plan = make("deepseek-v3", pp=4, ep=8, dp=8)
    layout = options_of(plan)["--pipeline-model-parallel-layout"]
    assert layout == "Et*16|(t*16|)*2t*13mL"
    assert len(read_stages(layout).layers) == 4
    assert (sum(read_stages(layout).layers), read_stages(layout).num_modules) == (plan.job.model.num_layers, 1)


@pytest.mark.parametrize(("zero", "kind"), [(2, "optim_grads"), (3, "optim_grads_params")])
def test_more_than_the_optimizer_is_sharded_by_megatron_fsdp(zero: int, kind: str) -> None:
    options = options_of(make(dp=8, zero=zero))
    assert "--use-megatron-fsdp" in options
    assert options["--data-parallel-sharding-strategy"] == kind
    assert options["--ckpt-format"] == "fsdp_dtensor"


def test_tokens_that_cross_once_take_deepep() -> None:
    once = options_of(make("qwen3-30b-a3b", ep=8, dp=8))
    assert (once["--moe-token-dispatcher-type"], once["--moe-flex-dispatcher-backend"]) == ("flex", "deepep")
    every = options_of(make("qwen3-30b-a3b", ep=8, dp=8, ep_kind="all_to_all"))
    assert every["--moe-token-dispatcher-type"] == "alltoall"
    assert options_of(make("qwen3-30b-a3b", dp=8))["--moe-token-dispatcher-type"] == "alltoall"


@pytest.mark.parametrize(("size", "dtype"), [(8.0, "bf16"), (6.0, "fp8")])
def test_narrow_moments_are_precision_aware(size: float, dtype: str) -> None:
    plan = make(dp=8)
    narrow = replace(plan, job=replace(plan.job, precision=replace(plan.job.precision, optimizer_size=size)))
    options = options_of(narrow)
    assert (options["--exp-avg-dtype"], options["--exp-avg-sq-dtype"]) == (dtype, dtype)
    odd = replace(plan, job=replace(plan.job, precision=replace(plan.job.precision, optimizer_size=10.0)))
    with pytest.raises(ExportError, match="10 bytes of optimizer state"):
        render_plan(odd, "megatron")


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("bf16", {"--bf16": ""}),
        ("fp16", {"--fp16": ""}),
        ("fp8", {"--fp8-format": "hybrid", "--fp8-recipe": "tensorwise"}),
        ("mxfp8", {"--fp8-format": "hybrid", "--fp8-recipe": "mxfp8"}),
    ],
)
def test_each_precision_is_its_options(precision: str, expected: dict[str, str]) -> None:
    options = options_of(make(precision=precision, dp=8))
    assert {name: options[name] for name in expected if expected[name]} == {k: v for k, v in expected.items() if v}
    assert set(expected) <= set(options)


@pytest.mark.parametrize(("tp", "is_written"), [(8, True), (16, False)])
def test_matmuls_are_split_within_one_node_only(tp: int, is_written: bool) -> None:
    plan = make("llama-3.1-405b", tp=tp, dp=2, overlap_tp=True)
    assert ("--tp-comm-overlap" in options_of(plan)) == is_written == plan.hides_tensor_links
