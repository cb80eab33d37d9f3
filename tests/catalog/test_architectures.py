from dataclasses import replace

import pytest

from tianji.catalog.architectures import (
    ROW_COLUMNS,
    find_mixture,
    load_architecture,
    model_from_row,
    read_architectures,
)
from tianji.catalog.models import load_model
from tianji.errors import FormatError, UnsupportedModelError

ARCHITECTURES = read_architectures()
COUNTED = [key for key, row in ARCHITECTURES.items() if row["params_total_b_formula"]]
HYBRID = [key for key in ARCHITECTURES if key not in COUNTED]
BILLION = 10**9

ROW = {
    "id": "T-1", "arch_key": "llama3_8b", "params_total_b": "8.03", "layers": "32", "hidden": "4096", "ffn": "14336",
    "heads": "32", "kv_heads": "8", "head_dim": "128", "vocab": "128256", "n_experts": "", "top_k": "", "moe_ffn": "",
    "shared_experts": "", "mla": "False", "seq_len": "8192",
}  # fmt: skip


@pytest.mark.parametrize("key", COUNTED)
def test_counts_are_those_of_the_tables_own_formula(key: str) -> None:
    # The table's formula leaves out norms and biases, and is rounded to a million.
    model, row = load_architecture(key), ARCHITECTURES[key]
    assert model is not None
    wanted = {model.num_parameters: "params_total_b_formula", model.num_active_parameters: "params_active_b_formula"}
    for counted, column in wanted.items():
        assert counted == pytest.approx(float(row[column]) * BILLION, rel=0.006)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("gpt3_175b", "gpt3-175b"),
        ("llama3_405b", "llama-3.1-405b"),
        ("mixtral_8x7b", "mixtral-8x7b"),
        ("deepseek_v2", "deepseek-v2"),
        ("deepseek_v3", "deepseek-v3"),
        ("kimi_k2", "kimi-k2"),
        ("gpt_oss_120b", "gpt-oss-120b"),
        ("qwen3_235b_a22b", "qwen3-235b-a22b"),
        ("pangu_ultra_135b", "pangu-ultra-135b"),
        ("pangu_ultra_moe_718b", "pangu-ultra-moe"),
    ],
)
def test_the_table_and_the_catalog_agree(key: str, name: str) -> None:
    table, catalog = load_architecture(key), load_model(name)
    assert table is not None
    assert table.num_parameters == pytest.approx(catalog.num_parameters, rel=0.001)
    assert table.num_active_parameters == pytest.approx(catalog.num_active_parameters, rel=0.002)
    assert (table.mla, table.num_moe_layers) == (catalog.mla, catalog.num_moe_layers)
    assert (table.sliding_window, table.num_sliding_layers) == (catalog.sliding_window, catalog.num_sliding_layers)


def test_a_key_that_nobody_knows_is_none() -> None:
    assert load_architecture("nobody") is None


@pytest.mark.parametrize("key", HYBRID)
def test_a_hybrid_is_the_one_of_the_catalog(key: str) -> None:
    row = {column: "" for column in ROW} | {"arch_key": key}
    known, name = load_architecture(key), ARCHITECTURES[key]["catalog_model"]
    assert known == replace(load_model(name), name=key)
    assert model_from_row(row) == known
    with pytest.raises(UnsupportedModelError, match=r"layers 2, but .* which of its layers ran is not known"):
        model_from_row(row | {"layers": "2"})


def test_a_row_of_a_known_architecture() -> None:
    assert model_from_row(ROW) == load_architecture("llama3_8b")


def test_the_row_wins_over_the_table() -> None:
    model = model_from_row(ROW | {"layers": "2", "vocab": "32000.0"})
    assert (model.num_layers, model.vocab_size, model.hidden_size) == (2, 32000, 4096)


def test_what_the_row_leaves_out_is_the_tables() -> None:
    row = {key: "" for key in ROW} | {"arch_key": "deepseek_v3", "layers": "4"}
    model = model_from_row(row)
    assert model.moe is not None
    assert (model.num_dense_layers, model.num_moe_layers, model.num_mtp_layers) == (3, 1, 1)
    assert (model.moe.num_experts, model.moe.shared_intermediate_size) == (256, 2048)
    assert model_from_row(row | {"layers": "2"}).num_moe_layers == 1


