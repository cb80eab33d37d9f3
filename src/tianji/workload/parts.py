"""Parts of a layer: how tokens see each other (mixers), and what each token goes through alone (MLPs).

Each function returns a :class:`LayerPart`: its ops as they are priced, and its parameters as checkpoints store them. Widths are
whole; what tensor parallelism divides stands with each matmul. h is the hidden size.
"""

from __future__ import annotations

from dataclasses import dataclass

from tianji.errors import FormatError
from tianji.workload.ops import AttentionOp, ExpertOps, Matmul, Recurrence, Vector


@dataclass(frozen=True, slots=True)
class LayerPart:
    """One mixer or MLP: ops for one token, parameters, and what the backward pass needs of it."""

    kind: str
    matmuls: tuple[Matmul, ...] = ()
    attention: tuple[AttentionOp, ...] = ()
    scans: tuple[Recurrence, ...] = ()
    vectors: tuple[Vector, ...] = ()
    experts: ExpertOps | None = None
    small: int = 0
    """Parameters that no matmul counts: norms, biases, convolutions, decays."""
    whole: int = 0
    """Parameters that every tensor rank holds, of all."""
    saved: float = 0.0
    """Elements in the activations' dtype that one token leaves for the backward pass, divided by the tensor cut."""
    saved_whole: float = 0.0
    """The same, divided only with sequence parallelism."""

    @property
    def parameters(self) -> int:
        """Parameters, those of routed experts left out."""
        return sum(m.k * m.n for m in self.matmuls) + self.small

    @property
    def expert_parameters(self) -> int:
        """Parameters of one routed expert."""
        return sum(m.k * m.n for m in self.experts.matmuls) + self.experts.bias if self.experts else 0


def attention(
    h: int, *, num_heads: int, num_key_value_heads: int, head_dim: int, v_head_dim: int = 0, window: int = 0,
    qkv_bias: bool = False, output_bias: bool = False, qk_norm: str = "", gate: str = "", sinks: bool = False,
    shared_keys: bool = False, values_are_keys: bool = False, extra: int = 0, selected: int = 0,
    index_heads: int = 0, index_size: int = 0,
) -> LayerPart:  # fmt: skip
    """Return grouped-query attention; ``window`` tokens bound the context (0: all of it).

    ``qk_norm``: ``head`` (one norm of head_dim for queries, one for keys), ``each`` (one for each head), ``whole`` (over all
    heads together). ``gate``: ``element`` (a gate as wide as the output), ``head`` (one value for each head). Layers with
    ``shared_keys`` use another layer's keys and values; with ``values_are_keys`` keys serve as values.
    """
    d, v = head_dim, v_head_dim or head_dim
    query, keys, values = num_heads * d, num_key_value_heads * d, num_key_value_heads * v
    out = num_heads * v
    made = (0 if shared_keys else keys) + (0 if shared_keys or values_are_keys else values)
    gates = {"element": out, "head": num_heads}.get(gate, 0)
    matmuls = [Matmul("qkv", h, query + made + gates, "column"), Matmul("attention output", out, h, "row")]
    small = (query + made + gates if qkv_bias else 0) + (h if output_bias else 0) + (num_heads if sinks else 0) + extra
    key_norms = 0 if shared_keys else 1
    small += {
        "head": d * (1 + key_norms),
        "each": d * (num_heads + key_norms * num_key_value_heads),
        "whole": query + key_norms * keys,
    }.get(qk_norm, 0)
    if index_heads:
        matmuls.append(Matmul("indexer", h, (index_heads + 1) * index_size, "none"))
        small += 2 * index_size
    bound = min(x for x in (window, selected) if x) if window or selected else 0
    scores = AttentionOp(num_heads, num_key_value_heads, d, v, bound)
    return LayerPart(
        "attention", tuple(matmuls), (scores,), vectors=(Vector("positions", 2.0 * (query + keys), "tensor"),),
        small=small, whole=d * (1 + key_norms) if qk_norm == "head" else 0, saved=query + keys + values + out + gates,
    )  # fmt: skip


