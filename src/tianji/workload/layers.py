"""The layers of a model as ops: one of each kind, with the embedding, the head and the prediction module."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from tianji.identity import remember
from tianji.units import Flops
from tianji.workload.model import Model
from tianji.workload.ops import AttentionOp, ExpertOps, LayerOps, Matmul, Role, Vector


def _attention_matmuls(model: Model) -> tuple[Matmul, ...]:
    h = model.hidden_size
    output = Matmul("attention output", model.value_size, h, "row", role=Role.ATTENTION_OUTPUT)
    if model.mla is None:
        return Matmul("qkv", h, model.query_size + model.key_value_size, "column", role=Role.PROJECTION), output
    a = model.mla
    if a.q_lora_rank:
        query = [
            Matmul("q down", h, a.q_lora_rank, "none", role=Role.PROJECTION),
            Matmul("q up", a.q_lora_rank, model.query_size, "column", role=Role.EXPANSION),
        ]
    else:
        query = [Matmul("q", h, model.query_size, "column", role=Role.PROJECTION)]
    expanded = model.num_attention_heads * (a.qk_nope_head_dim + a.v_head_dim)
    return (
        *query,
        Matmul("kv down", h, a.kv_lora_rank + a.qk_rope_head_dim, "none", role=Role.PROJECTION),
        Matmul("kv up", a.kv_lora_rank, expanded, "column", role=Role.EXPANSION),
        output,
    )


def _attention(model: Model) -> tuple[tuple[float, AttentionOp], ...]:
    if model.mla:
        qk, v = model.mla.qk_nope_head_dim + model.mla.qk_rope_head_dim, model.mla.v_head_dim
        return ((1.0, AttentionOp(model.num_attention_heads, model.num_attention_heads, qk, v)),)
    heads = (model.num_attention_heads, model.num_key_value_heads, model.head_dim, model.head_dim)
    if not model.sliding_window or not model.num_sliding_layers:
        return ((1.0, AttentionOp(*heads)),)
    sliding = model.num_sliding_layers / model.num_layers
    return (1.0 - sliding, AttentionOp(*heads)), (sliding, AttentionOp(*heads, window=model.sliding_window))


def _mlp(model: Model, width: int, name: str, into: Role, out: Role) -> tuple[Matmul, ...]:
    inputs = 2 if model.gated_mlp else 1
    return (
        Matmul(f"{name} in", model.hidden_size, inputs * width, "column", role=into),
        Matmul(f"{name} out", width, model.hidden_size, "row", role=out),
    )


def _activation(model: Model, width: int, role: Role) -> Vector:
    return Vector("activation", (3.0 if model.gated_mlp else 2.0) * width, "tensor", role=role)


def _layer_vectors(model: Model) -> tuple[Vector, ...]:
    """Norms read and write h, residual additions read 2h and write h, rotary positions read and write q and k."""
    h = model.hidden_size
    rotary = 0.0 if model.learned_positions else 2.0 * (model.query_size + model.key_value_size / 2)
    return (
        Vector("norms", 2.0 * model.num_norms * h, "sequence", role=Role.NORM),
        Vector("residuals", 6.0 * h, "sequence"),
        Vector("positions", rotary, "tensor"),
    )


class _AttentionBlock(NamedTuple):
    """The first half of a transformer layer, the same in layers of all kinds."""

    matmuls: tuple[Matmul, ...]
    attention: tuple[tuple[float, AttentionOp], ...]
    vectors: tuple[Vector, ...]

    @classmethod
    def of(cls, model: Model) -> _AttentionBlock:
        return cls(_attention_matmuls(model), _attention(model), _layer_vectors(model))


@remember(8)
def model_layers(model: Model) -> dict[str, LayerOps]:
    """Return a layer of each kind that the model has: ``dense``, ``moe``, ``mtp``, and ``embedding`` and ``head``.

    Ops that several kinds have in common are the same objects, so that a formula may work out each once.
    """
    if model.blocks:
        return _block_layers(model)
    block = _AttentionBlock.of(model)
    layers = {"dense": _dense_layer(model, block), "embedding": embedding(model), "head": head(model)}
    if model.moe:
        layers["moe"] = _moe_layer(model, block)
    if model.num_mtp_layers:
        layers["mtp"] = _mtp_layer(model, layers.get("moe", layers["dense"]))
    return layers


def block_name(index: int) -> str:
    """Return the name of the kind of layers at ``index`` of a model's blocks, as :func:`model_layers` has it."""
    return f"block {index}"


def _block_layers(model: Model) -> dict[str, LayerOps]:
    layers = {block_name(i): parts.layer for i, parts in enumerate(model.block_parts)}
    layers |= {"embedding": embedding(model), "head": head(model)}
    if model.num_mtp_layers:
        layers["mtp"] = _mtp_layer(model, model.block_parts[model.pattern[-1]].layer)
    return layers


def dense_layer(model: Model) -> LayerOps:
    """Return the ops of a layer with a dense MLP."""
    return _dense_layer(model, _AttentionBlock.of(model))


