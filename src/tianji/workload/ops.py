"""The operations of a transformer: what has to be computed for each token, before any cut.

Each op kind is one dataclass here and one formula in ``tianji.perf.compute``. Sizes are whole; ``cut`` says which dimension
tensor parallelism divides. What an op is for is its ``role``; its ``name`` is for people, and nothing depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from tianji.units import Flops

SCAN_CHUNK = 64
"""Tokens of one chunk of a linear recurrence; the libraries' kernels take 64 to 256."""


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
    MIXING = auto()
    """Multiplies activations by activations: it has no weights."""
    PERMUTE = auto()
    """Sorts tokens by expert, and their answers back."""
    NORM = auto()
    MLP_ACTIVATION = auto()
    SHARED_ACTIVATION = auto()
    EXPERT_ACTIVATION = auto()
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
    tokens: int = 0
    """Tokens of a sequence that go through it, where they are not the layer's: keys of another sequence (0: the layer's)."""

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
    ratio: int = 1
    """Tokens that one key stands for (compressed attention)."""
    causal: bool = True
    """False where tokens see those after them, whatever the job: encoders, towers, diffusion, other sequences."""
    source: int = 0
    """Tokens of another sequence that keys and values come from (0: of the own one, or of one as long)."""

    def context(self, seq_len: int, causal: bool) -> float:
        """Return how many keys one token attends to, on average.

        ``seq_len`` is s, the tokens of the sequence; ``causal`` is the job's. Causal attention over s tokens: s/2 (the diagonal's
        half token is left out, as everybody does). With a window of w < s: w - w²/2s. Where a key stands for r tokens, s and w
        count keys: s/r of them.
        """
        if self.source:
            return float(self.source)
        keys = seq_len / self.ratio
        if not self.causal:
            return min(self.window, keys) if self.window else keys
        if not causal:
            return keys
        w = np.minimum(self.window, keys) if self.window else keys
        mean: float = w - w * w / (2.0 * keys)
        return mean

    def flops(self, seq_len: int, causal: bool) -> Flops:
        """Forward FLOPs for one token of ``seq_len``, ``causal`` or not: 2 · context · heads · (qk_dim + v_dim)."""
        return 2.0 * self.context(seq_len, causal) * self.num_heads * (self.qk_dim + self.v_dim)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """A recurrence over the tokens with a state of ``key_dim`` by ``value_dim`` for each head, computed chunk by chunk."""

    num_heads: int
    key_dim: int
    value_dim: int
    delta: bool = False
    """Each token's old value is taken out of the state before the new one goes in (the delta rule)."""

    def flops(self, causal: bool) -> Flops:
        """Forward FLOPs for one token, in chunks of C tokens (Dao and Gu 2024; Yang et al. 2024).

        Within a chunk scores and values as attention has them, 2C (k + v), half of it where ``causal``; state in and out 4 k v.
        The delta rule multiplies keys by keys, 2C k, and reads the state once more, 2 k v; its triangular solve is not counted.
        """
        k, v = self.key_dim, self.value_dim
        inside = 2.0 * SCAN_CHUNK * (k + v + (k if self.delta else 0)) * (0.5 if causal else 1.0)
        return self.num_heads * (inside + (6.0 if self.delta else 4.0) * k * v)


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
    bias: int = 0
    """Parameters of one expert beside its matrices."""
    width: int = 0
    """Elements of a token that are sent to an expert (0: the hidden size)."""
    computing: float = 1.0
    """Share of the choices that compute something: zero-compute experts do not."""

    @property
    def flops(self) -> Flops:
        """Forward FLOPs for one token."""
        return self.top_k * self.computing * sum(m.flops for m in self.matmuls)


@dataclass(frozen=True, slots=True)
class LayerOps:
    """One transformer layer, or the embedding, or the head."""

    matmuls: tuple[Matmul, ...] = ()
    attention: tuple[tuple[float, AttentionOp], ...] = ()
    """Kinds of attention with the share of the layers that has each."""
    vectors: tuple[Vector, ...] = ()
    experts: ExpertOps | None = None
    scans: tuple[Recurrence, ...] = ()
    tokens: int = 0
    """Tokens of a sequence in this layer, where they are not the job's: patches of an image, say (0: the job's)."""
    width: int = 0
    """Width of the layer, where it is not the model's (0: the model's)."""
    is_recomputed: bool = True
    """Recomputation covers it: every framework does transformer layers again, none the embedding, the head or the loss."""

    def flops(self, seq_len: int, causal: bool) -> Flops:
        """Forward FLOPs of this layer for one token of the job's sequence of ``seq_len`` tokens, ``causal`` or not."""
        own = self.tokens or seq_len
        scores = sum(share * a.flops(own, causal) for share, a in self.attention)
        linear = sum(m.flops * (m.tokens / own if m.tokens else 1.0) for m in self.matmuls)
        linear += sum(s.flops(causal) for s in self.scans)
        whole = linear + scores + (self.experts.flops if self.experts else 0.0)
        return whole * (self.tokens / seq_len) if self.tokens else whole
