"""Models of several kinds of layers: counted as their makers' classes count them, and priced as what they are."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tianji.catalog import load_model
from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload.blocks import LayerBlock, PartSizes, parts_of
from tianji.workload.huggingface import load_config, read_config
from tianji.workload.layer_widths import layer_sizes
from tianji.workload.layers import model_layers, step_flops
from tianji.workload.plain import as_plain, block_of

DATA = Path(__file__).parent / "data"
COUNTS = list(csv.DictReader((DATA / "counts.csv").read_text().splitlines()))
READ = [row for row in COUNTS if row["reads"] == "yes"]
MEASURED = json.loads((DATA / "flops.json").read_text())
OWN_COUNT = {"LongCat-Flash": 560_664_980_480}
"""Where the class holds weights that the model does not have: its maker publishes 560B."""


def config(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((DATA / "configs" / f"{name}.json").read_text())
    return content


@pytest.mark.parametrize("row", READ, ids=lambda row: row["name"])
def test_parameters_are_those_of_the_makers_class(row: dict[str, str]) -> None:
    model = load_config(DATA / "configs" / f"{row['name']}.json")
    wanted = OWN_COUNT.get(row["name"], int(row["parameters"]))
    # A balancing bias that a class holds as a buffer is a parameter here.
    assert 0 <= model.num_parameters - wanted <= int(row["buffers"]) * 1.1 + 1 or (
        abs(model.num_parameters / wanted - 1) < 1e-4
    )


@pytest.mark.parametrize("row", [row for row in COUNTS if row["reads"] == "no"], ids=lambda row: row["name"])
def test_what_is_not_understood_is_refused(row: dict[str, str]) -> None:
    with pytest.raises((UnsupportedModelError, FormatError)):
        load_config(DATA / "configs" / f"{row['name']}.json")


@pytest.mark.parametrize("row", MEASURED["models"], ids=lambda row: row["name"])
def test_flops_of_a_forward_pass_are_what_pytorch_counts(row: dict[str, Any]) -> None:
    model = read_config(row["config"], row["name"])
    tokens = row["seq_len"]
    forward = step_flops(model, tokens, tokens, causal=False) / 3.0
    assert forward == pytest.approx(row["flops"], rel=0.01)
    assert model.num_parameters - row["parameters"] == row["buffers"]


@pytest.mark.parametrize("name", ["llama-3.1-8b", "deepseek-v3", "qwen3-30b-a3b", "gpt-oss-20b", "pangu-ultra-135b"])
def test_a_model_said_by_fields_has_the_blocks_that_it_was_made_of(name: str) -> None:
    model = load_model(name)
    layers = [block_of(model, i) for i in range(model.num_layers)]
    kinds = tuple(dict.fromkeys(layers))
    parts = sum(parts_of(block, model.hidden_size).all_parameters for block in layers)
    assert not model.blocks
    assert parts + model.embedding_parameters() + model.head_parameters() == model.num_parameters
    patterned = replace(model, blocks=kinds, pattern=tuple(kinds.index(block) for block in layers))
    assert as_plain(patterned) == replace(model, intermediate_size=as_plain(patterned).intermediate_size)


def test_a_pattern_names_a_block_for_each_layer() -> None:
    model = load_config(DATA / "configs" / "Qwen3-Next-80B-A3B.json")
    assert model.num_layers == len(model.pattern) == 48
    assert [model.blocks[i].title for i in model.pattern[:4]] == ["gated delta net + experts"] * 3 + [
        "attention + experts"
    ]
    assert sum(model.block_counts.values()) == 48


def test_layers_may_lack_a_mixer_or_an_mlp() -> None:
    model = load_config(DATA / "configs" / "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16.json")
    assert {block.title for block in model.blocks} == {"mamba2", "attention", "experts"}
    sizes = layer_sizes(model)
    assert all(size.widths.inputs == 1 for size in sizes.values())


def test_a_window_bounds_only_the_layers_that_have_it() -> None:
    model = load_config(DATA / "configs" / "gemma-3-27b.json")
    windows = [max(a.window for _, a in parts.layer.attention) for parts in model.block_parts]
    assert sorted(windows) == [0, 1024]
    assert [windows[i] for i in model.pattern[:6]] == [1024] * 5 + [0]


def test_what_is_left_out_is_said() -> None:
    assert "vision" in load_config(DATA / "configs" / "Qwen2.5-VL-7B.json").remark
    assert "towers" in load_config(DATA / "configs" / "gemma-3-27b.json").remark


def test_a_key_that_may_change_the_structure_is_named() -> None:
    content = config("Qwen3-Next-80B-A3B") | {"num_memory_layers": 12}
    assert "num_memory_layers" in read_config(content, "x").remark


def test_a_relabelled_file_is_refused() -> None:
    content = config("Llama-4-Maverick-17B-128E-Instruct")["text_config"]
    with pytest.raises(UnsupportedModelError, match="MixtralForCausalLM"):
        read_config(content | {"model_type": "mixtral", "architectures": ["Llama4ForCausalLM"]}, "x")


def test_a_missing_size_is_asked_for_or_said() -> None:
    content = config("Qwen3-Next-80B-A3B")
    whole = read_config(content, "x")
    for key in ("linear_num_value_heads", "num_experts_per_tok"):
        model = read_config({k: v for k, v in content.items() if k != key}, "x")
        assert model.num_parameters == whole.num_parameters
        assert f"left out, so as the family's class has it: {key}" in model.remark
    del content["hidden_size"]
    with pytest.raises(FormatError, match="'hidden_size' is missing"):
        read_config(content, "x")


@pytest.mark.parametrize("value", ["16", 1.5, -4, 10**12])
def test_a_size_that_makes_no_sense_is_refused(value: object) -> None:
    with pytest.raises(FormatError):
        read_config(config("Qwen3-Next-80B-A3B") | {"hidden_size": value}, "x")


def test_a_list_of_another_length_is_refused() -> None:
    content = config("Qwen3.5-27B")["text_config"]
    with pytest.raises(FormatError, match="layer_types"):
        read_config(content | {"layer_types": content["layer_types"][:3]}, "x")


def test_a_word_for_a_layer_that_nobody_knows_is_refused() -> None:
    content = config("Qwen3.5-27B")["text_config"]
    kinds = ["quantum_attention", *content["layer_types"][1:]]
    with pytest.raises(FormatError, match="quantum_attention"):
        read_config(content | {"layer_types": kinds}, "x")


def test_an_unknown_kind_in_a_plan_file_is_refused() -> None:
    with pytest.raises(FormatError, match="warp"):
        parts_of(LayerBlock(PartSizes("warp"), None), 64)
    with pytest.raises(FormatError, match="sizes"):
        parts_of(LayerBlock(PartSizes("attention", (("num_heads", 4),)), None), 64)


def test_blocks_of_a_plain_transformer_are_the_plain_transformer() -> None:
    """One description of a Llama by fields, one by blocks: the same parameters and FLOPs."""
    plain = load_model("llama-3.1-8b")
    mixer = PartSizes("attention", (("num_heads", 32), ("num_key_value_heads", 8), ("head_dim", 128)))
    blocks = (LayerBlock(mixer, PartSizes("dense", (("width", 14336),))),)
    patterned = replace(plain, blocks=blocks, pattern=(0,) * 32)
    assert patterned.num_parameters == plain.num_parameters
    assert step_flops(patterned, 4096, 1.0) == pytest.approx(step_flops(plain, 4096, 1.0), rel=1e-12)
    fields, block = layer_sizes(plain)["dense"], layer_sizes(patterned)["block 0"]
    assert block.parameters == fields.parameters and block.widths == fields.widths
    assert len(model_layers(patterned)) == len(model_layers(plain))


def test_experts_of_qwen3_may_be_called_local() -> None:
    """transformers 5.1 and later save ``num_local_experts``."""
    sizes = {
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16,
        "intermediate_size": 128, "moe_intermediate_size": 32, "num_experts_per_tok": 2, "vocab_size": 100,
    }  # fmt: skip
    old, new = (
        read_config({"model_type": "qwen3_moe", **sizes, key: 8}, "x") for key in ("num_experts", "num_local_experts")
    )
    assert new.num_parameters == old.num_parameters
