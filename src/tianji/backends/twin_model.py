"""The model of a twin: every kind of layer that the large model has, of the smallest sizes that the cuts divide."""

from __future__ import annotations

from dataclasses import replace

from tianji.parallel.strategy import Strategy
from tianji.workload import MLA, Model, MoE
from tianji.workload.blocks import LayerBlock, PartSizes

HEAD = 16
HIDDEN = 64
VOCABULARY = 256
"""The text that ships is read by bytes."""
WINDOW = 24
"""No divisor of the twin's sequence, so that windows cross the borders of its parts."""
MOST_RATIO = 4
"""Query heads that share one key-value head, at most."""


def shrink_model(model: Model, strategy: Strategy) -> Model:
    """Return the twin of a model for a strategy that is a twin's already."""
    sizes = _small_sizes(model, strategy)
    chunks = 2 if strategy.schedule in ("zbv", "dualpipe") else strategy.vpp
    layers = 2 * strategy.pp * chunks
    kinds = dict.fromkeys(_shrink_block(block, sizes) for block in (model.blocks[i] for i in model.pattern))
    while layers < len(kinds):  # as many chunks as before, so that no stage is left without a layer
        layers += strategy.pp * chunks
    heads = sizes["num_heads"]
    return replace(
        model, name=f"{model.name}-twin", hidden_size=HIDDEN, num_layers=layers, num_attention_heads=heads,
        num_key_value_heads=heads if model.mla else sizes["num_key_value_heads"], head_dim=HEAD, intermediate_size=2 * HIDDEN,
        vocab_size=VOCABULARY, mla=_shrink_latents(model.mla, sizes) if model.mla else None,
        moe=_shrink_experts(model.moe, sizes, layers) if model.moe else None, num_mtp_layers=0,
        sliding_window=WINDOW if model.sliding_window else 0, num_sliding_layers=_count_sliding(model, layers),
        max_position_embeddings=0, tied_embeddings=model.tied_embeddings and strategy.pp == 1, attention_sinks=False,
        embedding_norm=False, source="", blocks=tuple(kinds),
        pattern=tuple(i % len(kinds) for i in range(layers)) if kinds else (),
    )  # fmt: skip


def _small_sizes(model: Model, strategy: Strategy) -> dict[str, int]:
    """Return the twin's sizes by their names in every kind of part."""
    ratio = min(model.num_attention_heads // max(model.num_key_value_heads, 1), MOST_RATIO)
    ulysses = strategy.cp if strategy.cp_kind == "ulysses" else 1
    pairs = strategy.tp * ulysses
    return {
        "num_heads": pairs * max(ratio, 1), "num_key_value_heads": pairs, "head_dim": HEAD, "window": WINDOW,
        "q_lora_rank": 2 * HEAD, "kv_lora_rank": HEAD, "qk_nope_head_dim": HEAD, "qk_rope_head_dim": HEAD // 2,
        "num_key_heads": strategy.tp, "num_value_heads": 2 * strategy.tp, "key_head_dim": HEAD, "value_head_dim": HEAD,
        "state_size": HEAD, "num_groups": strategy.tp, "kernel": 4, "v_head_dim": HEAD,
        "width": 2 * HIDDEN, "shared_width": HIDDEN // 2, "num_experts": 4 * strategy.ep, "top_k": 2,
    }  # fmt: skip


def _shrink_block(block: LayerBlock, sizes: dict[str, int]) -> LayerBlock:
    mixer, mlp = block.mixer and _shrink_part(block.mixer, sizes), block.mlp and _shrink_part(block.mlp, sizes)
    return replace(block, mixer=mixer, mlp=mlp)


def _shrink_part(part: PartSizes, sizes: dict[str, int]) -> PartSizes:
    """Return a part in which each size that is not 0 is the twin's; switches stay."""
    own = sizes | {"sinks": 0}
    if part.kind == "experts":
        own |= {"width": HIDDEN // 2, "num_groups": 1, "groups_per_token": 1}
        own["top_k"] = min(dict(part.sizes)["top_k"], own["top_k"])
    return replace(part, sizes=tuple((name, own.get(name, size) if size else 0) for name, size in part.sizes))


def _shrink_latents(mla: MLA, sizes: dict[str, int]) -> MLA:
    return MLA(
        sizes["q_lora_rank"] if mla.q_lora_rank else 0, sizes["kv_lora_rank"], sizes["qk_nope_head_dim"],
        sizes["qk_rope_head_dim"], sizes["v_head_dim"],
    )  # fmt: skip


def _shrink_experts(moe: MoE, sizes: dict[str, int], layers: int) -> MoE:
    return replace(
        moe, num_experts=sizes["num_experts"], top_k=min(moe.top_k, 2), intermediate_size=HIDDEN // 2,
        shared_intermediate_size=sizes["shared_width"] if moe.shared_intermediate_size else 0,
        num_leading_dense=min(moe.num_leading_dense, 1), layer_step=min(moe.layer_step, layers), num_groups=1, groups_per_token=1,
    )  # fmt: skip


def _count_sliding(model: Model, layers: int) -> int:
    """Return how many of the twin's layers are in a window: all, or every second one, as in the model."""
    if not model.num_sliding_layers:
        return 0
    return layers if model.num_sliding_layers == model.num_layers else (layers + 1) // 2
