"""Mixers with a recurrence: the gated delta net, Mamba-2 and lightning attention.

Each takes the sizes of its kind in the model's description by their names (:mod:`tianji.workload.recurrent_parts`). Projections
that libraries store as one matrix are apart here, so that each is cut by whole heads; their sizes add up to the description's.
Under tensor parallelism all but the output projection has this rank's heads.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed.tensor import DTensor, Partial
from torch.nn import functional

from tianji.backends.first_weights import EPSILON
from tianji.backends.trainer.context_parallel import SequenceCut
from tianji.backends.trainer.recurrence import preceding, scan, sum_over


class RecurrentMixer(nn.Module):
    """What tensor parallelism must know of a mixer with a recurrence."""

    group: ProcessGroup | None = None
    """The ranks that share out its heads; None: all of them are here."""
    columns: ClassVar[tuple[str, ...]]
    """Its projections from the hidden size; the output projection is ``wo``."""
    shared: ClassVar[tuple[str, ...]] = ()
    """Its own weights that all heads use; the others have a row for each head or channel."""

    def own(self, name: str) -> Tensor:
        """Return this rank's part of one of the mixer's own weights; ranks sum the gradients of a shared one."""
        weight: Tensor = getattr(self, name)
        if not isinstance(weight, DTensor):
            return weight
        return weight.to_local(grad_placements=[Partial()]) if name in self.shared else weight.to_local()


class GatedDeltaNet(RecurrentMixer):
    """A gated delta net (Yang et al. 2024) as Qwen3-Next has it: short convolutions, unit keys, and a norm gated by z."""

    columns = ("wq", "wk", "wv", "wz", "wb", "wa")
    shared = ("norm",)

    def __init__(
        self, hidden: int, cut: SequenceCut, *, num_key_heads: int, num_value_heads: int, key_head_dim: int,
        value_head_dim: int, kernel: int,
    ) -> None:  # fmt: skip
        super().__init__()
        keys, values = num_key_heads * key_head_dim, num_value_heads * value_head_dim
        self.cut, self.key_head_dim, self.value_head_dim = cut, key_head_dim, value_head_dim
        self.wq, self.wk = (nn.Linear(hidden, keys, bias=False) for _ in range(2))
        self.wv, self.wz = (nn.Linear(hidden, values, bias=False) for _ in range(2))
        self.wb, self.wa = (nn.Linear(hidden, num_value_heads, bias=False) for _ in range(2))
        self.wo = nn.Linear(values, hidden, bias=False)
        self.q_conv, self.k_conv = (nn.Parameter(torch.empty(keys, kernel)) for _ in range(2))
        self.v_conv = nn.Parameter(torch.empty(values, kernel))
        self.log_rate, self.step_offset = (nn.Parameter(torch.empty(num_value_heads)) for _ in range(2))
        self.norm = nn.Parameter(torch.empty(value_head_dim))

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return the mixer's part of the stream; positions are said by the order of the tokens alone."""
        q, k, v = (
            functional.silu(convolve(w(x), self.own(name), None, self.cut)).unflatten(-1, (-1, width)).transpose(1, 2)
            for w, name, width in (
                (self.wq, "q_conv", self.key_head_dim),
                (self.wk, "k_conv", self.key_head_dim),
                (self.wv, "v_conv", self.value_head_dim),
            )
        )
        q, k = (_unit(y.float()).repeat_interleave(v.shape[1] // y.shape[1], dim=1) for y in (q, k))
        beta = torch.sigmoid(self.wb(x)).transpose(1, 2)
        decay = _decay(self.wa(x), self.own("log_rate"), self.own("step_offset"))[1].transpose(1, 2)
        out = scan(q * self.key_head_dim**-0.5, k, v, decay, beta, self.cut).transpose(1, 2).to(x.dtype)
        out = functional.rms_norm(out, out.shape[-1:], self.own("norm"), EPSILON)
        gate = self.wz(x).unflatten(-1, (-1, self.value_head_dim))
        return self.wo((out * functional.silu(gate)).flatten(2))


class Mamba2(RecurrentMixer):
    """A Mamba-2 mixer (Dao and Gu 2024); its norm is over each group's gated channels, as under tensor parallelism there.

    Heads of one group have B and C in common, the input's way into the state and out of it.
    """

    columns = ("wz", "wx", "wb", "wc", "wa")

    def __init__(
        self, hidden: int, cut: SequenceCut, *, num_heads: int, head_dim: int, state_size: int, num_groups: int, kernel: int,
        conv_bias: bool = True, bias: bool = False, norm: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        inner, states = num_heads * head_dim, num_groups * state_size
        self.cut, self.head_dim, self.state_size, self.has_conv_bias = cut, head_dim, state_size, bool(conv_bias)
        self.wz, self.wx = (nn.Linear(hidden, inner, bias=bool(bias)) for _ in range(2))
        self.wb, self.wc = (nn.Linear(hidden, states, bias=bool(bias)) for _ in range(2))
        self.wa = nn.Linear(hidden, num_heads, bias=bool(bias))
        self.wo = nn.Linear(inner, hidden, bias=bool(bias))
        for name, width in (("x", inner), ("b", states), ("c", states)):
            self.register_parameter(f"{name}_conv", nn.Parameter(torch.empty(width, kernel)))
            if conv_bias:
                self.register_parameter(f"{name}_conv_bias", nn.Parameter(torch.empty(width)))
        self.log_rate, self.step_offset, self.skip = (nn.Parameter(torch.empty(num_heads)) for _ in range(3))
        self.norm = nn.Parameter(torch.empty(inner)) if norm else None

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return the mixer's part of the stream; positions are said by the order of the tokens alone."""
        inputs = self._convolved(self.wx(x), "x").unflatten(-1, (-1, self.head_dim))
        b, c = (
            self._convolved(w(x), name).unflatten(-1, (-1, self.state_size))
            for w, name in ((self.wb, "b"), (self.wc, "c"))
        )
        num_groups = b.shape[2]
        b, c = (y.repeat_interleave(inputs.shape[2] // num_groups, dim=2).transpose(1, 2) for y in (b, c))
        step, decay = _decay(self.wa(x), self.own("log_rate"), self.own("step_offset"))
        values = (inputs.float() * step.unsqueeze(-1)).transpose(1, 2)
        out = scan(c, b, values, decay.transpose(1, 2), None, self.cut).transpose(1, 2)
        out = (out + inputs * self.own("skip").unsqueeze(-1)).to(x.dtype).flatten(2) * functional.silu(self.wz(x))
        if self.norm is not None:
            groups = out.unflatten(-1, (num_groups, -1))
            out = functional.rms_norm(groups, groups.shape[-1:], eps=EPSILON).flatten(2) * self.own("norm")
        return self.wo(out)

    def _convolved(self, x: Tensor, name: str) -> Tensor:
        bias = self.own(f"{name}_conv_bias") if self.has_conv_bias else None
        return functional.silu(convolve(x, self.own(f"{name}_conv"), bias, self.cut))


class LightningAttention(RecurrentMixer):
    """Lightning attention (MiniMax-01): each head forgets at a rate of its own, and the norm is over all heads together.

    Head i of n has the rate 2^(-8 i / n), as ALiBi has its slopes; MiniMax lowers it from layer to layer, which is left out.
    """

    columns = ("wq", "wk", "wv", "wg")

    def __init__(self, hidden: int, cut: SequenceCut, *, num_heads: int, head_dim: int) -> None:
        super().__init__()
        width = num_heads * head_dim
        self.cut, self.num_heads, self.head_dim = cut, num_heads, head_dim
        self.wq, self.wk, self.wv, self.wg = (nn.Linear(hidden, width, bias=False) for _ in range(4))
        self.wo = nn.Linear(width, hidden, bias=False)
        self.norm = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return the mixer's part of the stream; positions are said by the order of the tokens alone."""
        q, k, v = (
            functional.silu(w(x)).unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
            for w in (self.wq, self.wk, self.wv)
        )
        first = q.shape[1] * (dist.get_rank(self.group) if self.group else 0)
        heads = torch.arange(first, first + q.shape[1], device=x.device, dtype=torch.float32)
        rates = 2.0 ** (-8.0 * (heads + 1.0) / self.num_heads)
        decay = -rates[:, None].expand(q.shape[:3])
        out = scan(q, k, v, decay, None, self.cut).transpose(1, 2).flatten(2)
        squares = sum_over(out.square().sum(-1, keepdim=True), self.group)
        out = out * (squares / (self.num_heads * self.head_dim) + EPSILON).rsqrt()
        return self.wo((out.to(x.dtype) * self.own("norm")) * torch.sigmoid(self.wg(x)))


def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, cut: SequenceCut) -> Tensor:
    """Return a causal convolution of each channel alone: x (batch, sequence, width), ``weight`` (width, kernel), last tap now."""
    kernel = weight.shape[1]
    parts = []
    for before, piece in preceding(x, kernel - 1, cut):
        longer = torch.cat((before, piece), dim=1)
        parts.append(
            sum((longer[:, i : i + piece.shape[1]] * weight[:, i] for i in range(kernel)), start=torch.zeros(()))
        )
    out = torch.cat(parts, dim=1)
    return out if bias is None else out + bias


def _unit(x: Tensor) -> Tensor:
    return x * (x.square().sum(-1, keepdim=True) + EPSILON).rsqrt()


def _decay(a: Tensor, rate: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    """Return the step of each token and head, softplus(a + offset), and the logarithm of its decay, -exp(rate) times that."""
    step = functional.softplus(a.float() + offset.float())
    return step, -rate.float().exp() * step
