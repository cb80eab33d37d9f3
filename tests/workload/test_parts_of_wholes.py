"""The language models of larger classes: read as the maker's class counts them without its towers."""

import json
from pathlib import Path
from typing import Any

import pytest

from tianji.workload.huggingface import read_config

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "part_counts.json").read_text())["rows"]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['type']}, {row['change']}" for row in ROWS])
def test_parameters_are_those_of_the_language_model_in_the_makers_class(row: dict[str, Any]) -> None:
    model = read_config(row["config"], row["type"])
    # A balancing bias that a class holds as a buffer is a parameter here.
    assert abs(model.num_parameters - row["parameters"]) <= 1.1 * row["buffers"] + 1e-5 * row["parameters"]


def _row(kind: str) -> Any:
    return next(row for row in ROWS if row["type"] == kind and row["change"] == "default")


def test_tokens_of_text_use_the_experts_for_text_alone() -> None:
    """ERNIE 4.5 VL: 28 layers, 6 experts of width 1,536 a token; those of width 512 and their routers are for images."""
    model = read_config(_row("ernie4_5_vl_moe")["config"], "ernie")
    h, width, dense = 2560, 1536, 12288
    attention, shared = 2 * h * h + 2 * h * 512, 3 * h * 2 * width
    sparse = attention + 2 * h + 6 * 3 * h * width + shared + (h + 1) * 64
    assert model.num_active_parameters == 103424 * h + h + attention + 2 * h + 3 * h * dense + 27 * sparse


def test_a_layer_for_images_attends_to_an_image_alone() -> None:
    """Llama 3.2 Vision: 8 of 40 layers have scores of a length that the text does not change."""
    model = read_config(_row("mllama")["config"], "mllama")
    kinds = [model.blocks[i].mixer.kind for i in model.pattern if model.blocks[i].mixer]
    assert [i for i, kind in enumerate(kinds) if kind == "source_attention"] == [3, 8, 13, 18, 23, 28, 33, 38]


@pytest.mark.parametrize(
    ("whole", "text", "tied"),
    [(None, True, False), (True, False, True), (False, True, False)],
)
def test_the_whole_decides_about_tied_tables_as_its_class_does(whole: Any, text: bool, tied: bool) -> None:
    config = json.loads(json.dumps(_row("glm5_next")["config"]))
    config.pop("tie_word_embeddings", None)
    config["text_config"]["tie_word_embeddings"] = text
    model = read_config(config if whole is None else {**config, "tie_word_embeddings": whole}, "tied")
    assert model.tied_embeddings is tied


def test_layers_that_attend_to_an_image_say_which_is_assumed() -> None:
    config = {
        "model_type": "mllama_text_model", "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 512, "vocab_size": 1000, "cross_attention_layers": [1],
    }  # fmt: skip
    assert "6,404 tokens a sequence (assumed, not in the file)" in read_config(config, "cross").remark
