"""Blocks: the layers of a model that is not the same all the way through.

A model is a pattern of blocks. A block names its mixer and its MLP by kind and sizes: plain numbers and words, for plan files.
:func:`parts_of` makes ops and parameters of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tianji.errors import FormatError
from tianji.workload.ops import LayerOps, Matmul, Role, Vector
from tianji.workload.parts import MIXERS, MLPS, LayerPart


@dataclass(frozen=True, slots=True)
class PartSizes:
    """A mixer or an MLP: its kind, a key of ``MIXERS`` or ``MLPS``, and what that function takes."""

    kind: str
    sizes: tuple[tuple[str, int], ...] = ()
    words: tuple[tuple[str, str], ...] = ()

    @property
    def title(self) -> str:
        """The part in a few words."""
        kind = self.kind.replace("_", " ")
        return f"windowed {kind}" if dict(self.sizes).get("window") else kind


@dataclass(frozen=True, slots=True)
class LayerBlock:
    """One kind of layer. A layer may lack a mixer or an MLP (Nemotron-H alternates them)."""

    mixer: PartSizes | None
    mlp: PartSizes | None
    num_norms: int = 2
    extra: int = 0
    """Parameters beside mixer, MLP and norms: residual scales and the like."""
    hidden_size: int = 0
    """Width of the layer, where it is not the model's (towers)."""
    tokens: int = 0
    """Tokens of a sequence in it, where they are not the job's (patches of an image, frames of sound)."""
    residual_streams: int = 1
    """Residual streams side by side, mixed before and after mixer and MLP by hyper-connections (DeepSeek-V4)."""
    side: int = 0
    """Weights of small matrices that each token goes through beside mixer and MLP: gates of norms, hyper-connections of another
    form than DeepSeek-V4's, layer embeddings. No tensor cut divides them."""
    is_shared: bool = False
    """Its weights are those of an earlier layer: it computes and holds none (looped models)."""

    @property
    def title(self) -> str:
        """The block in a few words, for tables and messages."""
        names = [part.title for part in (self.mixer, self.mlp) if part]
        return " + ".join(names)


@dataclass(frozen=True, slots=True)
class BlockParts:
    """A block made of ops; all sizes of one layer."""

    mixer: LayerPart | None
    mlp: LayerPart | None
    layer: LayerOps
    parameters: int
    """Without routed experts."""
    whole: int
    """Of these, what every tensor rank holds."""
    num_experts: int
    expert_parameters: int
    """Of one routed expert."""
    heads: tuple[int, ...]
    """Heads that a tensor cut must divide."""
    groups: tuple[int, ...]
    """Groups of heads: these and a tensor cut divide each other."""

    @property
    def all_parameters(self) -> int:
        """With all routed experts."""
        return self.parameters + self.num_experts * self.expert_parameters

    @property
    def active_parameters(self) -> int:
        """With the experts of one token."""
        top_k = self.layer.experts.top_k if self.layer.experts else 0
        idle = sum(part.idle for part in (self.mixer, self.mlp) if part) if self.parameters else 0
        return self.parameters - idle + top_k * self.expert_parameters


@lru_cache(maxsize=512)
def parts_of(block: LayerBlock, hidden_size: int, norm_bias: bool = False) -> BlockParts:
    """Return the ops and parameters of a block; one with the weights of an earlier layer has ops alone.

    Raises FormatError for a kind or a size that is not known.
    """
    hidden_size = block.hidden_size or hidden_size
    mixer, mlp = _make(block.mixer, MIXERS, hidden_size), _make(block.mlp, MLPS, hidden_size)
    parts = [part for part in (mixer, mlp) if part]
    norms = block.num_norms * hidden_size * (2 if norm_bias else 1)
    vectors = (
        Vector("norms", 2.0 * block.num_norms * hidden_size, "sequence", role=Role.NORM),
        Vector("residuals", 3.0 * len(parts) * hidden_size * block.residual_streams, "sequence"),
        *(v for part in parts for v in part.vectors),
    )
    experts = mlp.experts if mlp else None
    mixing = _hyper_connections(block, hidden_size) * len(parts)
    beside = (Matmul("beside", hidden_size, block.side // hidden_size, "none"),) if block.side >= hidden_size else ()
    layer = LayerOps(
        (*(m for part in parts for m in part.matmuls), *mixing, *beside),
        tuple((1.0, a) for part in parts for a in part.attention),
        vectors,
        experts,
        tuple(s for part in parts for s in part.scans),
        block.tokens,
        block.hidden_size,
    )
    heads = [a.num_heads for _, a in layer.attention if a.v_dim] + [s.num_heads for s in layer.scans]
    groups = [a.num_key_value_heads for _, a in layer.attention if a.v_dim]
    whole = norms + block.extra + block.side + _learned(mixing)
    own = 0 if block.is_shared else 1
    return BlockParts(
        mixer=mixer,
        mlp=mlp,
        layer=layer,
        parameters=own * (sum(part.parameters for part in parts) + whole),
        whole=own * (sum(part.whole for part in parts) + whole),
        num_experts=experts.num_experts if experts else 0,
        expert_parameters=own * mlp.expert_parameters if mlp else 0,
        heads=(*heads, *(n for part in parts for n in part.heads)),
        groups=(*groups, *(n for part in parts for n in part.groups)),
    )


def _hyper_connections(block: LayerBlock, hidden_size: int) -> tuple[Matmul, ...]:
    """Return the ops of n streams of width h around one part: their weights, n h by n (n + 2), and their mixing, n by n."""
    n = block.residual_streams
    if n == 1 or block.side:
        return ()
    weights = Matmul("hyper-connection", n * hidden_size, n * (n + 2), "none", high=True)
    return weights, Matmul("stream mixing", n * n, hidden_size, "none", high=True, role=Role.MIXING)


def _learned(matmuls: Sequence[Matmul]) -> int:
    return sum(m.k * m.n for m in matmuls if m.role is not Role.MIXING)


def _make(spec: PartSizes | None, known: dict[str, Any], hidden_size: int) -> LayerPart | None:
    if spec is None:
        return None
    if spec.kind not in known:
        raise FormatError(f"a layer of kind {spec.kind!r} is not known; known: {', '.join(sorted(known))}")
    try:
        part: LayerPart = known[spec.kind](hidden_size, **dict(spec.sizes), **dict(spec.words))
    except (TypeError, KeyError) as error:
        raise FormatError(f"a layer of kind {spec.kind!r} has sizes that do not fit: {error}") from None
    return part
