"""Parts of a layer by the names of their kinds: how tokens see each other (mixers), and what each goes through alone (MLPs)."""

from __future__ import annotations

from tianji.workload.attention_parts import (
    attention,
    compressed_attention,
    cross_attention,
    expert_attention,
    latent_attention,
    source_attention,
)
from tianji.workload.layer_part import LayerPart
from tianji.workload.mlp_parts import dense, experts, linear
from tianji.workload.recurrent_parts import (
    attention_mamba2,
    channel_recurrence,
    delta_attention,
    gated_delta_net,
    lightning_attention,
    mamba1,
    mamba2,
    mlstm,
    rwkv,
    short_convolution,
)
from tianji.workload.traced_parts import traced

__all__ = ["MIXERS", "MLPS", "LayerPart"]

MIXERS = {
    "attention": attention,
    "cross_attention": cross_attention,
    "source_attention": source_attention,
    "latent": latent_attention,
    "compressed": compressed_attention,
    "gated_delta_net": gated_delta_net,
    "delta_attention": delta_attention,
    "mamba2": mamba2,
    "attention_mamba2": attention_mamba2,
    "expert_attention": expert_attention,
    "mamba": mamba1,
    "lightning": lightning_attention,
    "short_convolution": short_convolution,
    "rwkv": rwkv,
    "channel_recurrence": channel_recurrence,
    "mlstm": mlstm,
    "linear": linear,
    "traced": traced,
}
MLPS = {"dense": dense, "experts": experts, "linear": linear}
