"""MindSpore Transformers: layers of each stage, recomputation by stage, schedule and data."""

from typing import Any

import pytest
import yaml

import tianji
from tianji.errors import ExportError
from tianji.exporters import render_plan
from tianji.exporters.frameworks.mindformers_model import TYPES
from tianji.parallel.plan import Plan


def config_of(model: str = "deepseek-v3", **strategy: object) -> dict[str, Any]:
    made = tianji.Strategy(**{"overlap_tp": False, **strategy})  # type: ignore[arg-type]
    job = tianji.make_job(model, seq_len=4096, global_batch_size=64)
    plan = Plan(job, tianji.load_pool("atlas-950-superpod", made.chips), made)
    config: dict[str, Any] = yaml.safe_load(render_plan(plan, "mindformers").artefacts[0].text)
    return config


@pytest.mark.parametrize(("pp", "vpp"), [(2, 1), (4, 1), (4, 2)])
def test_the_offsets_deal_all_layers(pp: int, vpp: int) -> None:
    schedule = "interleaved" if vpp > 1 else "1f1b"
    config = config_of(pp=pp, vpp=vpp, ep=4, dp=4, schedule=schedule)["model"]["model_config"]
    rows = config["offset"] if vpp > 1 else [config["offset"]]
    assert sum(map(sum, rows)) + 61 // (pp * vpp) * pp * vpp == config["num_hidden_layers"] == 61


def test_even_stages_have_no_offsets() -> None:
    assert config_of("qwen3-8b", pp=4, dp=4)["model"]["model_config"]["offset"] == 0


def test_a_part_of_the_layers_is_recomputed_by_stage() -> None:
    config = config_of("qwen3-8b", pp=2, dp=4, recompute="full", recompute_layers=0.5)["recompute_config"]
    assert config["recompute"] == [9, 9]
    assert config_of("qwen3-8b", dp=4, recompute="selective")["recompute_config"]["select_recompute"] is True


def test_the_data_is_written_as_its_templates_have_it() -> None:
    config = config_of("qwen3-8b", dp=4)
    assert config["train_dataset"] == config["train_dataset_task"]["dataset_config"]
    assert config["parallel"]["dataset_strategy"][0] == [4, 1]


def test_a_family_that_it_has_not_is_refused() -> None:
    assert "llama" not in TYPES
    with pytest.raises(ExportError, match="has no model of the family 'llama'"):
        config_of("llama-3.1-8b", dp=4)