def latent_attention(
    h: int, *, num_heads: int, kv_lora_rank: int, qk_nope_head_dim: int, qk_rope_head_dim: int, v_head_dim: int,
    q_lora_rank: int = 0, window: int = 0, bias: bool = False, gate: str = "", selected: int = 0,
    index_heads: int = 0, index_size: int = 0, index_source: int = 0, extra: int = 0, down_bias: bool = False,
) -> LayerPart:  # fmt: skip
    """Return multi-head latent attention (DeepSeek-V2); ``q_lora_rank`` 0 means a full query projection.

    With ``index_heads`` an indexer picks ``selected`` tokens for each query (DeepSeek-V3.2's sparse attention).
    """
    qk = qk_nope_head_dim + qk_rope_head_dim
    query, out = num_heads * qk, num_heads * v_head_dim
    latents = q_lora_rank + kv_lora_rank
    matmuls = [
        *(
            (Matmul("q down", h, q_lora_rank, "none"), Matmul("q up", q_lora_rank, query, "column"))
            if q_lora_rank
            else (Matmul("q", h, query, "column"),)
        ),
        Matmul("kv down", h, kv_lora_rank + qk_rope_head_dim, "none"),
        Matmul("kv up", kv_lora_rank, num_heads * (qk_nope_head_dim + v_head_dim), "column"),
        Matmul("attention output", out, h, "row"),
    ]
    if gate:
        matmuls.append(Matmul("attention gate", h, {"element": out, "head": num_heads}[gate], "column"))
    small = latents + extra + (latents + qk_rope_head_dim + h if bias else 0)
    if index_heads:
        heads, width = index_heads, index_size
        matmuls += [
            Matmul("indexer query", index_source or q_lora_rank or h, heads * width, "none"),
            Matmul("indexer key", h, width, "none"),
            Matmul("indexer weights", h, heads, "none", high=True),
        ]
        small += 2 * width
    bound = min(x for x in (window, selected) if x) if window or selected else 0
    scores = [AttentionOp(num_heads, num_heads, qk, v_head_dim, bound)]
    if index_heads:
        scores.append(AttentionOp(index_heads, 1, index_size, 0))
    down = h * (latents + qk_rope_head_dim)
    return LayerPart(
        "latent attention", tuple(matmuls), tuple(scores),
        vectors=(Vector("positions", 2.0 * num_heads * qk_rope_head_dim, "tensor"),),
        small=small, whole=down + latents, saved=2.0 * query + 2.0 * out, saved_whole=latents + qk_rope_head_dim,
    )  # fmt: skip


