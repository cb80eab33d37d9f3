"""The model of a job: a decoder-only transformer with the shapes that its ``config.json`` gives.

Tensors are (batch, sequence, width); under tensor parallelism a rank's attention holds some of the heads, and under sequence
parallelism the stream between the layers holds some of the tokens. What shapes no cost stands at the usual values, unless
first weights come from a file: rotary base 10,000, norm epsilon 1e-6, weights drawn with a deviation of 0.02.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Partial, Replicate
from torch.nn import functional

from tianji.backends.first_weights import EPSILON, ROTARY_BASE, FirstWeights
from tianji.backends.trainer.moe import MixtureOfExperts, SwiGLU
from tianji.workload import Model

DEVIATION = 0.02

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Causal attention over the whole sequence, of which this rank may hold a part: q, k, v of (batch, heads, sequence, dim)."""


def rotate(x: Tensor, positions: Tensor, rates: Tensor | None = None) -> Tensor:
    """Return x of (batch, sequence, heads, dim) with rotary positions applied to all of dim.

    ``rates`` are the radians that each of the dim / 2 pairs turns by a position; None: those of the usual base.
    """
    half = x.shape[-1] // 2
    if rates is None:
        rates = ROTARY_BASE ** (-torch.arange(half, device=x.device, dtype=torch.float32) / half)
    angles = (positions.float()[:, None] * rates)[None, :, None, :]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., :half], x[..., half:]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class SelfAttention(nn.Module):
    """Grouped-query attention; with fewer key-value heads than tensor ranks, each rank picks the heads it needs."""

    rates: Tensor | None

    def __init__(self, model: Model, attend: Attend) -> None:
        super().__init__()
        h, d = model.hidden_size, model.head_dim
        self.head_dim, self.attend, self.num_key_value_heads = d, attend, model.num_key_value_heads
        self.wq = nn.Linear(h, model.num_attention_heads * d, bias=model.qkv_bias)
        self.wk = nn.Linear(h, model.num_key_value_heads * d, bias=model.qkv_bias)
        self.wv = nn.Linear(h, model.num_key_value_heads * d, bias=model.qkv_bias)
        self.wo = nn.Linear(model.num_attention_heads * d, h, bias=model.output_bias)
        self.q_norm = nn.RMSNorm(d, eps=EPSILON) if model.qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(d, eps=EPSILON) if model.qk_norm else nn.Identity()
        self.register_buffer("rates", None, persistent=False)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return the attention's part of the stream."""
        q, k, v = (_own_heads(w(x), self.head_dim) for w in (self.wq, self.wk, self.wv))
        q, k = (rotate(x, positions, self.rates) for x in (self.q_norm(q), self.k_norm(k)))
        out = self.attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return self.wo(out.transpose(1, 2).flatten(2))


def _own_heads(x: Tensor, head_dim: int) -> Tensor:
    """Return this rank's heads of (batch, sequence, heads · dim); where ranks outnumber the heads, the one of them it uses."""
    if not isinstance(x, DTensor):
        return x.unflatten(-1, (-1, head_dim))
    heads = x.to_local(grad_placements=[Partial()]).unflatten(-1, (-1, head_dim))
    head = x.device_mesh.get_local_rank() * heads.shape[2] // x.device_mesh.size()
    return heads[:, :, head : head + 1]


class LatentAttention(nn.Module):
    """Multi-head latent attention: queries, keys and values are expanded from low-rank latents (DeepSeek-V2)."""

    def __init__(self, model: Model, attend: Attend) -> None:
        super().__init__()
        if model.mla is None:
            raise ValueError("the model has no latent attention")
        a, h, heads = model.mla, model.hidden_size, model.num_attention_heads
        self.sizes, self.attend = a, attend
        if a.q_lora_rank:
            self.q_down = nn.Linear(h, a.q_lora_rank, bias=False)
            self.q_norm = nn.RMSNorm(a.q_lora_rank, eps=EPSILON)
        self.q_up = nn.Linear(a.q_lora_rank or h, model.query_size, bias=False)
        self.kv_down = nn.Linear(h, a.kv_lora_rank + a.qk_rope_head_dim, bias=False)
        self.kv_norm = nn.RMSNorm(a.kv_lora_rank, eps=EPSILON)
        self.kv_up = nn.Linear(a.kv_lora_rank, heads * (a.qk_nope_head_dim + a.v_head_dim), bias=False)
        self.wo = nn.Linear(model.value_size, h, bias=False)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return the attention's part of the stream."""
        a = self.sizes
        q = self.q_up(self.q_norm(self.q_down(x)) if a.q_lora_rank else x)
        q = q.unflatten(-1, (-1, a.qk_nope_head_dim + a.qk_rope_head_dim))
        latent, shared = self.kv_down(x).split((a.kv_lora_rank, a.qk_rope_head_dim), dim=-1)
        expanded = self.kv_up(self.kv_norm(latent)).unflatten(-1, (-1, a.qk_nope_head_dim + a.v_head_dim))
        k, v = expanded.split((a.qk_nope_head_dim, a.v_head_dim), dim=-1)
        q_plain, q_rotary = q.split((a.qk_nope_head_dim, a.qk_rope_head_dim), dim=-1)
        k_rotary = rotate(_whole(shared).unsqueeze(2), positions).expand(-1, -1, k.shape[2], -1)
        q = torch.cat((q_plain, rotate(q_rotary, positions)), dim=-1)
        k = torch.cat((k, k_rotary), dim=-1)
        out = self.attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return self.wo(out.transpose(1, 2).flatten(2))


