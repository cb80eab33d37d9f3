"""The model of a job in MindSpore: the torch trainer's dense transformer, written again.

The stream is (tokens, width), tokens of all sequences of a micro-batch one after another; under sequence parallelism a tensor
rank holds some of them between the layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from numpy.typing import NDArray

from tianji.backends.first_weights import EPSILON, ROTARY_BASE
from tianji.backends.mindspore.collectives import CollectiveGroup, Enter, GatherColumns, GatherRows, Leave, ScatterRows
from tianji.workload import Model

Take = Callable[[str], NDArray[np.float32]]
"""This rank's part of a weight, by the weight's name."""


@dataclass(frozen=True, slots=True)
class StreamShape:
    """What every cell must know: the model, the tokens of a micro-batch, and the tensor ranks."""

    model: Model
    sequences: int
    seq_len: int
    group: CollectiveGroup
    sequence_parallel: bool
    epsilon: float = EPSILON
    rates: NDArray[np.float32] | None = None
    """Radians that each pair of a head turns by a position; None: those of the usual base."""

    def make_entrance(self) -> nn.Cell:
        """Return the door from the stream into matrices cut by what comes out."""
        if self.group.size == 1:
            return nn.Identity()
        return GatherRows(self.group) if self.sequence_parallel else Enter(self.group)

    def make_exit(self) -> nn.Cell:
        """Return the door from matrices cut by what goes in back to the stream."""
        if self.group.size == 1:
            return nn.Identity()
        return ScatterRows(self.group) if self.sequence_parallel else Leave(self.group)

    @property
    def stream(self) -> tuple[int, int]:
        """Rows and columns of the stream on this rank."""
        ranks = self.group.size if self.sequence_parallel else 1
        return self.sequences * self.seq_len // ranks, self.model.hidden_size


class Linear(nn.Cell):
    """A matrix (out, in), or a part of it, with or without a bias."""

    def __init__(self, name: str, take: Take, *, bias: bool) -> None:
        super().__init__(auto_prefix=False)
        self.weight = Parameter(Tensor(take(f"{name}.weight")), name=f"{name}.weight")
        self.bias = Parameter(Tensor(take(f"{name}.bias")), name=f"{name}.bias") if bias else None
        self.matmul = ops.MatMul(transpose_b=True)

    def construct(self, x: Tensor) -> Tensor:
        """Return x times the matrix."""
        out = self.matmul(x, self.weight)
        return out if self.bias is None else out + self.bias


class RowLinear(nn.Cell):
    """A matrix cut by what goes in, with the door behind it; the bias is added once, after the sum."""

    def __init__(self, name: str, take: Take, shape: StreamShape, *, bias: bool) -> None:
        super().__init__(auto_prefix=False)
        self.product = Linear(name, take, bias=False)
        self.leave = shape.make_exit()
        self.bias = Parameter(Tensor(take(f"{name}.bias")), name=f"{name}.bias") if bias else None

    def construct(self, x: Tensor) -> Tensor:
        """Return this rank's rows of the stream."""
        out = self.leave(self.product(x))
        return out if self.bias is None else out + self.bias


class RMSNorm(nn.Cell):
    """Root-mean-square norm over the last axis (Zhang 2019)."""

    def __init__(self, name: str, take: Take, epsilon: float) -> None:
        super().__init__(auto_prefix=False)
        self.weight = Parameter(Tensor(take(f"{name}.weight")), name=f"{name}.weight")
        self.epsilon = epsilon

    def construct(self, x: Tensor) -> Tensor:
        """Return x with rows of mean square one, times the weight."""
        return x * ops.rsqrt(ops.mean(x * x, -1, True) + self.epsilon) * self.weight


