"""Write how many parameters the language models of larger classes hold: tests/workload/data/part_counts.json.

Needs the extra ``tianji[hf]``; run by hand when a family is added or transformers is newer, from the folder of the project:

    python -m docs.generators.part_counts
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tianji.workload.family_files import load_families

ROOT = Path(__file__).parents[2]
FILE = ROOT / "tests" / "workload" / "data" / "part_counts.json"
WHOLES = (
    "cosmos3_edge", "deepseek_ocr2", "emu3", "ernie4_5_vl_moe", "glm5_next", "glm_ocr", "granite4_vision", "granite_docling",
    "hunyuan_vl", "llama4", "mistral_large4", "mllama", "molmo2", "muse_glimmer", "muse_spark", "nemotron_h_omni", "paddleocr_vl",
    "phi4_multimodal", "qwen2_5_omni_thinker", "qwen2_5_vl", "qwen3_5", "qwen3_omni_moe_thinker", "shieldgemma2", "unlimited_ocr",
)  # fmt: skip
TOWERS = ("visual", "vision_tower", "vision_model", "vision_adapter", "vision_projection", "audio_tower", "projector",
    "multi_modal_projector", "resampler_model", "embed_tokens_extend", "vqmodel", "layerwise_projectors", "spatial_projectors",
    "view_separator", "image_newline", "qformer", "vit", "modality_projection")  # fmt: skip
"""Parts of a class, by the names of its modules, that are no language model."""
OMNI_30B = {
    "head_dim": 128, "hidden_size": 2048, "num_attention_heads": 32, "num_hidden_layers": 48, "vocab_size": 152064
}  # fmt: skip
"""Sizes of Qwen3-Omni-30B-A3B, whose class has defaults that no model can have."""
BASE = {"qwen3_omni_moe_thinker": OMNI_30B}
MORE_WORDS = 64


def main() -> None:
    """Write a row for each class as it comes, of half the layers, and with the tables tied the other way."""
    import transformers

    rows = [row for name in WHOLES for row in _rows(name)]
    head = f'"made_with": {json.dumps({"transformers": transformers.__version__})},\n"rows": [\n'
    FILE.write_text("{\n" + head + ",\n".join(map(json.dumps, rows)) + "\n]\n}\n", encoding="utf-8")


def _rows(name: str) -> Iterator[dict[str, Any]]:
    for change in ("default", "half", "tied the other way", "text tied the other way"):
        try:
            config = _config(name, change)
            yield {"type": name, "change": change} | _counted(config)
        except Exception as error:  # a class that does not build so
            print(f"{name}, {change}: {type(error).__name__}: {error}"[:160])


def _config(name: str, change: str) -> Any:
    from transformers import CONFIG_MAPPING

    config = CONFIG_MAPPING[name]()
    text = config.get_text_config()
    for key, value in BASE.get(name, {}).items():
        setattr(text, key, value)
    if change == "half":
        layers = text.num_hidden_layers
        text.num_hidden_layers, text.vocab_size = max(2, layers // 2), text.vocab_size + MORE_WORDS
        for key, value in list(vars(text).items()):
            if isinstance(value, list) and len(value) == layers:
                setattr(text, key, value[: text.num_hidden_layers])
    elif change != "default":
        part = text if change.startswith("text") else config
        part.tie_word_embeddings = not part.tie_word_embeddings
    return type(config).from_dict(config.to_dict())  # as it is read from a file


def _counted(config: Any) -> dict[str, Any]:
    import torch
    from transformers.models.auto import modeling_auto

    mappings = (modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING)
    chosen = next(cls for mapping in mappings if (cls := mapping.get(type(config), None)))
    with torch.device("meta"):
        model = chosen(config)
    named: dict[int, tuple[int, list[str]]] = {}
    for path, parameter in model.named_parameters(remove_duplicate=False):
        named.setdefault(id(parameter), (parameter.numel(), []))[1].append(path)
    whole = json.loads(config.to_json_string(use_diff=False))
    return {
        "config": _short(whole) | {"architectures": [chosen.__name__]},
        "parameters": sum(n for n, paths in named.values() if not all(_in_tower(path) for path in paths)),
        "buffers": sum(b.numel() for n, b in model.named_buffers() if "bias" in n and not _in_tower(n)),
    }


def _in_tower(path: str) -> bool:
    return any(word in path.split(".") for word in TOWERS)


def _short(whole: dict[str, Any]) -> dict[str, Any]:
    """Return what a family reads of a file: the text part's keys, the whole's type and whether its tables are tied."""
    text = whole.get("text_config", whole)
    read = load_families()[text["model_type"]].keys() | {"model_type"}
    kept = {key: value for key, value in text.items() if key in read}
    outer = {key: whole[key] for key in ("model_type", "tie_word_embeddings") if key in whole}
    return outer | ({"text_config": kept} if "text_config" in whole else kept)


if __name__ == "__main__":
    main()
