"""Rules of frameworks' releases: what breaks them is said, and what hangs on the environment decides nothing."""

from pathlib import Path

import pytest

import tianji
from tianji.exporters.rules.tables import load_rules
from tianji.workload.expressions import names_in

SIZES = "--num-layers 32 --hidden-size 4096 --num-attention-heads 32 --seq-length 4096"
OVERLAP = (
    "--num-experts 8 --expert-model-parallel-size 4 --overlap-moe-expert-parallel-comm --moe-token-dispatcher-type"
)
BREAKS = [
    ("megatron", "--num-layers 30 --pipeline-model-parallel-size 4", "do not divide into the pipeline stages"),
    ("megatron", "--num-layers 46 --pipeline-model-parallel-size 4", "do not divide into the pipeline stages"),
    ("megatron", "--expert-model-parallel-size 2", "without --num-experts"),
    ("megatron", "--fp16 --bf16", "--fp16 beside --bf16"),
    ("megatron", "--recompute-granularity full", "without --recompute-method"),
    (
        "megatron",
        f"{OVERLAP} alltoall --recompute-granularity full --recompute-method uniform --recompute-num-layers 1",
        "with full recomputation",
    ),
    ("megatron", f"{OVERLAP} allgather", "without several expert ranks"),
    ("megatron", f"{OVERLAP} alltoall --pipeline-model-parallel-size 2 --num-layers 32", "without virtual stages"),
    ("megatron", "--overlap-param-gather --overlap-grad-reduce", "without the distributed optimizer"),
    ("megatron", "--recompute-granularity full --recompute-method block", "without --recompute-num-layers"),
    ("megatron", "--recompute-granularity selective --recompute-num-layers 2", "beside selective recomputation"),
    ("megatron", "--recompute-granularity selective --recompute-modules mla_up_proj", "without multi-latent attention"),
    (
        "megatron",
        "--recompute-granularity selective --recompute-modules moe_act --num-experts 8",
        "without --moe-grouped-gemm",
    ),
    (
        "megatron",
        "--recompute-granularity selective --recompute-modules layernorm --fp8-format e4m3",
        "under fp8 with delayed scaling",
    ),
    ("megatron", "--recompute-granularity selective --recompute-modules gdn_norm_out", "without gated delta nets"),
    ("megatron", "--recompute-granularity selective --recompute-modules mhc", "without hyper-connections"),
    (
        "megatron",
        "--num-layers-per-virtual-pipeline-stage 4 --num-virtual-stages-per-pipeline-rank 2",
        "said more than once",
    ),
    (
        "megatron",
        "--decoder-first-pipeline-num-layers 6 --account-for-loss-in-pipeline-split",
        "beside --account-for-embedding/loss",
    ),
    (
        "megatron",
        "--pipeline-model-parallel-layout Et*9|t*7L --account-for-loss-in-pipeline-split",
        "beside other options of the split",
    ),
    ("megatron", "--distribute-saved-activations --sequence-parallel", "beside --sequence-parallel"),
    ("mindspeed", "--fp8-format e4m3 --transformer-impl local --use-flash-attn", "--transformer-impl is local"),
    ("mindspeed", "--use-ascend-coc --fp8-format e4m3 --use-flash-attn", "has no CoC"),
    ("mindspeed", "--fp8-format hif8 --use-flash-attn", "HiF8 takes the tensorwise recipe only"),
    (
        "mindspeed",
        "--fp8-format e4m3 --fp8-recipe blockwise --num-experts 8 --moe-grouped-gemm --use-flash-attn",
        "grouped matmuls stay in bf16",
    ),
    (
        "mindspeed",
        "--fp8-format e4m3 --fp8-recipe mxfp8 --fp8-reuse-quantized-weight --use-flash-attn"
        " --recompute-granularity full --recompute-method uniform --recompute-num-layers 1",
        "released after its quantization only without recomputation",
    ),
    ("mindspeed", "--swap-optimizer", "without the distributed optimizer"),
    ("mindspeed", "--quant-states fp8 --swap-optimizer --use-distributed-optimizer", "beside --swap-optimizer"),
    ("mindspeed", "--expert-model-parallel-size 2 --transformer-impl local", "without --num-experts"),
]
LEGAL = [
    ("megatron", "--num-layers 30 --pipeline-model-parallel-size 4 --pipeline-model-parallel-layout Et*9|t*7|t*7|t*7L"),
    ("megatron", "--num-layers 126 --pipeline-model-parallel-size 16 --account-for-embedding-in-pipeline-split"
                 " --account-for-loss-in-pipeline-split"),
    ("megatron", "--recompute-granularity selective --recompute-modules gdn_norm_out --experimental-attention-variant gdn"),
    ("megatron", "--num-layers $L --pipeline-model-parallel-size 4".replace("$L", "${L}")),
    ("mindspeed", "--fp8-format e4m3 --fp8-recipe mxfp8 --use-flash-attn --num-experts 8 --moe-grouped-gemm"),
    ("mindspeed", "--pipeline-model-parallel-size 4 --num-layers 30 --num-layer-list 8,8,7,7"),
]  # fmt: skip


def broken(table: str, text: str) -> list[str]:
    options: dict[str, list[str]] = {}
    for word in f"{SIZES} {text}".split():
        if word.startswith("--"):
            options[name := word] = []
        else:
            options[name].append(word)
    return [rule.says for rule in load_rules(table).broken(options)]


@pytest.mark.parametrize(("table", "text", "says"), BREAKS)
def test_what_a_parser_stops_at_is_said(table: str, text: str, says: str) -> None:
    (found,) = broken(table, text)
    assert says in found


@pytest.mark.parametrize(("table", "text"), LEGAL)
def test_what_a_parser_takes_is_not_flagged(table: str, text: str) -> None:
    assert broken(table, text) == []


@pytest.mark.parametrize("table", ["megatron", "mindspeed"])
def test_every_rule_has_a_source_and_reads_options(table: str) -> None:
    for rule in load_rules(table).rules:
        assert ".py" in rule.source or ".md" in rule.source
        assert names_in(rule.when)
        assert rule.fix and not rule.says.endswith(".")


def test_a_script_of_a_user_is_held_to_the_same_rules(tmp_path: Path) -> None:
    path = tmp_path / "launch.sh"
    path.write_text(
        f"torchrun --nproc_per_node 8 --nnodes 1 pretrain_gpt.py {SIZES} --micro-batch-size 1 --fp16 --bf16\n"
    )
    checked = tianji.export(check=path).result
    assert [v.rule for v in checked.violations] == ["--fp16 beside --bf16"]
