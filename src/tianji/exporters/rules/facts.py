"""What rules of a release ask of a model: its numbers, under the names that the rules have for them."""

from __future__ import annotations

from typing import Any

from tianji.workload import Model


def model_facts(model: Model) -> dict[str, Any]:
    """Return the numbers of a model that rules ask for; no experts are 0."""
    return {
        "num_layers": model.num_layers, "num_attention_heads": model.num_attention_heads,
        "num_key_value_heads": model.num_key_value_heads, "num_experts": model.moe.num_experts if model.moe else 0,
        "ties_embeddings": model.tied_embeddings,
    }  # fmt: skip
