"""Mixers with softmax attention: grouped, latent, compressed, of chosen experts.

Widths are whole, in elements; what tensor parallelism divides stands with each matmul. What all parts call alike:

* ``h``: the hidden size; ``num_heads``, ``num_key_value_heads``: heads of queries, and of keys and values;
* ``head_dim``, ``v_head_dim``: width of a head of queries and keys, and of values (0: as that of keys);
* ``q_lora_rank``, ``kv_lora_rank``: widths of the latents of queries, and of keys and values; ``qk_nope_head_dim`` and
  ``qk_rope_head_dim``: the part of a head without and with positions; ``out_groups`` and ``out_lora_rank``: groups of heads that
  are projected to a latent each, before the output;
* ``window``, ``selected``: tokens that the context is bound to, and keys that an indexer of ``index_heads`` of ``index_size``
  chooses (0: all); ``index_source``: width of the indexer's input (0: the latent of queries);
* ``qkv_bias``, ``output_bias``, ``down_bias``, ``bias``: of the projections to queries, keys and values, of the output, of
  those to latents, of all; ``sinks``: one learned score a head; ``bidirectional``: tokens see those after them;
* ``source_width``, ``source_tokens``: of the other sequence; ``num_experts``: groups of heads to choose from;
* ``qk_norm``: of queries and keys, as :func:`attention` has it; ``extra``: further parameters, in no matrix.
"""

from __future__ import annotations

from tianji.workload.layer_part import LayerPart
from tianji.workload.ops import AttentionOp, Matmul, Role, Vector


def attention(
    h: int, *, num_heads: int, num_key_value_heads: int, head_dim: int, v_head_dim: int = 0, window: int = 0,
    qkv_bias: bool = False, output_bias: bool = False, qk_norm: str = "", gate: str = "", sinks: bool = False,
    shared_keys: bool = False, values_are_keys: bool = False, extra: int = 0, selected: int = 0,
    index_heads: int = 0, index_size: int = 0, bidirectional: bool = False, input_width: int = 0,
) -> LayerPart:  # fmt: skip
    """Return grouped-query attention; ``window`` tokens bound the context (0: all of it).

    ``input_width`` is that of its input (0: the hidden size): Zamba's is the hidden state beside the embedding.

    ``qk_norm``: ``head`` (one norm of head_dim for queries, one for keys), ``each`` (one for each head), ``whole`` (over all
    heads together). ``gate``: ``element`` (a gate as wide as the output), ``head`` (one value for each head). Layers with
    ``shared_keys`` use another layer's keys and values; with ``values_are_keys`` keys serve as values.
    """
    d, v = head_dim, v_head_dim or head_dim
    query, keys, values = num_heads * d, num_key_value_heads * d, num_key_value_heads * v
    out = num_heads * v
    made = (0 if shared_keys else keys) + (0 if shared_keys or values_are_keys else values)
    gates = {"element": out, "head": num_heads}.get(gate, 0)
    matmuls = [
        Matmul("qkv", input_width or h, query + made + gates, "column", role=Role.PROJECTION),
        Matmul("attention output", out, h, "row", role=Role.ATTENTION_OUTPUT),
    ]
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
    scores = AttentionOp(num_heads, num_key_value_heads, d, v, bound, causal=not bidirectional)
    return LayerPart(
        "attention", tuple(matmuls), (scores,), vectors=(Vector("positions", 2.0 * (query + keys), "tensor"),),
        small=small, whole=d * (1 + key_norms) if qk_norm == "head" else 0, saved=query + keys + values + out + gates,
    )  # fmt: skip


def source_attention(
    h: int, *, num_heads: int, num_key_value_heads: int, head_dim: int, qkv_bias: bool = False, output_bias: bool = False,
    qk_norm: str = "", source_width: int = 0, source_tokens: int = 0, extra: int = 0,
) -> LayerPart:  # fmt: skip
    """Return attention to another sequence alone (the cross-attention layers of Llama 3.2 Vision).

    The other sequence has ``source_tokens`` of width ``source_width`` (0: as many, and as wide, as the own); its keys and values
    are computed in this layer. Under a context cut each rank has all of them.
    """
    query, keys = num_heads * head_dim, num_key_value_heads * head_dim
    matmuls = (
        Matmul("cross query", h, query, "column", role=Role.PROJECTION),
        Matmul("cross keys", source_width or h, 2 * keys, "column", role=Role.PROJECTION, tokens=source_tokens),
        Matmul("cross output", query, h, "row", role=Role.ATTENTION_OUTPUT),
    )
    norms = {"head": 2 * head_dim, "whole": query + keys}.get(qk_norm, 0)
    small = norms + (query + 2 * keys if qkv_bias else 0) + (h if output_bias else 0) + extra
    scores = AttentionOp(num_heads, num_key_value_heads, head_dim, head_dim, causal=False, source=source_tokens)
    return LayerPart(
        "attention",
        matmuls,
        (scores,),
        small=small,
        whole=norms if qk_norm == "head" else 0,
        saved=2.0 * (query + keys),
    )


