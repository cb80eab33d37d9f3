"""Descriptions of models: what is written is read back, and what makes no sense is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.errors import FormatError
from tianji.workload.description import read_description, write_description
from tianji.workload.huggingface import load_config
from tianji.workload.layers import step_flops
from tianji.workload.model import Model

CONFIGS = Path(__file__).parent / "data" / "configs"
TRACED = """format = "tianji model"
version = 1
name = "small"
hidden_size = 64
num_attention_heads = 4
num_key_value_heads = 2
head_dim = 16
vocab_size = 100
pattern = [[0, 3], [1, 1]]

[[blocks]]
extra = 128
[blocks.mixer]
kind = "traced"
sizes = { num_heads = 4, num_key_value_heads = 2, qk_dim = 16, v_dim = 16, column_64_128 = 1, row_64_64 = 1, none_64_8 = 1 }

[[blocks]]
mlp = { kind = "experts", sizes = { num_experts = 8, top_k = 2, width = 32 } }
"""


def read(folder: Path, text: str) -> Model:
    file = folder / "model.toml"
    file.write_text(text)
    return load_config(file)


@pytest.mark.parametrize("name", ["Qwen3-Next-80B-A3B", "t5-v1_1-xxl", "DeepSeek-V4-Flash", "gemma-4-E2B"])
def test_what_is_written_is_read_back(name: str, tmp_path: Path) -> None:
    model = load_config(CONFIGS / f"{name}.json")
    again = read(tmp_path, write_description(model))
    assert (again.blocks, again.pattern, again.num_parameters) == (model.blocks, model.pattern, model.num_parameters)
    assert step_flops(again, 4096, 1.0) == step_flops(model, 4096, 1.0)


def test_a_traced_layer_is_its_matrices_and_its_attention(tmp_path: Path) -> None:
    model = read(tmp_path, TRACED)
    layer = model.block_parts[0].layer
    assert [(m.k, m.n, m.cut) for m in layer.matmuls] == [(64, 128, "column"), (64, 64, "row"), (64, 8, "none")]
    assert layer.flops(1024, True) == 2 * 64 * (128 + 64 + 8) + 2 * 512 * 4 * (16 + 16)
    assert model.num_layers == 4 and model.num_moe_layers == 1
    assert model.block_parts[0].parameters == 64 * (128 + 64 + 8) + 128


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 1", "version = 2", "expected format = 'tianji model' and version = 1"),
        ("hidden_size = 64", "hidden_size = -64", "hidden_size: expected a whole number"),
        ("[[0, 3], [1, 1]]", "[[0, 3], [7, 1]]", "pattern: expected"),
        ("[[0, 3], [1, 1]]", "[]", "pattern: expected from 1 to"),
        ('kind = "traced"', 'kind = "warp"', "a layer of kind 'warp' is not known"),
        ("none_64_8 = 1", "diagonal_64_8 = 1", "expected CUT_k_n = how many"),
        ("none_64_8 = 1", 'none_64_8 = "one"', "none_64_8: expected a whole number"),
        ('name = "small"', 'name = "', "not a TOML file"),
    ],
)
def test_a_description_that_makes_no_sense_is_refused(old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in TRACED
    with pytest.raises(FormatError, match=said):
        read(tmp_path, TRACED.replace(old, new))


@given(st.integers(0, len(TRACED)), st.text(max_size=4))
def test_a_damaged_description_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, at: int, patch: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "damaged.toml"
    file.write_text(TRACED[:at] + patch + TRACED[at + len(patch) :], encoding="utf-8")
    try:
        model = read_description(file)
    except FormatError:
        return
    assert model.num_parameters >= 0
