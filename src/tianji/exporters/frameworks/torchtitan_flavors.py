"""Which models torchtitan 0.2.1 ships under a name and a flavour, by their sizes.

Source: the tables of arguments in torchtitan/models/*/__init__.py of release 0.2.1.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.workload import Model

FLAVORS: dict[tuple[str, str], tuple[int, int, int, int, int]] = {
    ("llama3", "8B"): (4096, 32, 32, 8, 0),
    ("llama3", "70B"): (8192, 80, 64, 8, 0),
    ("llama3", "405B"): (16384, 126, 128, 8, 0),
    ("deepseek_v3", "16B"): (2048, 27, 16, 16, 64),
    ("deepseek_v3", "236B"): (5120, 60, 128, 128, 160),
    ("deepseek_v3", "671B"): (7168, 61, 128, 128, 256),
    ("qwen3", "0.6B"): (1024, 28, 16, 8, 0),
    ("qwen3", "1.7B"): (2048, 28, 16, 8, 0),
    ("qwen3", "4B"): (2560, 36, 32, 8, 0),
    ("qwen3", "8B"): (4096, 36, 32, 8, 0),
    ("qwen3", "14B"): (5120, 40, 40, 8, 0),
    ("qwen3", "32B"): (5120, 64, 64, 8, 0),
    ("qwen3", "30B-A3B"): (2048, 48, 32, 4, 128),
    ("qwen3", "235B-A22B"): (4096, 94, 64, 4, 128),
}
"""Hidden size, layers, attention heads, key-value heads and experts of each."""

FAMILIES = {
    "llama": "llama3",
    "deepseek_v2": "deepseek_v3",
    "deepseek_v3": "deepseek_v3",
    "qwen3": "qwen3",
    "qwen3_moe": "qwen3",
}


def find_flavor(model: Model, limits: Limits) -> tuple[str, str]:
    """Return the name and flavour of a model; one that no flavour has the sizes of is refused."""
    experts = model.moe.num_experts if model.moe else 0
    sizes = (model.hidden_size, model.num_layers, model.num_attention_heads, model.num_key_value_heads, experts)
    for (name, flavor), known in FLAVORS.items():
        if known == sizes and name == FAMILIES.get(model.family):
            if model.num_mtp_layers:
                limits.refuse(f"{model.num_mtp_layers} multi-token-prediction layers: its {name} has none")
            return name, flavor
    limits.refuse(
        f"{model.name}: it takes a model's sizes from Python code, and none of its flavours has these (hidden_size"
        f" {model.hidden_size}, {model.num_layers} layers, {model.num_attention_heads} heads, {experts} experts)"
    )
    return "", ""
