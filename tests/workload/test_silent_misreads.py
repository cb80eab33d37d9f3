"""Files that are changed as slips and hands change them: what is counted otherwise is refused, or named in the answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload.huggingface import read_config
from tianji.workload.layers import step_flops

ROWS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "other_shapes.json").read_text())[
    "models"
]
DENSE = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_files_of_families_met_in_the_wild(name: str) -> None:
    assert read_config(ROWS[name]["config"], name).num_parameters == ROWS[name]["parameters"]


@pytest.mark.parametrize(
    "kind",
    ["mixtral", "gpt_oss", "qwen3_moe", "deepseek_v3", "glm4_moe", "qwen3_next", "kimi_linear", "minimax", "lfm2_moe"],
)
def test_a_dense_file_under_another_type_is_refused(kind: str) -> None:
    with pytest.raises((UnsupportedModelError, FormatError), match=r"states none of|is missing"):
        read_config(DENSE | {"model_type": kind}, kind)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_memory_layers", 4), ("engram_layer_ids", [1, 5]), ("value_residual_config", {"rank": 8}),
        ("use_gated_attention", True), ("attn_type", "linear"), ("moe_every_n", 2),
    ],
)  # fmt: skip
def test_a_key_that_nobody_knows_is_named(key: str, value: object) -> None:
    assert key in read_config(DENSE | {key: value}, "x").remark


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_shared_experts": 1}, "announces shared experts"),
        ({"linear_num_key_heads": 16}, "linear attention layers"),
        ({"layer_types": ["full_attention", "mamba"] * 16}, "layers of kind mamba"),
    ],
)
def test_a_structure_that_the_family_lacks_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        read_config(DENSE | change, "x")


def test_what_is_left_out_and_hangs_much_is_named() -> None:
    left = {key: value for key, value in DENSE.items() if key not in ("num_key_value_heads", "tie_word_embeddings")}
    remark = read_config(left, "x").remark
    assert "num_key_value_heads none" in remark
    assert "tie_word_embeddings false" in remark


@pytest.mark.parametrize(
    ("kind", "key"),
    [("kimi_k2", "n_routed_experts"), ("kimi_k2", "first_k_dense_replace")],
)
def test_a_type_with_the_class_of_another_has_its_defaults(kind: str, key: str) -> None:
    config = ROWS["Kimi-VL-A3B"]["config"]["text_config"] | {"model_type": kind}
    model = read_config({name: value for name, value in config.items() if name != key}, kind)
    assert key in model.remark
    assert model.moe is not None


def test_without_a_class_the_number_of_experts_must_be_stated() -> None:
    config = ROWS["Ling-mini-2.0"]["config"]
    with pytest.raises(FormatError, match="'n_routed_experts' is missing"):
        read_config({key: value for key, value in config.items() if key != "num_experts"}, "ling")


def test_a_pattern_must_be_stated_where_no_rule_is_known() -> None:
    config = ROWS["Nemotron-Nano-9B-v2"]["config"]
    with pytest.raises(FormatError, match="'hybrid_override_pattern' or 'layers_block_type' is missing"):
        read_config({key: value for key, value in config.items() if key != "hybrid_override_pattern"}, "nemotron")


def test_a_diffusion_transformer_that_starts_from_an_image_attends_to_it_as_well() -> None:
    """Keys, values and a norm in each layer, and the network before them: what diffusers' class has at ``image_dim`` 1280."""
    config = ROWS["Wan2.1-T2V-official"]["config"]
    text, image = read_config(config, "wan"), read_config(config | {"model_type": "i2v"}, "wan")
    h = text.hidden_size
    network = 2 * 1280 + 1280 * 1281 + (1280 + 1) * h + 2 * h
    assert image.num_parameters - text.num_parameters == text.num_layers * (2 * h * (h + 1) + h) + network
    assert step_flops(image, 1024, 1024) > step_flops(text, 1024, 1024)
