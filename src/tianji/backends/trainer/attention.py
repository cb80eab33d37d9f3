"""Mixers with softmax attention: grouped-query, in a window or not, and latent.

Each takes the sizes of its kind in the model's description by their names (:mod:`tianji.workload.attention_parts`). Tensors are
(batch, sequence, width); under tensor parallelism a rank holds some of the heads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Partial, Replicate

from tianji.backends.first_weights import EPSILON, ROTARY_BASE
from tianji.backends.trainer.context_parallel import SequenceCut


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
    """Grouped-query attention; with fewer key-value heads than tensor ranks, each rank picks the heads it needs.

    A ``window`` of tokens bounds what each sees, itself included (0: all before it). The gate ``element`` (Qwen3-Next) is a
    sigmoid as wide as the output.
    """

    rates: Tensor | None

    def __init__(
        self, hidden: int, cut: SequenceCut, *, num_heads: int, num_key_value_heads: int, head_dim: int, window: int = 0,
        qkv_bias: bool = False, output_bias: bool = False, qk_norm: str = "", gate: str = "",
    ) -> None:  # fmt: skip
        super().__init__()
        self.head_dim, self.window, self.cut, self.num_key_value_heads = head_dim, window, cut, num_key_value_heads
        bias, width, pairs = bool(qkv_bias), num_heads * head_dim, num_key_value_heads * head_dim
        self.wq = nn.Linear(hidden, width, bias=bias)
        self.wk = nn.Linear(hidden, pairs, bias=bias)
        self.wv = nn.Linear(hidden, pairs, bias=bias)
        self.wo = nn.Linear(width, hidden, bias=bool(output_bias))
        self.wg = nn.Linear(hidden, width, bias=bias) if gate else None
        self.q_norm = nn.RMSNorm(head_dim, eps=EPSILON) if qk_norm else nn.Identity()
        self.k_norm = nn.RMSNorm(head_dim, eps=EPSILON) if qk_norm else nn.Identity()
        self.register_buffer("rates", None, persistent=False)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return the attention's part of the stream."""
        q, k, v = (_own_heads(w(x), self.head_dim) for w in (self.wq, self.wk, self.wv))
        q, k = (rotate(x, positions, self.rates) for x in (self.q_norm(q), self.k_norm(k)))
        out = self.cut.attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), self.window)
        out = out.transpose(1, 2).flatten(2)
        return self.wo(out if self.wg is None else out * torch.sigmoid(self.wg(x)))


def _own_heads(x: Tensor, head_dim: int) -> Tensor:
    """Return this rank's heads of (batch, sequence, heads · dim); where ranks outnumber the heads, the one of them it uses."""
    if not isinstance(x, DTensor):
        return x.unflatten(-1, (-1, head_dim))
    heads = x.to_local(grad_placements=[Partial()]).unflatten(-1, (-1, head_dim))
    head = x.device_mesh.get_local_rank() * heads.shape[2] // x.device_mesh.size()
    return heads[:, :, head : head + 1]


class LatentAttention(nn.Module):
    """Multi-head latent attention: queries, keys and values are expanded from low-rank latents (DeepSeek-V2)."""

    def __init__(
        self, hidden: int, cut: SequenceCut, *, num_heads: int, kv_lora_rank: int, qk_nope_head_dim: int,
        qk_rope_head_dim: int, v_head_dim: int, q_lora_rank: int = 0, window: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.cut, self.window = cut, window
        self.key_sizes = (qk_nope_head_dim, qk_rope_head_dim)
        self.expanded_sizes, self.latent_sizes = (qk_nope_head_dim, v_head_dim), (kv_lora_rank, qk_rope_head_dim)
        self.q_down = nn.Linear(hidden, q_lora_rank, bias=False) if q_lora_rank else nn.Identity()
        self.q_norm = nn.RMSNorm(q_lora_rank, eps=EPSILON) if q_lora_rank else nn.Identity()
        self.q_up = nn.Linear(q_lora_rank or hidden, num_heads * sum(self.key_sizes), bias=False)
        self.kv_down = nn.Linear(hidden, sum(self.latent_sizes), bias=False)
        self.kv_norm = nn.RMSNorm(kv_lora_rank, eps=EPSILON)
        self.kv_up = nn.Linear(kv_lora_rank, num_heads * sum(self.expanded_sizes), bias=False)
        self.wo = nn.Linear(num_heads * v_head_dim, hidden, bias=False)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return the attention's part of the stream."""
        q = self.q_up(self.q_norm(self.q_down(x))).unflatten(-1, (-1, sum(self.key_sizes)))
        latent, shared = self.kv_down(x).split(self.latent_sizes, dim=-1)
        expanded = self.kv_up(self.kv_norm(latent)).unflatten(-1, (-1, sum(self.expanded_sizes)))
        k, v = expanded.split(self.expanded_sizes, dim=-1)
        q_plain, q_rotary = q.split(self.key_sizes, dim=-1)
        k_rotary = rotate(_whole(shared).unsqueeze(2), positions).expand(-1, -1, k.shape[2], -1)
        q = torch.cat((q_plain, rotate(q_rotary, positions)), dim=-1)
        k = torch.cat((k, k_rotary), dim=-1)
        out = self.cut.attend(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), self.window)
        return self.wo(out.transpose(1, 2).flatten(2))


def _whole(x: Tensor) -> Tensor:
    """Return all tokens of a tensor that every rank's heads use in part: their gradients are summed."""
    if not isinstance(x, DTensor):
        return x
    return x.redistribute(placements=[Replicate()]).to_local(grad_placements=[Partial()])