def compressed_attention(
    h: int, *, num_heads: int, head_dim: int, q_lora_rank: int, out_groups: int, out_lora_rank: int, window: int,
    ratio: int = 0, index_heads: int = 0, index_size: int = 0, selected: int = 0,
) -> LayerPart:  # fmt: skip
    """Return compressed attention (DeepSeek-V4): one key-value head, a window, and keys of ``ratio`` tokens at a time.

    With ``index_heads`` an indexer picks ``selected`` of the compressed keys; without, all of them are seen.
    """
    query = num_heads * head_dim
    twice = 2 if index_heads else 1  # a compressor with an indexer overlaps its windows: keys and values of both halves
    matmuls = [
        Matmul("q down", h, q_lora_rank, "none"),
        Matmul("q up", q_lora_rank, query, "column"),
        Matmul("kv", h, head_dim, "none"),
        Matmul("output groups", query // out_groups, out_groups * out_lora_rank, "column"),
        Matmul("attention output", out_groups * out_lora_rank, h, "row"),
    ]
    small = q_lora_rank + head_dim + num_heads
    scores = [AttentionOp(num_heads, 1, head_dim, head_dim, window)]
    if ratio:
        matmuls.append(Matmul("compressor", h, 2 * twice * head_dim, "none"))
        small += ratio * twice * head_dim + head_dim
        scores.append(AttentionOp(num_heads, 1, head_dim, head_dim, selected, ratio=ratio))
    if index_heads:
        heads, width = index_heads, index_size
        matmuls += [
            Matmul("indexer query", q_lora_rank, heads * width, "none"),
            Matmul("indexer compressor", h, 4 * width, "none"),
            Matmul("indexer weights", h, heads, "none", high=True),
        ]
        small += ratio * 2 * width + width
        scores.append(AttentionOp(heads, 1, width, 0, ratio=ratio))
    whole = h * (q_lora_rank + head_dim * (1 + 2 * twice * (ratio > 0))) + q_lora_rank
    return LayerPart(
        "compressed attention", tuple(matmuls), tuple(scores), vectors=(Vector("positions", 2.0 * query, "tensor"),),
        small=small, whole=whole, saved=2.0 * query + out_groups * out_lora_rank, saved_whole=q_lora_rank + 3.0 * head_dim,
    )  # fmt: skip


def gated_delta_net(
    h: int, *, num_key_heads: int, num_value_heads: int, key_head_dim: int, value_head_dim: int, kernel: int,
) -> LayerPart:  # fmt: skip
    """Return a gated delta net (Yang et al. 2024): a state of key by value widths for each value head."""
    keys, values = num_key_heads * key_head_dim, num_value_heads * value_head_dim
    matmuls = (
        Matmul("delta qkvz", h, 2 * keys + 2 * values, "column"),
        Matmul("delta decay", h, 2 * num_value_heads, "column"),
        Matmul("delta output", values, h, "row"),
    )
    return LayerPart(
        "gated delta net", matmuls, scans=(Recurrence(num_value_heads, key_head_dim, value_head_dim, delta=True),),
        vectors=(Vector("convolution", 2.0 * (2 * keys + values), "tensor"), Vector("gate", 3.0 * values, "tensor")),
        small=(2 * keys + values) * kernel + 2 * num_value_heads + value_head_dim, whole=value_head_dim,
        saved=2.0 * (2 * keys + values) + 2.0 * values,
    )  # fmt: skip


def delta_attention(h: int, *, num_heads: int, head_dim: int, kernel: int, low_rank: bool = True) -> LayerPart:
    """Return Kimi's delta attention (KDA): a delta net whose decay is a vector for each head (Kimi Linear, 2025)."""
    width = num_heads * head_dim
    gates = (
        (
            Matmul("forget down", h, head_dim, "none"), Matmul("forget up", head_dim, width, "column"),
            Matmul("gate down", h, head_dim, "none"), Matmul("gate up", head_dim, width, "column"),
        )
        if low_rank
        else (Matmul("forget", h, width, "column"), Matmul("gate", h, width, "column"))
    )  # fmt: skip
    matmuls = (
        Matmul("delta qkv", h, 3 * width, "column"),
        *gates,
        Matmul("delta beta", h, num_heads, "column"),
        Matmul("delta output", width, h, "row"),
    )
    return LayerPart(
        "delta attention", matmuls, scans=(Recurrence(num_heads, head_dim, head_dim, delta=True),),
        vectors=(Vector("convolution", 6.0 * width, "tensor"), Vector("gate", 3.0 * width, "tensor")),
        small=3 * width * kernel + width + num_heads + head_dim, whole=head_dim * (1 + 2 * h * low_rank),
        saved=8.0 * width,
    )  # fmt: skip


def mamba2(
    h: int, *, num_heads: int, head_dim: int, state_size: int, num_groups: int, kernel: int, conv_bias: bool = True,
    bias: bool = False,
) -> LayerPart:  # fmt: skip
    """Return a Mamba-2 mixer (Dao and Gu 2024): a state of head_dim by state_size for each head."""
    inner, states = num_heads * head_dim, 2 * num_groups * state_size
    matmuls = (
        Matmul("mamba in", h, 2 * inner + states + num_heads, "column"),
        Matmul("mamba out", inner, h, "row"),
    )
    small = (inner + states) * (kernel + conv_bias) + 3 * num_heads + inner
    small += bias * (2 * inner + states + num_heads + h)
    return LayerPart(
        "mamba-2", matmuls, scans=(Recurrence(num_heads, state_size, head_dim),),
        vectors=(Vector("convolution", 2.0 * (inner + states), "tensor"), Vector("gate", 3.0 * inner, "tensor")),
        small=small, saved=2.0 * (inner + states) + 2.0 * inner,
    )  # fmt: skip


def mamba1(
    h: int, *, inner: int, state_size: int, rank: int, kernel: int, conv_bias: bool, bias: bool, norms: bool
) -> LayerPart:
    """Return a Mamba mixer (Gu and Dao 2023), with norms on step, input and output as Jamba has them."""
    matmuls = (
        Matmul("mamba in", h, 2 * inner, "column"),
        Matmul("mamba step", inner, rank + 2 * state_size, "row"),
        Matmul("mamba step up", rank, inner, "column"),
        Matmul("mamba out", inner, h, "row"),
    )
    small = inner * (kernel + conv_bias) + inner + inner * state_size + inner
    small += norms * (rank + 2 * state_size) + bias * (2 * inner + h)
    return LayerPart(
        "mamba", matmuls, vectors=(Vector("convolution", 4.0 * inner, "tensor"), Vector("scan", 6.0 * inner, "tensor")),
        small=small, saved=5.0 * inner,
    )  # fmt: skip


def lightning_attention(h: int, *, num_heads: int, head_dim: int, extra: int = 0) -> LayerPart:
    """Return lightning attention (MiniMax-01): linear attention with a gate as wide as its output and a norm on it."""
    width = num_heads * head_dim
    matmuls = (
        Matmul("qkv", h, 3 * width, "column"),
        Matmul("output gate", h, width, "column"),
        Matmul("attention output", width, h, "row"),
    )
    return LayerPart(
        "lightning attention", matmuls, scans=(Recurrence(num_heads, head_dim, head_dim),),
        vectors=(Vector("gate", 3.0 * width, "tensor"),), small=width + extra, saved=5.0 * width,
    )  # fmt: skip


def short_convolution(h: int, *, kernel: int, bias: bool = False) -> LayerPart:
    """Return a gated short convolution (LFM2): three projections and a depthwise convolution over a few tokens."""
    matmuls = (Matmul("convolution in", h, 3 * h, "column"), Matmul("convolution out", h, h, "row"))
    return LayerPart(
        "short convolution", matmuls, vectors=(Vector("convolution", 6.0 * h, "tensor"),),
        small=h * (kernel + bias) + bias * 4 * h, saved=4.0 * h,
    )  # fmt: skip


def dense(h: int, *, width: int, gated: bool = True, bias: bool = False, layer_input: int = 0) -> LayerPart:
    """Return an MLP; gated ones have two input projections (SwiGLU).

    ``layer_input`` is the width of an embedding that each layer adds of its own (Gemma 4), with its projection and gate.
    """
    inputs = 2 if gated else 1
    return LayerPart(
        "MLP", (*_mlp(h, width, gated, "mlp"), *_layer_input(h, layer_input)), vectors=(_activation(width, gated, "mlp"),),
        small=(inputs * width + h if bias else 0), saved=(inputs + 1.0) * width,
    )  # fmt: skip


def experts(
    h: int, *, num_experts: int, top_k: int, width: int, gated: bool = True, bias: bool = False, shared_width: int = 0,
    shared_gate: bool = False, shared_gated: bool = True, router_bias: bool = False, latent: int = 0, zero_experts: int = 0,
    num_groups: int = 1, groups_per_token: int = 1, extra: int = 0, dense_width: int = 0, layer_input: int = 0,
) -> LayerPart:  # fmt: skip
    """Return a mixture of experts, ``top_k`` of ``num_experts`` MLPs for each token.

    ``shared_width`` is the total width of the experts that every token visits. ``zero_experts`` of the choices compute
    nothing (LongCat): of ``top_k`` a share num_experts / (num_experts + zero_experts) does. ``latent`` experts work on a
    projection of the hidden state to that width (Nemotron 3).
    """
    if num_experts < 1:
        raise FormatError(f"num_experts: expected at least 1 in a layer of experts, got {num_experts}")
    inner = latent or h
    routed = num_experts + zero_experts
    matmuls = [Matmul("router", h, routed, "none", high=True)]
    vectors: list[Vector] = []
    if shared_width:
        matmuls += _mlp(h, shared_width, gated, "shared")
        vectors.append(_activation(shared_width, gated, "shared"))
    if dense_width:
        matmuls += _mlp(h, dense_width, gated, "mlp")
        vectors.append(_activation(dense_width, gated, "mlp"))
    matmuls += _layer_input(h, layer_input)
    if latent:
        matmuls += [Matmul("latent down", h, latent, "none"), Matmul("latent up", latent, h, "none")]
    inputs = 2 if gated else 1
    routed_experts = ExpertOps(
        num_experts, top_k, _mlp(inner, width, gated, "expert"),
        (_activation(width, gated, "expert"), Vector("permute", 4.0 * inner, "tensor")),
        (num_groups, groups_per_token), bias=(inputs * width + inner if bias else 0), width=inner,
        computing=num_experts / routed,
    )  # fmt: skip
    shared_bias = bias * (inputs * shared_width + h) if shared_width else 0
    return LayerPart(
        "experts", tuple(matmuls), vectors=tuple(vectors), experts=routed_experts,
        small=(routed if router_bias else 0) + (h if shared_gate else 0) + extra + shared_bias,
        whole=h * routed + 2 * h * latent, saved=(inputs + 1.0) * (shared_width + dense_width),
    )  # fmt: skip


def _mlp(h: int, width: int, gated: bool, name: str) -> tuple[Matmul, ...]:
    inputs = 2 if gated else 1
    return Matmul(f"{name} in", h, inputs * width, "column"), Matmul(f"{name} out", width, h, "row")


def _layer_input(h: int, width: int) -> tuple[Matmul, ...]:
    if not width:
        return ()
    return (
        Matmul("layer input", h, width, "none"),
        Matmul("layer input gate", h, width, "none"),
        Matmul("layer input out", width, h, "none"),
    )


def _activation(width: int, gated: bool, name: str) -> Vector:
    return Vector(f"{name} activation", (3.0 if gated else 2.0) * width, "tensor")


MIXERS = {
    "attention": attention,
    "latent": latent_attention,
    "compressed": compressed_attention,
    "gated_delta_net": gated_delta_net,
    "delta_attention": delta_attention,
    "mamba2": mamba2,
    "mamba": mamba1,
    "lightning": lightning_attention,
    "short_convolution": short_convolution,
}
MLPS = {"dense": dense, "experts": experts}