class MindSporeAttention(nn.Cell):
    """Causal grouped-query attention over this rank's heads."""

    def __init__(self, name: str, take: Take, shape: StreamShape) -> None:
        super().__init__(auto_prefix=False)
        model, size = shape.model, shape.group.size
        self.batch, self.length, self.dim = shape.sequences, shape.seq_len, model.head_dim
        self.heads = model.num_attention_heads // size
        self.all_pairs = model.num_key_value_heads
        self.cuts_pairs = self.all_pairs % size == 0
        self.pairs = self.all_pairs // size if self.cuts_pairs else 1
        self.pair = shape.group.index * self.all_pairs // size
        self.enter = shape.make_entrance()
        self.wq = Linear(f"{name}.wq", take, bias=model.qkv_bias)
        self.wk = Linear(f"{name}.wk", take, bias=model.qkv_bias)
        self.wv = Linear(f"{name}.wv", take, bias=model.qkv_bias)
        self.wo = RowLinear(f"{name}.wo", take, shape, bias=model.output_bias)
        self.q_norm = RMSNorm(f"{name}.q_norm", take, shape.epsilon) if model.qk_norm else None
        self.k_norm = RMSNorm(f"{name}.k_norm", take, shape.epsilon) if model.qk_norm else None
        self.matmul, self.matmul_transposed = ops.BatchMatMul(), ops.BatchMatMul(transpose_b=True)
        self.scale = float(model.head_dim**-0.5)
        cos, sin = _rotary_tables(shape.seq_len, model.head_dim, shape.rates)
        self.cos, self.sin = Tensor(cos[None, :, None, :]), Tensor(sin[None, :, None, :])
        self.future = Tensor(np.triu(np.full((shape.seq_len, shape.seq_len), -np.inf, np.float32), 1)[None, None, None])

    def construct(self, x: Tensor) -> Tensor:
        """Return the attention's part of the stream."""
        x = self.enter(x)
        q = self.wq(x).reshape((self.batch, self.length, self.heads, self.dim))
        k, v = self._own_pairs(self.wk(x)), self._own_pairs(self.wv(x))
        if self.q_norm is not None and self.k_norm is not None:
            q, k = self.q_norm(q), self.k_norm(k)
        q, k, v = self._rotate(q).swapaxes(1, 2), self._rotate(k).swapaxes(1, 2), v.swapaxes(1, 2)
        out = self._attend(q, k, v).swapaxes(1, 2)
        return self.wo(out.reshape((self.batch * self.length, self.heads * self.dim)))

    def _own_pairs(self, x: Tensor) -> Tensor:
        """Return the key or value heads that this rank's queries use."""
        if self.cuts_pairs:
            return x.reshape((self.batch, self.length, self.pairs, self.dim))
        whole = x.reshape((self.batch, self.length, self.all_pairs, self.dim))
        return whole[:, :, self.pair : self.pair + 1, :]

    def _rotate(self, x: Tensor) -> Tensor:
        a, b = ops.split(x, self.dim // 2, -1)
        return ops.concat((a * self.cos - b * self.sin, b * self.cos + a * self.sin), -1)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Queries that share a key head lie one after another, so that neither keys nor values are repeated."""
        group = self.heads // self.pairs
        rows = q.reshape((self.batch, self.pairs, group * self.length, self.dim))
        scores = self.matmul_transposed(rows, k) * self.scale
        scores = scores.reshape((self.batch, self.pairs, group, self.length, self.length)) + self.future
        shares = ops.softmax(scores, -1).reshape((self.batch, self.pairs, group * self.length, self.length))
        return self.matmul(shares, v).reshape((self.batch, self.heads, self.length, self.dim))


def _rotary_tables(
    seq_len: int, head_dim: int, rates: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    half = head_dim // 2
    if rates is None:
        rates = np.float32(ROTARY_BASE) ** (-np.arange(half, dtype=np.float32) / np.float32(half))
    angles = np.arange(seq_len, dtype=np.float32)[:, None] * rates
    return np.cos(angles), np.sin(angles)


class MLP(nn.Cell):
    """Two projections and a gate, or one projection and GELU where the model has no gate."""

    def __init__(self, name: str, take: Take, shape: StreamShape) -> None:
        super().__init__(auto_prefix=False)
        bias = shape.model.mlp_bias
        self.enter = shape.make_entrance()
        self.gate = Linear(f"{name}.gate", take, bias=bias) if shape.model.gated_mlp else None
        self.up = Linear(f"{name}.up", take, bias=bias)
        self.down = RowLinear(f"{name}.down", take, shape, bias=bias)

    def construct(self, x: Tensor) -> Tensor:
        """Return the MLP's part of the stream."""
        x = self.enter(x)
        if self.gate is None:
            return self.down(ops.gelu(self.up(x), "none"))
        gate = self.gate(x)
        return self.down(gate * ops.sigmoid(gate) * self.up(x))


class MindSporeLayer(nn.Cell):
    """One transformer layer: attention and MLP, each behind a norm and beside the stream."""

    def __init__(self, name: str, take: Take, shape: StreamShape) -> None:
        super().__init__(auto_prefix=False)
        self.attention_norm = RMSNorm(f"{name}.attention_norm", take, shape.epsilon)
        self.attention = MindSporeAttention(f"{name}.attention", take, shape)
        self.mlp_norm = RMSNorm(f"{name}.mlp_norm", take, shape.epsilon)
        self.mlp = MLP(f"{name}.mlp", take, shape)

    def construct(self, x: Tensor) -> Tensor:
        """Return the stream after this layer."""
        x = x + self.attention(self.attention_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class Embedding(nn.Cell):
    """The token table, cut over tensor ranks by tokens: each looks up those that it has, and the rest comes by the sum."""

    def __init__(self, take: Take, shape: StreamShape) -> None:
        super().__init__(auto_prefix=False)
        self.weight = Parameter(Tensor(take("embedding.weight")), name="embedding.weight")
        self.count = self.weight.shape[0]
        self.first = self.count * shape.group.index
        self.leave = shape.make_exit()

    def construct(self, tokens: Tensor) -> Tensor:
        """Return the stream of tokens (tokens,)."""
        places = tokens - self.first
        is_here = ops.logical_and(places >= 0, places < self.count)
        rows = ops.gather(self.weight, ops.clamp(places, 0, self.count - 1), 0)
        return self.leave(rows * is_here.astype(rows.dtype).expand_dims(-1))


class Head(nn.Cell):
    """The last norm and the projection to the vocabulary; tensor ranks compute a part of the logits each, and gather them."""

    def __init__(self, take: Take, shape: StreamShape, table: Parameter | None) -> None:
        super().__init__(auto_prefix=False)
        self.norm = RMSNorm("norm", take, shape.epsilon)
        self.enter = shape.make_entrance()
        self.weight = Parameter(Tensor(take("head.weight")), name="head.weight") if table is None else table
        self.matmul = ops.MatMul(transpose_b=True)
        self.gather = GatherColumns(shape.group) if shape.group.size > 1 else nn.Identity()

    def construct(self, x: Tensor) -> Tensor:
        """Return the logits of the whole vocabulary, (tokens, vocabulary)."""
        return self.gather(self.matmul(self.enter(self.norm(x)), self.weight))


class Part(nn.Cell):
    """Consecutive layers of a model; the first stage has the token table too, and the last the head."""

    def __init__(self, layers: Iterable[int], take: Take, shape: StreamShape, *, embed: bool, predict: bool) -> None:
        super().__init__(auto_prefix=False)
        self.embedding = Embedding(take, shape) if embed else None
        self.layers = nn.CellList([MindSporeLayer(f"layers.{i}", take, shape) for i in layers], auto_prefix=False)
        table = self.embedding.weight if self.embedding is not None and shape.model.tied_embeddings else None
        self.head = Head(take, shape, table) if predict else None

    def construct(self, x: Tensor) -> Tensor:
        """Return logits (or the stream, from a stage that is not the last) of tokens (or the stream)."""
        if self.embedding is not None:
            x = self.embedding(x)
        for layer in self.layers:
            x = layer(x)
        return x if self.head is None else self.head(x)


class Loss(nn.Cell):
    """The mean cross entropy of a part that ends in logits."""

    def __init__(self, part: Part) -> None:
        super().__init__(auto_prefix=False)
        self.part = part

    def construct(self, x: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss, and the logits beside it."""
        logits = self.part(x)
        return ops.cross_entropy(logits, targets), logits
