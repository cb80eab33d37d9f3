"""DeepSpeed: its three batch sizes agree, ZeRO carries the plan, and what lies in the model's code is noted."""

import json
from typing import Any

import pytest

import tianji
from tianji.exporters import FileBundle, render_plan
from tianji.parallel.plan import Plan


def bundle_of(precision: str = "bf16", **strategy: object) -> FileBundle:
    made = tianji.Strategy(**{"overlap_tp": False, "cp_kind": "ulysses", **strategy})  # type: ignore[arg-type]
    job = tianji.make_job("llama-3.1-8b", seq_len=4096, global_batch_size=64, precision=precision)
    return render_plan(Plan(job, tianji.load_pool("hgx-h100", made.chips), made), "deepspeed")


def config_of(**fields: object) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(bundle_of(**fields).artefacts[0].text)  # type: ignore[arg-type]
    return config


@pytest.mark.parametrize(("dp", "micro"), [(8, 1), (16, 2), (4, 4)])
def test_the_batch_is_micro_batches_by_ranks_by_steps(dp: int, micro: int) -> None:
    c = config_of(dp=dp, micro_batch_size=micro)
    assert c["train_batch_size"] == 64
    assert c["train_micro_batch_size_per_gpu"] * dp * c["gradient_accumulation_steps"] == 64


@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_the_stage_is_the_plans(zero: int) -> None:
    z = config_of(dp=8, zero=zero, overlap_dp=False)["zero_optimization"]
    assert (z["stage"], z["overlap_comm"]) == (zero, False)


def test_sharding_groups_offloading_and_broadcasts() -> None:
    assert config_of(dp=16, zero=3, zero_group=8)["zero_optimization"]["mics_shard_size"] == 8
    assert config_of(dp=8, zero=2, offload_optimizer=True)["zero_optimization"]["offload_optimizer"]["device"] == "cpu"
    assert config_of(dp=8, zero=2, weight_gather="broadcasts")["zero_optimization"]["allgather_partitions"] is False


def test_what_lies_in_the_models_code_is_noted() -> None:
    notes = bundle_of(dp=8, recompute="full", recompute_layers=0.5, flash_attention=False, zero=3).notes
    assert any("gradient_checkpointing_enable(), in 50 % of the layers" in note for note in notes)
    assert any('attn_implementation="eager"' in note for note in notes)
    assert all(note.startswith("FILL IN in the model") for note in bundle_of(dp=8, zero=3).notes)