def _dense_layer(model: Model, block: _AttentionBlock) -> LayerOps:
    width = model.intermediate_size
    return LayerOps(
        matmuls=(*block.matmuls, *_mlp(model, width, "mlp", Role.MLP_IN, Role.MLP_OUT)),
        attention=block.attention,
        vectors=(*block.vectors, _activation(model, width, Role.MLP_ACTIVATION)),
    )


def moe_layer(model: Model) -> LayerOps:
    """Return the ops of a layer whose MLP is a mixture of experts (the dense layer if the model has none)."""
    return _moe_layer(model, _AttentionBlock.of(model))


def _moe_layer(model: Model, block: _AttentionBlock) -> LayerOps:
    moe = model.moe
    if moe is None:
        return _dense_layer(model, block)
    shared = moe.shared_intermediate_size
    router = Matmul("router", model.hidden_size, moe.num_experts, "none", high=True, role=Role.ROUTER)
    matmuls, vectors = (*block.matmuls, router), block.vectors
    if shared:
        matmuls = (*matmuls, *_mlp(model, shared, "shared", Role.SHARED_EXPERT, Role.SHARED_EXPERT))
        vectors = (*vectors, _activation(model, shared, Role.SHARED_ACTIVATION))
    experts = ExpertOps(
        moe.num_experts,
        moe.top_k,
        _mlp(model, moe.intermediate_size, "expert", Role.PLAIN, Role.PLAIN),
        # Each routed copy is gathered into expert order and scattered back: four passes over h.
        (
            _activation(model, moe.intermediate_size, Role.EXPERT_ACTIVATION),
            Vector("permute", 4.0 * model.hidden_size, "tensor", role=Role.PERMUTE),
        ),
        (moe.num_groups, moe.groups_per_token),
    )
    return LayerOps(matmuls=matmuls, attention=block.attention, vectors=vectors, experts=experts)


def embedding(model: Model) -> LayerOps:
    """Return the ops of the token table: a gather that writes h."""
    gather = (Vector("embedding", 2.0 * model.hidden_size, "sequence"),)
    if not model.stem_width:
        return LayerOps(vectors=gather, is_recomputed=False)
    stem = Matmul("stem", model.stem_width, model.hidden_size, "none", tokens=model.stem_tokens)
    return LayerOps((stem,), vectors=gather, is_recomputed=False)


def head(model: Model) -> LayerOps:
    """Return the ops of the last norm, the logits and the loss."""
    norm = Vector("final norm", 2.0 * model.hidden_size, "sequence")
    if model.outputs == 0:
        return LayerOps(vectors=(norm,), is_recomputed=False)
    before = (Matmul("head layer", model.hidden_size, model.head_width, "none"),) if model.head_width else ()
    width = model.embedding_size or model.hidden_size
    between = (Matmul("table to layers", model.hidden_size, width, "none"),) * 2 if model.embedding_size else ()
    return LayerOps(
        matmuls=(*before, *between, Matmul("logits", width, model.num_outputs, "column", high=True, role=Role.LOGITS)),
        vectors=(norm, Vector("loss", 1.0 * model.num_outputs, "tensor", role=Role.LOSS)),
        is_recomputed=False,
    )


def mtp_layer(model: Model) -> LayerOps:
    """Return the ops of one multi-token-prediction module: a projection of 2h to h and a layer; it asks the head once more."""
    return _mtp_layer(model, moe_layer(model))


def _mtp_layer(model: Model, layer: LayerOps) -> LayerOps:
    projection = Matmul("mtp projection", 2 * model.hidden_size, model.hidden_size, "column")
    return replace(layer, matmuls=(*layer.matmuls, projection))


def step_flops(model: Model, seq_len: int, tokens: float, causal: bool = True) -> Flops:
    """Return the model FLOPs of a training step over so many ``tokens``, forward and backward (three times forward).

    ``seq_len`` is the tokens of one sequence; with ``causal`` a token attends to those before it only.

    For a dense model this is 6 · N · tokens plus attention, N being the parameters of the matmuls (the token table is
    looked up, not multiplied). Recomputation does not count: this is the numerator of MFU.
    """
    if model.blocks:
        layers = model_layers(model)
        counts = {block_name(i): n for i, n in model.block_counts.items()} | {"embedding": 1}
        counts |= {"head": 1 + model.num_mtp_layers, "mtp": model.num_mtp_layers}
        flops = sum(n * layers[name].flops(seq_len, causal) for name, n in counts.items() if n)
        return 3.0 * flops * tokens
    per_token = (
        model.num_dense_layers * dense_layer(model).flops(seq_len, causal)
        + model.num_moe_layers * moe_layer(model).flops(seq_len, causal)
        + model.num_mtp_layers * mtp_layer(model).flops(seq_len, causal)
        + (1 + model.num_mtp_layers) * head(model).flops(seq_len, causal)
    )
    return 3.0 * per_token * tokens
