"""torchtitan: parts of the pipeline, sharding degrees and flavours."""

import tomllib
from typing import Any

import pytest

import tianji
from tianji.errors import ExportError
from tianji.exporters import render_plan
from tianji.exporters.contract import Limits
from tianji.exporters.frameworks.torchtitan_flavors import FLAVORS, find_flavor
from tianji.parallel.plan import Plan


def config_of(model: str = "llama-3.1-8b", **strategy: object) -> dict[str, Any]:
    made = tianji.Strategy(**{"zero": 3, **strategy})  # type: ignore[arg-type]
    job = tianji.make_job(model, seq_len=2048 if model == "gpt3-175b" else 4096, global_batch_size=64)
    plan = Plan(job, tianji.load_pool("hgx-h100", made.chips), made)
    return tomllib.loads(render_plan(plan, "torchtitan").artefacts[0].text)


@pytest.mark.parametrize(("pp", "vpp"), [(2, 1), (4, 1), (2, 2), (4, 4)])
def test_the_parts_hold_every_layer_once_and_in_order(pp: int, vpp: int) -> None:
    schedule = "interleaved" if vpp > 1 else "1f1b"
    parts = config_of(pp=pp, vpp=vpp, dp=2, schedule=schedule)["parallelism"]["module_fqns_per_model_part"]
    assert len(parts) == pp * vpp
    names = [name for part in parts for name in part]
    assert names == ["tok_embeddings", *(f"layers.{n}" for n in range(32)), "norm", "output"]


@pytest.mark.parametrize(
    ("zero", "group", "replicate", "shard", "reshard"),
    [(0, 0, 8, 1, "default"), (2, 0, 1, 8, "never"), (3, 0, 1, 8, "always"), (3, 4, 2, 4, "always")],
)
def test_sharding_is_two_degrees(zero: int, group: int, replicate: int, shard: int, reshard: str) -> None:
    p = config_of(dp=8, zero=zero, zero_group=group)["parallelism"]
    assert (p["data_parallel_replicate_degree"], p["data_parallel_shard_degree"]) == (replicate, shard)
    assert p["fsdp_reshard_after_forward"] == reshard


def test_every_nth_layer_may_be_recomputed() -> None:
    kept = config_of(dp=8, recompute="full", recompute_layers=0.25)["activation_checkpoint"]
    assert kept == {"mode": "selective", "selective_ac_option": "4"}


def test_a_model_of_the_catalog_has_its_flavour_and_others_are_refused() -> None:
    assert find_flavor(tianji.load_model("qwen3-30b-a3b"), Limits("torchtitan")) == ("qwen3", "30B-A3B")
    assert len(set(FLAVORS.values())) == len(FLAVORS)
    with pytest.raises(ExportError, match="none of its flavours has these"):
        config_of("gpt3-175b", dp=8)
