"""Each row of each framework's table of refusals: a plan meets it, its sentence is told, and the plan beside it is taken."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

import tianji
from legal_plans import TRAINERS
from tianji.errors import ExportError, IllegalStrategyError
from tianji.exporters import TARGETS, render_plan
from tianji.exporters.contract import Refusal
from tianji.exporters.frameworks import (
    deepspeed,
    llama_factory,
    megatron_swift,
    mindformers,
    nemo,
    swift,
    torchtitan,
    trainer_files,
)
from tianji.exporters.frameworks.megatron import MEGATRON, NO_ASCEND
from tianji.exporters.frameworks.mindspeed import ASCEND_ONLY, MINDSPEED
from tianji.exporters.megatron_family.refusals import FAMILY_REFUSALS
from tianji.parallel.plan import Plan
from tianji.workload import make_task

TABLES: dict[str, tuple[Refusal, ...]] = {
    "megatron": (NO_ASCEND, *FAMILY_REFUSALS, *MEGATRON.refusals),
    "mindspeed": (ASCEND_ONLY, *FAMILY_REFUSALS, *MINDSPEED.refusals),
    "nemo": nemo.REFUSALS,
    "torchtitan": torchtitan.REFUSALS,
    "mindformers": mindformers.REFUSALS,
    "deepspeed": deepspeed.REFUSALS,
    "llama-factory": (*trainer_files.REFUSALS, *llama_factory.OWN_REFUSALS),
    "swift": (*trainer_files.REFUSALS, *swift.OWN_REFUSALS),
    "megatron-swift": (*megatron_swift.REFUSALS, *FAMILY_REFUSALS, *MEGATRON.refusals),
}
CUDA, ASCEND = "hgx-h100", "atlas-950-superpod"
POOLS = {"mindspeed": ASCEND, "mindformers": ASCEND}
DENSE, EXPERTS = {"mindformers": "qwen3-8b"}, "qwen3-30b-a3b"
TRAINED = {"tp": 1, "overlap_tp": False, "zero_kind": "buckets", "weight_gather": "exposed", "cp_kind": "ulysses"}
GOOD: dict[str, dict[str, Any]] = {
    "torchtitan": {"zero": 3},
    "deepspeed": {"overlap_tp": False, "sequence_parallel": False, "cp_kind": "ulysses"},
    "mindspeed": {"ep_kind": "all_to_all"},
    "mindformers": {"ep_kind": "all_to_all", "overlap_tp": False},
    "llama-factory": TRAINED,
    "swift": TRAINED,
}
"""Strategy fields of the plan that each framework takes, beside tp 2 and dp 4."""

MEMORY: dict[str, Any] = {"offload_optimizer": True, "zero": 0}
BROADCASTS: dict[str, Any] = {"weight_gather": "broadcasts"}
PART: dict[str, Any] = {"recompute": "selective", "recompute_layers": 0.5}
PLAIN_TP: dict[str, Any] = {"overlap_tp": True, "sequence_parallel": False}
PATTERNED: tuple[dict[str, Any], str] = ({"model": "gemma-3-4b"}, "is a pattern of layers of its family")
FAMILY: list[tuple[dict[str, Any], str]] = [
    PATTERNED,
    (MEMORY, "offload_optimizer with zero=0"),
    ({"zero": 2, "zero_group": 2}, "zero_group=2 with zero=2"),
    (PART, "selective recomputation of 50% of the layers"),
    (BROADCASTS, "weight_gather=broadcasts"),
    (PLAIN_TP, "overlap_tp without sequence_parallel"),
    ({"model": EXPERTS, "ep": 4, "pp": 2, "overlap_ep": True}, "overlap_ep in a pipeline without interleaving"),
    ({"pp": 2, "schedule": "zero-bubble"}, "schedule=zero-bubble"),
]
FULL_EP: dict[str, Any] = {"model": EXPERTS, "ep": 4, "overlap_ep": True, "overlap_dp": False}
CASES: dict[str, list[tuple[dict[str, Any], str]]] = {
    "megatron": [
        *FAMILY,
        ({"pool": ASCEND}, "drives no Ascend chips by itself"),
        (FULL_EP | {"recompute": "full"}, "overlap_ep with recompute=full"),
        ({"precision": "hif8", "pool": ASCEND}, "precision hif8: it has no recipe"),
    ],
    "mindspeed": [
        *FAMILY,
        ({"pool": CUDA}, "drives Ascend chips only"),
        ({"pp": 2, "schedule": "dualpipe"}, "it has the V-shaped form alone"),
        ({"model": "qwen3-8b", "pp": 8, "schedule": "dualpipev"}, "its chunks hold equally many layers"),
        ({"zero": 2}, "zero=2: its Megatron back end shards the optimizer only"),
        (FULL_EP | {"etp": 2, "ep": 2}, "whole experts on several ranks (take --fix etp=1"),
        (FULL_EP | {"overlap_dp": True}, "(take --fix overlap_dp=off"),
        (FULL_EP | {"pp": 4, "vpp": 2, "schedule": "interleaved", "batch": 16}, "overlap_ep with 4 micro-batches"),
        ({"model": EXPERTS, "overlap_tp": True}, "MC2 excludes grouped matmuls (take --fix overlap_tp=off"),
        (
            {"precision": "fp8", "overlap_tp": True},
            "MC2 takes mxfp8 only of the 8-bit recipes (take --fix overlap_tp=off",
        ),
        (
            {"model": EXPERTS, "precision": "fp8-block"},
            "grouped matmuls stay in bf16 under this recipe (take --precision mxfp8",
        ),
        ({"precision": "fp4", "pool": "gb200-nvl72"}, "it has no 4-bit recipe (take --precision mxfp8"),
        ({"cp": 4, "cp_kind": "all_gather", "seq": 4092, "tp": 1}, "twice as many equal parts"),
    ],
    "nemo": [
        *FAMILY,
        ({"pool": ASCEND}, "NeMo drives NVIDIA chips only"),
        (FULL_EP | {"recompute": "full"}, "overlap_ep with recompute=full"),
        ({"precision": "hif8", "pool": ASCEND}, "precision hif8: it has no recipe"),
        ({"precision": "fp32"}, "precision fp32: its recipes are bf16"),
    ],
    "torchtitan": [
        PATTERNED,
        (BROADCASTS | {"zero": 2}, "weight_gather=broadcasts"),
        ({"zero": 1}, "zero=1: FSDP shards the gradients"),
        ({"zero": 2, "pp": 2}, "zero=2 under a pipeline"),
        ({"zero": 0, "cp": 2}, "zero=0 with cp"),
        ({"cp": 4, "zero_group": 2}, "zero_group=2: a sharding group holds all cp=4"),
        ({"sequence_parallel": False}, "tp without sequence_parallel"),
        ({"cp": 2, "cp_kind": "ulysses"}, "cp_kind=ulysses"),
        ({"pp": 2, "placement": "pp-inside"}, "placement=pp-inside"),
        ({"offload_optimizer": True}, "offload_optimizer"),
        ({"flash_attention": False}, "flash_attention=off"),
        ({"model": EXPERTS, "ep": 4, "overlap_ep": True}, "overlap_ep: it overlaps experts' exchange"),
        ({"pp": 2, "schedule": "zero-bubble"}, "schedule=zero-bubble"),
        ({"model": EXPERTS, "ep": 2, "etp": 2, "tp": 4}, "etp=2: it is 1 or tp=4"),
        ({"model": EXPERTS, "ep": 2, "etp": 2, "cp": 4}, "ep=2: it must be a multiple of cp=4"),
        ({"model": EXPERTS, "ep": 2, "cp": 2}, "ep=2: it must be a multiple of cp·tp=2·2"),
        (PART, "selective recomputation of 50% of the layers: it takes all, or every n-th"),
        ({"gradients": 2.0}, "gradients or optimizer state in fewer bytes"),
        ({"precision": "fp16"}, "precision fp16: it has bf16, fp32"),
    ],
    "mindformers": [
        PATTERNED,
        ({"pool": CUDA}, "trains on Ascend chips only"),
        ({"pp": 2, "schedule": "gpipe"}, "schedule=gpipe: take --fix"),
        ({"pp": 2, "placement": "pp-inside"}, "placement=pp-inside"),
        ({"cp": 2, "cp_kind": "all_gather"}, "cp_kind=all_gather"),
        ({"model": "deepseek-v3", "pp": 2, "stages": "Et*61m|L"}, "its prediction modules lie on the last stage"),
        ({"model": EXPERTS, "ep": 2, "etp": 2}, "etp=2: its experts are whole"),
        ({"model": EXPERTS, "ep": 8, "tp": 1, "dp": 4, "cp": 2}, "data_parallel · model_parallel = 4 · 1"),
        (BROADCASTS, "weight_gather=broadcasts"),
        ({"model": EXPERTS, "ep": 4, "overlap_ep": True}, "overlap_ep: no setting"),
        ({"overlap_tp": True}, "overlap_tp: it lies in"),
        ({"offload_optimizer": True}, "offload_optimizer: it has no setting"),
        (PART, "selective recomputation of 50% of the layers"),
        ({"precision": "mxfp8"}, "precision mxfp8"),
    ],
    "deepspeed": [
        ({"pp": 2}, "pp=2: its pipeline is model code"),
        ({"model": EXPERTS, "ep": 2, "sequence_parallel": True}, "ep=2, etp=1: its experts are model code"),
        ({"cp": 2, "cp_kind": "ring"}, "cp_kind=ring: its sequence parallelism is Ulysses"),
        ({"cp": 2}, "tp and cp together"),
        ({"zero": 3}, "tp with zero=3"),
        ({"sequence_parallel": True}, "sequence_parallel: AutoTP keeps whole sequences"),
        ({"overlap_tp": True, "sequence_parallel": True}, "overlap_tp: AutoTP waits"),
        ({"zero_group": 2}, "zero_group=2 with zero=1"),
        (MEMORY, "offload_optimizer with zero=0"),
        ({"precision": "fp8"}, "precision fp8: its file has"),
        ({"moments": 8.0}, "8 bytes of optimizer state"),
    ],
}
TRAINER: list[tuple[dict[str, Any], str]] = [
    ({"tp": 2}, "tp=2, pp=1: the Trainer cuts no tensors"),
    ({"model": EXPERTS, "ep": 4}, "experts lie whole on each rank"),
    ({"recompute": "selective"}, "it recomputes all of them in full, or none"),
    ({"weight_gather": "hidden"}, "take weight_gather=exposed"),
    ({"zero": 0, "overlap_dp": False}, "overlap_dp=off with zero=0"),
    ({"zero": 3, "zero_group": 2}, "zero_group=2: it has no groups"),
    (MEMORY, "offload_optimizer with zero=0"),
    ({"precision": "fp8"}, "precision fp8: it has bf16, fp16 and fp32"),
    ({"moments": 8.0}, "8 bytes of optimizer state"),
    ({"loss": "plain"}, "plan with --loss-kernel torch or chunked"),
]
CASES["llama-factory"] = [
    *TRAINER,
    ({"cp": 2}, "its Trainer cuts no sequences"),
    ({"lengths": True, "task": "reward"}, "it packs for pt and sft alone"),
]
CASES["swift"] = [
    *TRAINER,
    ({"cp": 2, "cp_kind": "ring"}, "cp_kind=ring: its sequence parallelism is Ulysses"),
    ({"zero": 0}, "zero=0 with all weights trained"),
    ({"lengths": True, "flash_attention": False}, "it packs for FlashAttention alone"),
    ({"lengths": True, "task": "embedding"}, "packed samples of a"),
]
CASES["megatron-swift"] = [
    *FAMILY[1:],
    ({"pool": ASCEND}, "drives no Ascend chips by itself"),
    ({"zero": 2}, "zero=2: the files written here shard the optimizer alone"),
    ({"zero_group": 2}, "zero_group=2: it has no groups"),
    ({"pp": 2, "placement": "pp-inside"}, "placement=pp-inside: it has no option"),
    (FULL_EP, "overlap_ep: it has no option for it"),
    ({"gradients": 2.0}, "it sums them in fp32 (take --gradient-dtype fp32)"),
    ({"precision": "fp32"}, "precision fp32"),
    ({"precision": "hif8", "pool": ASCEND}, "precision hif8: it has no recipe"),
    ({"lengths": True, "flash_attention": False}, "it packs for FlashAttention alone"),
    ({"lengths": True, "task": "embedding"}, "packed samples of a"),
]
ROWS = [(target, fields, words) for target, rows in CASES.items() for fields, words in rows]


def make_plan(target: str, fields: dict[str, Any]) -> Plan:
    given = {"tp": 2, "dp": 4, **GOOD.get(target, {}), **fields}
    pool = given.pop("pool", POOLS.get(target, CUDA))
    model = given.pop("model", DENSE.get(target, "llama-3.1-8b"))
    name, batch, seq = given.pop("precision", "bf16"), given.pop("batch", 64), given.pop("seq", 4096)
    sizes = {"gradient_size": given.pop("gradients", None), "optimizer_size": given.pop("moments", None)}
    plain = name.removesuffix("-block")
    job = tianji.make_job(model, seq_len=seq, global_batch_size=batch, tokens="1T", precision=plain)
    precision = replace(job.precision, **{k: v for k, v in sizes.items() if v is not None})
    if name != plain:
        precision = replace(precision, name=name, block_scaled=True)
    if target in TRAINERS:
        precision = replace(precision, loss=given.pop("loss", "torch"))
    packed = ((1024, 1.0),) if given.pop("lengths", False) else ()
    task = make_task(given.pop("task", "pretrain"))
    strategy = tianji.Strategy(**given)
    job = replace(job, precision=precision, sample_lengths=packed, task=task)
    return Plan(job, tianji.load_pool(pool, strategy.chips), strategy)


@pytest.mark.parametrize("target", TABLES)
def test_the_plan_without_any_of_it_is_taken(target: str) -> None:
    assert render_plan(make_plan(target, {}), target).artefacts


@pytest.mark.parametrize(("target", "fields", "words"), ROWS)
def test_the_plan_is_refused_with_its_sentence(target: str, fields: dict[str, Any], words: str) -> None:
    with pytest.raises((ExportError, IllegalStrategyError)) as raised:
        render_plan(make_plan(target, fields), target)
    assert words in str(raised.value)
    assert "{" not in str(raised.value)


@pytest.mark.parametrize("target", TABLES)
def test_every_row_is_met_by_a_plan(target: str) -> None:
    made = [make_plan(target, fields) for fields, _ in CASES[target]]
    unmet = [row.because for row in TABLES[target] if not any(row.when(p.strategy, p) for p in made)]
    assert not unmet


def test_every_framework_has_a_table() -> None:
    assert set(TABLES) == {name for name, target in TARGETS.items() if target.space is not None}
    for name in TABLES:
        assert import_module(f"tianji.exporters.frameworks.{name.replace('-', '_')}").TARGET is TARGETS[name]