def test_the_row_may_change_the_experts() -> None:
    row = {key: "" for key in ROW} | {"arch_key": "deepseek_v3", "n_experts": "64", "top_k": "6", "shared_experts": "0"}
    moe = model_from_row(row).moe
    assert moe is not None
    assert (moe.num_experts, moe.top_k, moe.shared_intermediate_size) == (64, 6, 0)
    moe = model_from_row(row | {"moe_ffn": "1024", "shared_experts": "2"}).moe
    assert moe is not None
    assert (moe.intermediate_size, moe.shared_intermediate_size) == (1024, 2048)


def test_learned_positions_are_as_many_as_the_tokens_of_a_sequence() -> None:
    # MPT-125M at 65,536 tokens: 0.124B and a table of 65,536 rows of 768
    row = {key: "" for key in ROW} | {"arch_key": "mpt_125m", "seq_len": "65536"}
    assert model_from_row(row).num_parameters == pytest.approx(0.174 * BILLION, rel=0.005)


@pytest.mark.parametrize(
    ("billions", "gated", "tied"),
    [("8.03", True, False), ("7.505", True, True), ("6.15", False, False), ("5.63", False, True)],
)
def test_an_unknown_architecture_is_solved_from_its_count(billions: str, gated: bool, tied: bool) -> None:
    model = model_from_row(ROW | {"arch_key": "nobody", "params_total_b": billions})
    assert (model.gated_mlp, model.tied_embeddings) == (gated, tied)
    assert model.num_parameters == pytest.approx(float(billions) * BILLION, rel=0.01)


def test_an_unknown_architecture_without_a_count_is_gated() -> None:
    model = model_from_row(ROW | {"arch_key": "", "params_total_b": ""})
    assert (model.gated_mlp, model.tied_embeddings) == (True, False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": ""}, "row T-1: heads is not stated"),
        ({"layers": "many"}, "row T-1: layers"),
        ({"layers": "2.5"}, "row T-1: layers: expected a whole number"),
        ({"mla": "True"}, "latent attention of an unknown architecture"),
    ],
)
def test_a_row_that_describes_no_model_is_refused(change: dict[str, str], said: str) -> None:
    with pytest.raises(FormatError, match=said):
        model_from_row(ROW | {"arch_key": ""} | change)


# --- the mixture that a model is -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("qwen3-235b-a22b", "qwen3_235b_a22b"), ("gpt-oss-120b", "gpt_oss_120b"), ("deepseek-v3", "deepseek_v3"),
        ("moonlight-16b-a3b", "moonlight_16b"), ("deepseek-v2-lite", "deepseek_v2_lite"), ("glm-4.5", "glm-4.5"),
        ("llama-3.1-8b", None),
    ],
)  # fmt: skip
def test_a_mixture_is_known_by_its_shape_whatever_its_name(name: str, key: str | None) -> None:
    model = load_model(name)
    assert find_mixture(model) == key
    if key in ARCHITECTURES:
        assert find_mixture(replace(model, name="mine")) == key
    elif key:
        assert find_mixture(replace(model, name="mine")) == ""


@pytest.mark.parametrize(
    ("arch_key", "model", "name"),
    [
        ("kimi_linear_48b_a3b", "", "kimi-linear-48b-a3b"), ("", "Qwen3.5 35B A3B", "qwen3.5-35b-a3b"),
        ("glm_45_air", "GLM-4.5-Air", "glm-4.5-air"), ("glm_46", "", "glm-4.5"),
    ],
)  # fmt: skip
def test_a_row_may_spell_a_model_of_the_catalog_in_its_own_way(arch_key: str, model: str, name: str) -> None:
    known = load_model(name)
    stated = {
        "layers": str(known.num_layers),
        "hidden": str(known.hidden_size),
        "heads": str(known.num_attention_heads),
    }
    row = {"arch_key": arch_key, "model": model}
    assert model_from_row(row).num_parameters == model_from_row(row | stated).num_parameters == known.num_parameters


def test_a_name_with_other_sizes_is_no_model_of_the_catalog() -> None:
    assert model_from_row(ROW | {"arch_key": "", "model": "Qwen3 32B"}).hidden_size == int(ROW["hidden"])
    with pytest.raises(FormatError, match="not stated"):
        model_from_row({"arch_key": "deepseek_v4_flash", "model": "DeepSeek-V4-Flash, 16 layers", "layers": "43"})


def test_the_columns_of_a_model_are_all_that_a_row_says_of_it() -> None:
    asked: set[str] = set()

    class Noted(dict[str, str]):
        def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
            asked.add(key)
            return super().get(key, default)

    for row in (ROW, ROW | {"arch_key": ""}, ROW | {"arch_key": "", "n_experts": "8", "top_k": "2", "moe_ffn": "1024"}):
        model_from_row(Noted(row))
    assert asked <= {"id", *ROW_COLUMNS}
