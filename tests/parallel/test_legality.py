"""Every rule refuses what it is there for, with its reason, and lets the ordinary pass."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from samples import DENSE, SPARSE, job, pool
from tianji.catalog import load_model
from tianji.errors import IllegalStrategyError
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.parallel.legality import RULES, check, is_legal, refusals
from tianji.workload import Job, make_task
from tianji.workload.blocks import LayerBlock, PartSizes
from tianji.workload.huggingface import read_config

ODD = replace(DENSE, name="odd", num_attention_heads=6, num_key_value_heads=2)
LOOPED = read_config(
    {"model_type": "dory", "hidden_size": 512, "num_hidden_layers": 8, "num_attention_heads": 8, "num_key_value_heads": 4,
     "head_dim": 64, "intermediate_size": 1024, "vocab_size": 1000, "n_input_layers": 2, "n_output_layers": 2},
    "looped",
)  # fmt: skip
BAMBA = read_config(
    {"model_type": "mamba2", "hidden_size": 512, "num_hidden_layers": 4, "num_heads": 24, "head_dim": 32, "expand": 1.5,
     "n_groups": 6, "state_size": 16, "vocab_size": 1000},
    "groups",
)  # fmt: skip
BROKEN: dict[str, tuple[Strategy, Job, str]] = {
    "chips": (Strategy(dp=128), job(batch=128), "tp·pp·cp·dp = 1·1·1·128 = 128 chips, but the pool has 64"),
    "heads": (Strategy(tp=3), job(), "tp=3 does not divide the 8 attention heads"),
    "key-value heads": (Strategy(tp=3), job(), "the 4 key-value heads do not divide each other"),
    "width": (Strategy(tp=3), job(), "tp=3 does not divide hidden_size 512"),
    "blocks": (
        Strategy(tp=3), job(load_model("qwen3-next-80b-a3b")), "tp=3 does not divide 16, a number of heads or a width",
    ),
    "groups of blocks": (
        Strategy(tp=4), job(replace(BAMBA, num_key_value_heads=8)), "tp=4 and 6 groups of heads",
    ),
    "ulysses heads": (Strategy(tp=4, cp=4, cp_kind="ulysses"), job(), "tp·cp = 16 must divide the 8 attention heads"),
    "sequence": (Strategy(cp=3), job(), "a sequence of 1024 does not divide by cp=3"),
    "layers": (Strategy(pp=8, vpp=2, schedule="interleaved"), job(), "pp·vpp = 16 chunks for only 8 layers"),
    "stages": (Strategy(pp=4, stages="2,2,2,3"), job(), "stages=Et*2|(t*2|)*2t*3L holds 9 layers, but the model has 8"),
    "interleaving": (Strategy(pp=2, vpp=2), job(), "vpp=2 with schedule=1f1b"),
    "interleaved micro-batches": (
        Strategy(pp=4, vpp=2, schedule="interleaved"), job(batch=2), "interleaving needs micro-batches in multiples of pp=4",
    ),
    "dualpipe": (Strategy(pp=4, schedule="dualpipe"), job(batch=4), "at least 2·pp micro-batches"),
    "dualpipev": (Strategy(pp=4, schedule="dualpipev"), job(batch=4), "at least 2·pp micro-batches"),
    "batch": (Strategy(dp=5), job(), "does not divide by dp·micro_batch_size = 5·1 = 5"),
    "experts": (Strategy(ep=2, dp=2), job(), "ep=2: the model has no experts"),
    "expert width": (Strategy(etp=3, dp=3), job(SPARSE, batch=63), "etp=3 does not divide"),
    "expert ranks": (Strategy(ep=8, dp=4), job(SPARSE), "ep·etp = 8 does not divide tp·cp·dp = 4"),
    "sharding group": (Strategy(dp=8, zero_group=3), job(), "zero_group=3 does not divide the 8 data and context ranks"),
    "offloaded weights": (Strategy(dp=8, offload_weights=True), job(), "only sharded weights"),
    "sequence-parallel experts": (
        Strategy(tp=2, sequence_parallel=False), job(SPARSE), "experts under tensor parallelism need sequence_parallel=on",
    ),
    "shared layers": (
        Strategy(pp=2), job(LOOPED), "use the weights of earlier ones, which a pipeline would have to keep alike",
    ),
    "overlapped experts": (
        Strategy(ep=4, dp=8, overlap_ep=True, recompute="full"), job(SPARSE), "overlap_ep with recompute=full: Megatron-LM stops",
    ),
    "teacher": (
        Strategy(tp=4), replace(job(), task=make_task("distill", teacher=ODD)), "of the teacher odd: tp=4 does not divide the 6",
    ),
}  # fmt: skip
POOL = pool(64)


def test_each_rule_has_its_example() -> None:
    assert {rule.name for rule in RULES} == set(BROKEN)


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_rule_refuses_with_its_reason(name: str) -> None:
    strategy, task, reason = BROKEN[name]
    (rule,) = (rule for rule in RULES if rule.name == name)
    assert not np.all(rule.holds(Grid.of(strategy), task, POOL))
    assert any(reason in said for said in refusals(strategy, task, POOL)), refusals(strategy, task, POOL)
    with pytest.raises(IllegalStrategyError, match="illegal strategy: "):
        check(strategy, task, POOL)


@pytest.mark.parametrize(
    "fields",
    [
        {"tp": 8, "dp": 8},
        {"tp": 4, "pp": 4, "dp": 4, "zero": 3, "zero_group": 2},
        {"cp": 8, "dp": 8},
        {"tp": 2, "cp": 4, "cp_kind": "ulysses", "dp": 8},
        {"pp": 3, "dp": 16},
        {"pp": 4, "vpp": 2, "schedule": "interleaved", "dp": 16},
        {"pp": 2, "schedule": "dualpipe", "dp": 4},
        {"dp": 64, "zero": 2},
    ],
)
def test_the_ordinary_is_legal(fields: dict[str, Any]) -> None:
    assert refusals(Strategy(**fields), job(), POOL) == []


def test_experts_spread_over_data_ranks() -> None:
    assert refusals(Strategy(tp=2, dp=8, ep=8, etp=2), job(SPARSE), POOL) == []


def test_no_rule_asks_what_a_single_strategy_alone_can_answer() -> None:
    many = [strategy for strategy, _, _ in BROKEN.values()]
    on_grid = is_legal(Grid.of(*many), job(DENSE), POOL)
    alone = [not refusals(strategy, job(DENSE), POOL) for strategy in many]
    assert on_grid.tolist() == alone


def test_named_stages_may_hold_the_embedding_or_the_loss_alone() -> None:
    alone = Strategy(pp=5, vpp=2, schedule="interleaved", stages="E|(t|)*8L")
    check(alone, job(batch=10), pool())
    with pytest.raises(IllegalStrategyError, match=r"stages=E\|\(t\|\)\*8L"):
        check(replace(alone, stages=""), job(batch=10), pool())
    with pytest.raises(IllegalStrategyError, match="holds nothing"):
        check(replace(alone, stages="Et||(t|)*7L"), job(batch=10), pool())


@pytest.mark.parametrize(("tp", "legal"), [(8, True), (16, True), (32, False)])
def test_a_delta_net_is_cut_by_heads_of_keys_and_of_values(tp: int, legal: bool) -> None:
    # 16 heads of keys, 32 of values: a rank of 32 would have no head of keys. Its attention is given as many heads.
    net = LayerBlock(
        PartSizes(
            "gated_delta_net",
            (
                ("num_key_heads", 16),
                ("num_value_heads", 32),
                ("key_head_dim", 32),
                ("value_head_dim", 32),
                ("kernel", 4),
            ),
        ),
        PartSizes("dense", (("width", 1024),)),
    )
    model = replace(
        DENSE, num_attention_heads=32, num_key_value_heads=32, blocks=(net,), pattern=(0,) * DENSE.num_layers
    )
    assert bool(is_legal(Grid.of(Strategy(tp=tp)), job(model), POOL)) is legal
