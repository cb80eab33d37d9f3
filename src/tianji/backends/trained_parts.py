"""Which parts of a layer the trainer has, by the names and sizes of the model's description: the one place that says so.

A part's module takes these sizes by these names (:mod:`tianji.backends.trainer.attention`, ``recurrent``, ``moe``), so that the
description is the only source of shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from tianji.workload import Model
from tianji.workload.blocks import LayerBlock, PartSizes
from tianji.workload.plain import block_of

MIXERS: Mapping[str, frozenset[str]] = {
    "attention": frozenset(
        {"num_heads", "num_key_value_heads", "head_dim", "window", "qkv_bias", "output_bias", "qk_norm", "gate"}
    ),
    "latent": frozenset(
        {"num_heads", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim", "window"}
    ),
    "gated_delta_net": frozenset({"num_key_heads", "num_value_heads", "key_head_dim", "value_head_dim", "kernel"}),
    "mamba2": frozenset({"num_heads", "head_dim", "state_size", "num_groups", "kernel", "conv_bias", "bias", "norm"}),
    "lightning": frozenset({"num_heads", "head_dim"}),
}
MLPS: Mapping[str, frozenset[str]] = {
    "dense": frozenset({"width", "gated", "bias"}),
    "experts": frozenset({"num_experts", "top_k", "width", "gated", "shared_width", "shared_gate", "router_bias"}),
}
PASSED_OVER = frozenset({"num_groups", "groups_per_token"})
"""Sizes that the trainer reads past: where a token's experts may lie shapes no weight."""
WORDS: Mapping[str, frozenset[str]] = {"qk_norm": frozenset({"", "head"}), "gate": frozenset({"", "element"})}
"""What the trainer has of a size that is a word."""


def sizes_of(part: PartSizes) -> dict[str, Any]:
    """Return the sizes of a part that its module takes."""
    known = {**MIXERS, **MLPS}[part.kind]
    return {name: size for name, size in (*part.sizes, *part.words) if name in known}


@lru_cache(maxsize=256)
def _blocks(model: Model) -> tuple[LayerBlock, ...]:
    return tuple(dict.fromkeys(block_of(model, i) for i in range(model.num_layers)))


def lacking_parts(model: Model) -> tuple[str, ...]:
    """Return what the layers of a model have that the trainer has not, each once."""
    return tuple(dict.fromkeys(what for block in _blocks(model) for what in _lacking(block)))


def lacking_cuts(model: Model, tp: int, connected_tokens: int) -> Iterator[str]:
    """Yield why mixers with a recurrence cannot be cut so: heads by ``tp``, and a sequence into such connected pieces."""
    for mixer in dict.fromkeys(block.mixer for block in _blocks(model) if block.mixer):
        sizes, kind = dict(mixer.sizes), mixer.kind.replace("_", " ")
        for name in ("num_key_heads", "num_groups"):
            if sizes.get(name, tp) % tp:
                yield f"tp={tp}, which does not divide {name} {sizes[name]} of a {kind}: each rank has whole ones here"
        if connected_tokens < sizes.get("kernel", 1) - 1:
            yield (
                f"pieces of {connected_tokens} tokens, fewer than the {sizes['kernel'] - 1} that a {kind}'s convolution"
                " looks back on; take a smaller cp"
            )


def _lacking(block: LayerBlock) -> Iterator[str]:
    for part, known in ((block.mixer, MIXERS), (block.mlp, MLPS)):
        if part is not None:
            yield from _lacking_of(part, known)
    count = (block.mixer is not None) + (block.mlp is not None)
    if block.num_norms not in (count, 2 * count):
        yield f"layers with {block.num_norms} norms around {count} parts"
    others = {
        "parameters beside mixer, MLP and norms": block.extra > 0,
        "small matrices beside mixer and MLP": block.side > 0,
        "layers with the weights of earlier ones": block.is_shared,
        "hyper-connections": block.residual_streams > 1,
        "layers of a width or of tokens of their own": bool(block.hidden_size or block.tokens),
    }
    yield from (what for what, has in others.items() if has)


def _lacking_of(part: PartSizes, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    kind = part.kind.replace("_", " ")
    if part.kind not in known:
        yield f"{kind} layers"
        return
    taken = known[part.kind] | PASSED_OVER
    yield from (f"{kind} with {name}={size}" for name, size in part.sizes if size and name not in taken)
    for name, word in part.words:
        if word and (name not in taken or word not in WORDS.get(name, ())):
            yield f"{kind} with {name}={word}"
