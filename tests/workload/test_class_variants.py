"""Small models of many families, with their makers' switches thrown: parameters and FLOPs as their classes have them.

``data/class_variants.json`` holds configurations as the classes of transformers write them, the parameters of each class on
the meta device, and for some the FLOPs of a forward pass that PyTorch's counter sees. A balancing bias that a class holds as a
buffer is a parameter here.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload.blocks import LayerBlock, PartSizes, parts_of
from tianji.workload.huggingface import read_config
from tianji.workload.layers import step_flops

MODELS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "class_variants.json").read_text())[
    "models"
]
COUNTED = [name for name, row in MODELS.items() if "flops" in row]
LOOPED = MODELS["dory-a"]["config"]


@pytest.mark.parametrize("name", MODELS)
def test_parameters_are_those_of_the_makers_class(name: str) -> None:
    row = MODELS[name]
    assert read_config(row["config"], name).num_parameters - row["parameters"] in (0, row["buffers"])


@pytest.mark.parametrize("name", COUNTED)
def test_flops_of_a_forward_pass_are_what_pytorch_counts(name: str) -> None:
    row, tokens = MODELS[name], MODELS[name]["seq_len"]
    forward = step_flops(read_config(row["config"], name), tokens, tokens, causal=False) / 3.0
    assert forward == pytest.approx(row["flops"], rel=0.003)


def test_active_parameters_leave_out_the_experts_that_a_token_does_not_visit() -> None:
    row = MODELS["flint-a"]["config"]
    model = read_config(row, "flint-a")
    expert = 3 * row["hidden_size"] * row["moe_intermediate_size"]
    sparse = row["num_hidden_layers"] - len(row["mlp_only_layers"])
    idle = sparse * (row["num_experts"] - row["num_experts_per_tok"]) * expert
    assert model.num_active_parameters == model.num_parameters - idle


@pytest.mark.parametrize("loops", [1, 2, 5])
def test_passes_through_looped_layers_cost_time_and_no_parameters(loops: int) -> None:
    once = read_config(LOOPED | {"n_recurrent_loops": 1}, "once")
    model = read_config(LOOPED | {"n_recurrent_loops": loops}, "looped")
    assert model.num_parameters == once.num_parameters
    assert model.num_active_parameters == once.num_active_parameters
    count = once.num_layers - 2 * LOOPED["n_input_layers"] // 2 - 2 * LOOPED["n_output_layers"] // 2
    assert model.num_layers == once.num_layers + (loops - 1) * count
    extra = (step_flops(model, 64, 64) - step_flops(once, 64, 64)) / (loops - 1 or 1)
    assert (extra > 0) == (loops > 1)
    assert ("passes use the weights" in model.remark) == (loops > 1)


def test_loops_beyond_the_layers_are_refused() -> None:
    with pytest.raises(FormatError, match=r"looped layers|whole number"):
        read_config(LOOPED | {"n_input_layers": 40}, "x")


def test_small_matrices_beside_a_layer_are_counted_and_computed() -> None:
    mixer = PartSizes("attention", (("num_heads", 4), ("num_key_value_heads", 4), ("head_dim", 16)))
    plain, beside = parts_of(LayerBlock(mixer, None), 64), parts_of(LayerBlock(mixer, None, side=64 * 10 + 3), 64)
    assert beside.parameters - plain.parameters == 64 * 10 + 3
    assert beside.layer.flops(32, causal=True) - plain.layer.flops(32, causal=True) == 2 * 64 * 10


def test_what_a_layer_has_of_its_own_overrides_the_models_keys() -> None:
    row = MODELS["gemma4_unified-b"]["config"]
    own = {number: {"head_dim": 128, "num_key_value_heads": 2} for number in row["per_layer_config"]}
    heads = {
        size
        for block in read_config(row | {"per_layer_config": own}, "x").blocks
        if block.mixer
        for size in block.mixer.sizes
        if size[0] == "head_dim"
    }
    assert heads == {("head_dim", 32), ("head_dim", 128)}


def test_untied_shared_layers_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="tie_word_embeddings"):
        read_config(MODELS["zamba2-c"]["config"] | {"tie_word_embeddings": False}, "x")
