"""Sizes of one layer of each kind: parameters, and the widths that decide what it keeps for the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tianji.identity import remember
from tianji.workload.blocks import BlockParts, LayerBlock
from tianji.workload.layers import block_name
from tianji.workload.model import Model
from tianji.workload.ops import SCAN_CHUNK


class LayerSize(NamedTuple):
    """Parameters of one layer of a kind, and what its activations are made of."""

    parameters: int
    """Without routed experts."""
    whole: int
    """Of these, what every tensor rank holds."""
    expert_parameters: int
    """Of all its routed experts."""
    widths: Widths


class Widths(NamedTuple):
    """Elements that one token leaves for the backward pass, by how they are stored and cut."""

    inputs: int
    """Inputs of the mixer and of the MLP, each of hidden size, in the dtype of the linear layers."""
    norms: int
    """Of hidden size each."""
    projected: float
    """Queries, keys, values and gates, divided by the tensor cut."""
    latents: float
    """What every tensor rank holds of its tokens."""
    mixed: float
    """Input of the mixer's output projection."""
    gates: float
    hidden: float
    """Input of the MLP's output projection."""
    heads: int
    """Of softmax attention: statistics, or the scores where it is not fused."""
    top_k: float
    sent: int
    """Elements of a token's copy for one expert."""
    expert_gates: float
    expert_hidden: float
    is_expanded: bool
    """``projected`` is made of ``latents`` and can be made again."""
    hidden_size: int = 0
    """Of the layer, where it is not the model's."""
    tokens: int = 0
    """Of a sequence, where they are not the job's."""


@remember(8)
def layer_sizes(model: Model) -> dict[str, LayerSize]:
    """Return the sizes of one layer of each kind, by the names of :func:`model_layers`."""
    if model.blocks:
        return {block_name(i): _block_size(model, block, parts) for i, (block, parts) in _numbered_blocks(model)}
    sizes = {
        "dense": LayerSize(
            model.dense_layer_parameters(), model.replicated_parameters(moe=False), 0, _widths(model, moe=False)
        )
    }
    if model.moe:
        experts = model.moe.num_experts * model.expert_parameters()
        common, whole = model.moe_layer_parameters(0), model.replicated_parameters(moe=True)
        sizes["moe"] = LayerSize(common, whole, experts, _widths(model, moe=True))
    return sizes


def last_kind(model: Model) -> str:
    """Return the kind of layer that a multi-token-prediction module has."""
    if model.blocks:
        return block_name(model.pattern[-1])
    return "moe" if model.moe else "dense"


def _numbered_blocks(model: Model) -> Iterator[tuple[int, tuple[LayerBlock, BlockParts]]]:
    return enumerate(zip(model.blocks, model.block_parts, strict=True))


def _widths(model: Model, *, moe: bool) -> Widths:
    m = model.moe if moe else None
    width = m.shared_intermediate_size if m else model.intermediate_size
    inputs = 2.0 if model.gated_mlp else 1.0
    latents = 0.0
    if model.mla:
        latents = model.mla.q_lora_rank + model.mla.kv_lora_rank + model.mla.qk_rope_head_dim
    expert = m.intermediate_size if m else 0
    return Widths(
        2, model.num_norms, model.query_size + model.key_value_size, latents, model.value_size, inputs * width, width,
        model.num_attention_heads, m.top_k if m else 0, model.hidden_size if m else 0, inputs * expert, expert,
        model.mla is not None,
    )  # fmt: skip


def _block_size(model: Model, block: LayerBlock, parts: BlockParts) -> LayerSize:
    mixer, experts = parts.mixer, parts.layer.experts
    out = sum(m.k for m in mixer.matmuls if m.cut == "row") if mixer else 0
    mlp_out = sum(m.k for m in parts.mlp.matmuls if m.cut == "row") if parts.mlp else 0
    gates = sum(m.n for m in parts.mlp.matmuls if m.cut == "column") if parts.mlp else 0
    expert_gates = sum(m.n for m in experts.matmuls if m.cut == "column") if experts else 0
    expert_hidden = sum(m.k for m in experts.matmuls if m.cut == "row") if experts else 0
    states = sum(s.num_heads * s.key_dim * s.value_dim / SCAN_CHUNK for s in parts.layer.scans)
    widths = Widths(
        inputs=(mixer is not None) + (parts.mlp is not None),
        norms=block.num_norms,
        projected=(mixer.saved - out if mixer else 0.0) + states,
        latents=mixer.saved_whole if mixer else 0.0,
        mixed=out,
        gates=gates,
        hidden=mlp_out,
        heads=max((a.num_heads for _, a in parts.layer.attention), default=0),
        top_k=experts.top_k * experts.computing if experts else 0,
        sent=(experts.width or model.hidden_size) if experts else 0,
        expert_gates=expert_gates,
        expert_hidden=expert_hidden,
        is_expanded=bool(mixer and mixer.kind == "latent attention"),
        hidden_size=block.hidden_size,
        tokens=block.tokens,
    )
    return LayerSize(parts.parameters, parts.whole, parts.num_experts * parts.expert_parameters, widths)