def cross_attention(
    h: int, *, num_heads: int, num_key_value_heads: int, head_dim: int, qkv_bias: bool = False, output_bias: bool = False,
    qk_norm: str = "", bidirectional: bool = False, source_width: int = 0, source_tokens: int = 0, extra: int = 0,
    window: int = 0,
) -> LayerPart:  # fmt: skip
    """Return attention to the own sequence and, after it, to another (Vaswani et al. 2017, section 3.2.3)."""
    own = attention(
        h, num_heads=num_heads, num_key_value_heads=num_key_value_heads, head_dim=head_dim, qkv_bias=qkv_bias,
        output_bias=output_bias, qk_norm=qk_norm, bidirectional=bidirectional, extra=extra, window=window,
    )  # fmt: skip
    other = source_attention(
        h, num_heads=num_heads, num_key_value_heads=num_key_value_heads, head_dim=head_dim, qkv_bias=qkv_bias,
        output_bias=output_bias, qk_norm=qk_norm, source_width=source_width, source_tokens=source_tokens,
    )  # fmt: skip
    return LayerPart(
        "attention", own.matmuls + other.matmuls, own.attention + other.attention, vectors=own.vectors,
        small=own.small + other.small, whole=own.whole + other.whole, saved=own.saved + other.saved,
    )  # fmt: skip


def latent_attention(
    h: int, *, num_heads: int, kv_lora_rank: int, qk_nope_head_dim: int, qk_rope_head_dim: int, v_head_dim: int,
    q_lora_rank: int = 0, window: int = 0, bias: bool = False, gate: str = "", selected: int = 0,
    index_heads: int = 0, index_size: int = 0, index_source: int = 0, index_pool: int = 1, extra: int = 0,
    down_bias: bool = False, latent_gate: bool = False,
) -> LayerPart:  # fmt: skip
    """Return multi-head latent attention (DeepSeek-V2); ``q_lora_rank`` 0 means a full query projection.

    With ``latent_gate`` queries, and a gate as wide as the output, are made of the latent before and after its norm (A.X-K2).

    With ``index_heads`` an indexer picks ``selected`` tokens for each query (DeepSeek-V3.2's sparse attention), from
    keys of ``index_pool`` tokens at a time (GLM-5.3-Flash).
    """
    qk = qk_nope_head_dim + qk_rope_head_dim
    query, out = num_heads * qk, num_heads * v_head_dim
    latents = q_lora_rank + kv_lora_rank
    matmuls = [
        *(
            (
                Matmul("q down", h, q_lora_rank, "none", role=Role.PROJECTION),
                Matmul(
                    "q up", (1 + latent_gate) * q_lora_rank, query + latent_gate * out, "column", role=Role.EXPANSION
                ),
            )
            if q_lora_rank
            else (Matmul("q", h, query, "column", role=Role.PROJECTION),)
        ),
        Matmul("kv down", h, kv_lora_rank + qk_rope_head_dim, "none", role=Role.PROJECTION),
        Matmul("kv up", kv_lora_rank, num_heads * (qk_nope_head_dim + v_head_dim), "column", role=Role.EXPANSION),
        Matmul("attention output", out, h, "row", role=Role.ATTENTION_OUTPUT),
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
    if index_heads and index_pool > 1:
        matmuls.append(Matmul("indexer pool", h, index_size, "none"))
        small += index_pool * index_size
    bound = min(x for x in (window, selected) if x) if window or selected else 0
    scores = [AttentionOp(num_heads, num_heads, qk, v_head_dim, bound)]
    if index_heads:
        scores.append(AttentionOp(index_heads, 1, index_size, 0, ratio=index_pool))
    down = h * (latents + qk_rope_head_dim)
    return LayerPart(
        "latent attention", tuple(matmuls), tuple(scores),
        vectors=(Vector("positions", 2.0 * num_heads * qk_rope_head_dim, "tensor"),),
        small=small, whole=down + latents, saved=2.0 * query + (2.0 + latent_gate) * out,
        saved_whole=latents + qk_rope_head_dim,
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


def expert_attention(
    h: int, *, num_heads: int, num_key_value_heads: int, head_dim: int, num_experts: int, top_k: int
) -> LayerPart:
    """Return a mixture of attention heads (JetMoe): queries and outputs by the chosen experts, keys and values shared.

    A token's ``top_k`` experts give ``num_heads`` query heads, num_heads / top_k each. Every rank holds all experts: an expert
    cut of attention is not priced.
    """
    query, keys = num_heads * head_dim, num_key_value_heads * head_dim
    matmuls = (
        Matmul("router", h, num_experts, "none", high=True, role=Role.ROUTER),
        Matmul("qkv", h, query + 2 * keys, "column", role=Role.PROJECTION),
        Matmul("attention output", query, h, "row", role=Role.ATTENTION_OUTPUT),
    )
    idle = (num_experts - top_k) * 2 * h * (query // top_k)
    return LayerPart(
        "expert attention", matmuls, (AttentionOp(num_heads, num_key_value_heads, head_dim, head_dim),),
        vectors=(Vector("positions", 2.0 * (query + keys), "tensor"),), small=idle + h, whole=h * num_experts,
        saved=2.0 * query + 2.0 * keys, idle=idle,
    )  # fmt: skip
