"""The operations of a transformer: what has to be computed for each token, before any cut.

Each op kind is one dataclass here and one formula in ``tianji.perf.compute``. Sizes are whole; ``cut`` says which dimension
tensor parallelism divides. What an op is for is its ``role``; its ``name`` is for people, and nothing depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

import numpy as np

from tianji.units import Flops
from tianji.workload.model import Model


class Role(Enum):
    """What an op is for, where a formula or a table of measured runs treats it in a way of its own."""

    PLAIN = auto()
    PROJECTION = auto()
    """From the hidden size to queries, keys and values, or to the latents of MLA."""
    EXPANSION = auto()
    """From MLA's latents to queries, keys and values; selective recomputation does it again."""
    ATTENTION_OUTPUT = auto()
    MLP_IN = auto()
    MLP_OUT = auto()
    SHARED_EXPERT = auto()
    ROUTER = auto()
    LOGITS = auto()
    """Its column cut has no row cut after it: only the gather before it is left of a pair."""
    LOSS = auto()
    """Its elements are logits, and each moves ``loss_size`` bytes, whatever its number format."""


@dataclass(frozen=True, slots=True)
class Matmul:
    """A linear layer: y[n] = x[k] · w[k, n] for each token, ``copies`` of it side by side.

    ``cut`` is ``column`` (n divided), ``row`` (k divided) or ``none`` (every tensor-parallel rank does all of it on its
    own tokens). ``high`` keeps it out of the narrow dtype (router, logits).
    """

    name: str
    k: int
    n: int
    cut: str
    high: bool = False
    role: Role = Role.PLAIN

    @property
    def flops(self) -> Flops:
        """Forward FLOPs for one token."""
        return 2.0 * self.k * self.n


@dataclass(frozen=True, slots=True)
class AttentionOp:
    """Scores and values of all heads; ``window`` tokens bound the context (0: all of it)."""

    num_heads: int
    num_key_value_heads: int
    qk_dim: int
    v_dim: int
    window: int = 0

    def context(self, seq_len: int, causal: bool) -> float:
        """Return how many tokens one token attends to, on average.

        Causal attention over s tokens: s/2 (the diagonal's half token is left out, as everybody does). With a window of
        w < s: w - w²/2s.
        """
        if not causal:
            return seq_len * 1.0
        w = np.minimum(self.window, seq_len) if self.window else seq_len
        tokens: float = w - w * w / (2.0 * seq_len)
        return tokens

    def flops(self, seq_len: int, causal: bool) -> Flops:
        """Forward FLOPs for one token: 2 · context · heads · (qk_dim + v_dim)."""
        return 2.0 * self.context(seq_len, causal) * self.num_heads * (self.qk_dim + self.v_dim)


@dataclass(frozen=True, slots=True)
class Vector:
    """A memory-bound elementwise op: elements read and written for each token.

    ``cut`` is ``tensor`` (divided by the tensor-parallel degree in any case) or ``sequence`` (divided only with sequence
    parallelism).
    """

    name: str
    elements: float
    cut: str
    role: Role = Role.PLAIN


@dataclass(frozen=True, slots=True)
class ExpertOps:
    """The routed experts of one layer: ``top_k`` of ``num_experts`` MLPs for each token."""

    num_experts: int
    top_k: int
    matmuls: tuple[Matmul, ...]
    vectors: tuple[Vector, ...]
    routing: tuple[int, int] = (1, 1)
    """Groups of experts, and from how many of them a token's experts come."""

    @property
    def flops(self) -> Flops:
        """Forward FLOPs for one token."""
        return self.top_k * sum(m.flops for m in self.matmuls)


@dataclass(frozen=True, slots=True)
class LayerOps:
    """One transformer layer, or the embedding, or the head."""

    matmuls: tuple[Matmul, ...] = ()
    attention: tuple[tuple[float, AttentionOp], ...] = ()
    """Kinds of attention with the share of the layers that has each."""
    vectors: tuple[Vector, ...] = ()
    experts: ExpertOps | None = None

    def flops(self, seq_len: int, causal: bool) -> Flops:
        """Forward FLOPs of one token in this layer."""
        scores = sum(share * a.flops(seq_len, causal) for share, a in self.attention)
        return sum(m.flops for m in self.matmuls) + scores + (self.experts.flops if self.experts else 0.0)


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


