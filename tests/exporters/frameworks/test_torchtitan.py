"""torchtitan: parts of the pipeline, sharding degrees and flavours."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import tianji
from tianji.errors import ExportError
from tianji.exporters import render_plan
from tianji.exporters.contract import Limits
from tianji.exporters.frameworks.torchtitan_flavors import FLAVORS, find_flavor
from tianji.exporters.launch_reader.launches import read_launch
from tianji.parallel.plan import Plan
from tianji.perf.holdings import stages_of


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


@pytest.mark.parametrize(("schedule", "name"), [("zbv", "ZBVZeroBubble"), ("dualpipev", "DualPipeV")])
def test_pipelines_in_a_v_are_written_and_read_back(schedule: str, name: str, tmp_path: Path) -> None:
    made = tianji.Strategy(pp=4, dp=4, zero=3, schedule=schedule, stages="Et*3|(t*4|)*6t*5L", overlap_pp=False)
    job = tianji.make_job("llama-3.1-8b", seq_len=4096, global_batch_size=64)
    plan = Plan(job, tianji.load_pool("hgx-h100", made.chips), made)
    text = render_plan(plan, "torchtitan").artefacts[0].text
    assert tomllib.loads(text)["parallelism"]["pipeline_parallel_schedule"] == name
    path = tmp_path / "job.toml"
    path.write_text(text)
    launch = read_launch(path, chips=made.chips)
    assert (launch.strategy.schedule, launch.strategy.pp, launch.strategy.dp) == (schedule, 4, 4)
    assert stages_of(launch.job.model, launch.strategy) == stages_of(job.model, made)