def _whole(x: Tensor) -> Tensor:
    """Return all tokens of a tensor that every rank's heads use in part: their gradients are summed."""
    if not isinstance(x, DTensor):
        return x
    return x.redistribute(placements=[Replicate()]).to_local(grad_placements=[Partial()])


class TransformerLayer(nn.Module):
    """One transformer layer: attention and MLP, each behind a norm and beside the stream."""

    def __init__(self, model: Model, index: int, attend: Attend) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(model.hidden_size, eps=EPSILON)
        self.attention: nn.Module = (LatentAttention if model.mla else SelfAttention)(model, attend)
        self.mlp_norm = nn.RMSNorm(model.hidden_size, eps=EPSILON)
        self.mlp: nn.Module
        if model.moe and has_experts(model, index):
            self.mlp = MixtureOfExperts(model.hidden_size, model.moe)
        else:
            self.mlp = SwiGLU(model.hidden_size, model.intermediate_size, gated=model.gated_mlp, bias=model.mlp_bias)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return the stream after this layer."""
        x = x + self.attention(self.attention_norm(x), positions)
        return x + self.mlp(self.mlp_norm(x))


class Transformer(nn.Module):
    """Consecutive layers of a model; the first stage has the token table too, and the last the head."""

    def __init__(
        self, model: Model, layers: Iterable[int], positions: Tensor, attend: Attend, *, embed: bool, predict: bool
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(model.vocab_size, model.hidden_size) if embed else None
        self.layers = nn.ModuleDict({str(i): TransformerLayer(model, i, attend) for i in layers})
        self.norm = nn.RMSNorm(model.hidden_size, eps=EPSILON) if predict else None
        self.head = nn.Linear(model.hidden_size, model.vocab_size, bias=False) if predict else None
        self.register_buffer("positions", positions, persistent=False)

    def named_layers(self) -> list[tuple[str, TransformerLayer]]:
        """Return the layers by their number in the whole model."""
        return [(name, cast(TransformerLayer, layer)) for name, layer in self.layers.items()]

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (or the stream, from a stage that is not the last) of tokens (or the stream)."""
        if self.embedding is not None:
            x = self.embedding(x)
        for layer in self.layers.values():
            x = layer(x, self.positions)
        return x if self.head is None or self.norm is None else self.head(self.norm(x))


def has_experts(model: Model, index: int) -> bool:
    """Return whether a layer's MLP is a mixture of experts."""
    if model.moe is None:
        return False
    after = index - model.moe.num_leading_dense
    return after >= 0 and (after + 1) % model.moe.layer_step == 0


@torch.no_grad()
def draw_weights(part: nn.Module, seed: int) -> None:
    """Fill a part's weights with values that depend on the seed and each weight's name, so on no cut at all."""
    for name, weight in part.named_parameters():
        if weight.ndim == 1:
            weight.fill_(0.0 if name.endswith("bias") else 1.0)
            continue
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) ^ seed)
        weight.copy_(torch.randn(weight.shape, generator=generator) * DEVIATION)


@torch.no_grad()
def carry_weights(part: nn.Module, first: FirstWeights) -> None:
    """Fill a part's weights from a file, and give it the file's settings."""
    for name, weight in part.named_parameters():
        if name in first.arrays:  # A tied head takes the embedding's later.
            weight.copy_(torch.from_numpy(np.ascontiguousarray(first.arrays[name], np.float32)))
    for module in part.modules():
        if isinstance(module, nn.RMSNorm):
            module.eps = first.norm_epsilon
        elif isinstance(module, SelfAttention) and first.rotary_rates is not None:
            module.rates = torch.from_numpy(first.rotary_rates.copy())


def loss_of(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross entropy of this rank's tokens; logits may be cut over the vocabulary."""
    return functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(0, 1))