def _activation(model: Model, width: int, name: str) -> Vector:
    return Vector(f"{name} activation", (3.0 if model.gated_mlp else 2.0) * width, "tensor")


def _layer_vectors(model: Model) -> tuple[Vector, ...]:
    """Norms read and write h, residual additions read 2h and write h, rotary positions read and write q and k."""
    h = model.hidden_size
    rotary = 0.0 if model.learned_positions else 2.0 * (model.query_size + model.key_value_size / 2)
    return (
        Vector("norms", 2.0 * model.num_norms * h, "sequence"),
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


def model_layers(model: Model) -> dict[str, LayerOps]:
    """Return a layer of each kind that the model has: ``dense``, ``moe``, ``mtp``, and ``embedding`` and ``head``.

    Ops that several kinds have in common are the same objects, so that a formula may work out each once.
    """
    block, top = _AttentionBlock.of(model), head(model)
    layers = {"dense": _dense_layer(model, block), "embedding": embedding(model), "head": top}
    if model.moe:
        layers["moe"] = _moe_layer(model, block)
    if model.num_mtp_layers:
        layers["mtp"] = _mtp_layer(model, layers.get("moe", layers["dense"]), top)
    return layers


def dense_layer(model: Model) -> LayerOps:
    """Return the ops of a layer with a dense MLP."""
    return _dense_layer(model, _AttentionBlock.of(model))


def _dense_layer(model: Model, block: _AttentionBlock) -> LayerOps:
    width = model.intermediate_size
    return LayerOps(
        matmuls=(*block.matmuls, *_mlp(model, width, "mlp", Role.MLP_IN, Role.MLP_OUT)),
        attention=block.attention,
        vectors=(*block.vectors, _activation(model, width, "mlp")),
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
        vectors = (*vectors, _activation(model, shared, "shared"))
    experts = ExpertOps(
        moe.num_experts,
        moe.top_k,
        _mlp(model, moe.intermediate_size, "expert", Role.PLAIN, Role.PLAIN),
        # Each routed copy is gathered into expert order and scattered back: four passes over h.
        (_activation(model, moe.intermediate_size, "expert"), Vector("permute", 4.0 * model.hidden_size, "tensor")),
        (moe.num_groups, moe.groups_per_token),
    )
    return LayerOps(matmuls=matmuls, attention=block.attention, vectors=vectors, experts=experts)


def embedding(model: Model) -> LayerOps:
    """Return the ops of the token table: a gather that writes h."""
    return LayerOps(vectors=(Vector("embedding", 2.0 * model.hidden_size, "sequence"),))


def head(model: Model) -> LayerOps:
    """Return the ops of the last norm, the logits and the loss."""
    return LayerOps(
        matmuls=(Matmul("logits", model.hidden_size, model.vocab_size, "column", high=True, role=Role.LOGITS),),
        vectors=(
            Vector("final norm", 2.0 * model.hidden_size, "sequence"),
            Vector("loss", 1.0 * model.vocab_size, "tensor", role=Role.LOSS),
        ),
    )


def mtp_layer(model: Model) -> LayerOps:
    """Return the ops of one multi-token-prediction module: a projection of 2h to h, a layer, and a head of its own."""
    return _mtp_layer(model, moe_layer(model), head(model))


def _mtp_layer(model: Model, layer: LayerOps, top: LayerOps) -> LayerOps:
    projection = Matmul("mtp projection", 2 * model.hidden_size, model.hidden_size, "column")
    return LayerOps(
        (*layer.matmuls, projection, *top.matmuls), layer.attention, (*layer.vectors, *top.vectors), layer.experts
    )


def step_flops(model: Model, seq_len: int, tokens: float, causal: bool = True) -> Flops:
    """Return the model FLOPs of a training step over that many tokens, forward and backward (three times forward).

    For a dense model this is 6 · N · tokens plus attention, N being the parameters of the matmuls (the token table is
    looked up, not multiplied). Recomputation does not count: this is the numerator of MFU.
    """
    per_token = (
        model.num_dense_layers * dense_layer(model).flops(seq_len, causal)
        + model.num_moe_layers * moe_layer(model).flops(seq_len, causal)
        + model.num_mtp_layers * mtp_layer(model).flops(seq_len, causal)
        + head(model).flops(seq_len, causal)
    )
    return 3.0 * per_token * tokens
