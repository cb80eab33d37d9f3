"""Mixers with a recurrence over the tokens, or a convolution: delta nets, Mamba, lightning attention.

Widths are whole, in elements; what tensor parallelism divides stands with each matmul. What all parts call alike:

* ``h``: the hidden size; ``num_heads``, ``head_dim``: heads of the recurrence, and width of one; ``num_key_value_heads``: of the
  attention beside it; ``mamba_heads``, ``mamba_head_dim``: of the recurrence, where attention stands beside it;
* ``num_key_heads``, ``num_value_heads``, ``key_head_dim``, ``value_head_dim``, ``key_dim``, ``value_dim``: the same of keys and
  of values; ``width``, ``inner``: of all heads or channels together;
* ``state_size``: width of the state of each channel; ``num_groups``: of heads that share keys; ``rank``: width of the step's
  projection; ``kernel``: tokens of the convolution before it; ``low_rank``: gates are projections by way of one head's width;
* ``bias``, ``conv_bias``, ``qkv_bias``, ``output_bias``: of all projections, of the convolution, of queries, keys and values, of
  the output; ``norm``: one on the output; ``extra``: further parameters, in no matrix.
"""

from __future__ import annotations

from tianji.workload.attention_parts import attention
from tianji.workload.layer_part import LayerPart
from tianji.workload.ops import Matmul, Recurrence, Vector


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
        saved=2.0 * (2 * keys + values) + 2.0 * values, heads=(num_key_heads,),
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
    bias: bool = False, norm: bool = True,
) -> LayerPart:  # fmt: skip
    """Return a Mamba-2 mixer (Dao and Gu 2024): a state of head_dim by state_size for each head; a norm on the gated output."""
    inner, states = num_heads * head_dim, 2 * num_groups * state_size
    matmuls = (
        Matmul("mamba in", h, 2 * inner + states + num_heads, "column"),
        Matmul("mamba out", inner, h, "row"),
    )
    small = (inner + states) * (kernel + conv_bias) + 3 * num_heads + norm * inner
    small += bias * (2 * inner + states + num_heads + h)
    return LayerPart(
        "mamba-2", matmuls, scans=(Recurrence(num_heads, state_size, head_dim),),
        vectors=(Vector("convolution", 2.0 * (inner + states), "tensor"), Vector("gate", 3.0 * inner, "tensor")),
        small=small, saved=2.0 * (inner + states) + 2.0 * inner, groups=(num_groups,),
    )  # fmt: skip


def attention_mamba2(
    h: int, *, num_heads: int, num_key_value_heads: int, head_dim: int, mamba_heads: int, mamba_head_dim: int, state_size: int,
    num_groups: int, kernel: int, conv_bias: bool = True, bias: bool = False, norm: bool = True, qkv_bias: bool = False,
    output_bias: bool = False,
) -> LayerPart:  # fmt: skip
    """Return attention and a Mamba-2 mixer side by side on the same input (Falcon-H1)."""
    one = attention(
        h, num_heads=num_heads, num_key_value_heads=num_key_value_heads, head_dim=head_dim, qkv_bias=qkv_bias,
        output_bias=output_bias,
    )  # fmt: skip
    other = mamba2(
        h, num_heads=mamba_heads, head_dim=mamba_head_dim, state_size=state_size, num_groups=num_groups, kernel=kernel,
        conv_bias=conv_bias, bias=bias, norm=norm,
    )  # fmt: skip
    return LayerPart(
        "attention beside mamba-2", one.matmuls + other.matmuls, one.attention, other.scans,
        vectors=(*one.vectors, *other.vectors, Vector("sum", 3.0 * h, "sequence")), small=one.small + other.small,
        whole=one.whole + other.whole, saved=one.saved + other.saved, groups=other.groups,
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


def rwkv(h: int, *, width: int, head_dim: int, extra: int = 0) -> LayerPart:
    """Return an RWKV layer's time mixing (Peng et al. 2023, 2024): five projections, a state of head_dim by head_dim a head."""
    matmuls = (Matmul("time mixing", h, 4 * width, "column"), Matmul("time output", width, h, "row"))
    return LayerPart(
        "rwkv", matmuls, scans=(Recurrence(width // head_dim, head_dim, head_dim),),
        vectors=(Vector("token shift", 8.0 * h, "sequence"), Vector("gate", 3.0 * width, "tensor")), small=extra,
        saved=7.0 * width,
    )  # fmt: skip


def mlstm(h: int, *, num_heads: int, key_dim: int, value_dim: int, bias: bool = False) -> LayerPart:
    """Return an mLSTM cell (Beck et al. 2024): a matrix memory for each head, gates of one value a head, an output gate."""
    keys, values = num_heads * key_dim, num_heads * value_dim
    matmuls = (
        Matmul("mlstm qkv", h, 2 * keys + values, "column"),
        Matmul("output gate", h, values, "column"),
        Matmul("cell gates", h, 2 * num_heads, "column"),
        Matmul("mlstm output", values, h, "row"),
    )
    return LayerPart(
        "mlstm", matmuls, scans=(Recurrence(num_heads, key_dim, value_dim),), vectors=(Vector("gate", 3.0 * values, "tensor"),),
        small=2 * num_heads + values + bias * (2 * keys + 2 * values + h), saved=2.0 * keys + 4.0 * values,
    )  # fmt: skip


def channel_recurrence(
    h: int, *, width: int, inputs: int, gate_blocks: int = 0, kernel: int = 0, bias: bool = False, extra: int = 0
) -> LayerPart:
    """Return a linear recurrence of each channel by itself: RWKV-4 (Peng et al. 2023), Griffin (De et al. 2024).

    ``inputs`` projections of width ``width`` go in. With ``gate_blocks`` decay and input have gates, matrices of so many blocks
    on the diagonal; with ``kernel`` a convolution over so many tokens comes before.
    """
    gates = (Matmul("recurrence gates", width // gate_blocks, 2 * width, "column"),) if gate_blocks else ()
    matmuls = (
        Matmul("recurrence in", h, inputs * width, "column"),
        *gates,
        Matmul("recurrence out", width, h, "row"),
    )
    small = extra + bias * (inputs * width + h) + (kernel + 1) * width * (kernel > 0) + 3 * width * (gate_blocks > 0)
    return LayerPart(
        "channel recurrence", matmuls,
        vectors=(Vector("convolution", 2.0 * width, "tensor"), Vector("scan", 6.0 * width, "tensor")), small=small,
        saved=(inputs + 3.0) * width, heads=(gate_blocks,) if gate_blocks else (),
    )  # fmt: skip
