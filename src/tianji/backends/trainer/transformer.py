"""The model of a job: layers of the blocks that its description names, with a token table and a head.

Tensors are (batch, sequence, width); under tensor parallelism a rank's attention holds some of the heads, and under sequence
parallelism the stream between the layers holds some of the tokens. What shapes no cost stands at the usual values, unless
first weights come from a file: rotary base 10,000, norm epsilon 1e-6, weights drawn with a deviation of 0.02.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tianji.backends.first_weights import EPSILON, FirstWeights
from tianji.backends.trained_parts import sizes_of
from tianji.backends.trainer.attention import LatentAttention, SelfAttention
from tianji.backends.trainer.context_parallel import SequenceCut
from tianji.backends.trainer.moe import MixtureOfExperts, SwiGLU
from tianji.backends.trainer.recurrent import GatedDeltaNet, LightningAttention, Mamba2
from tianji.workload import Model
from tianji.workload.blocks import LayerBlock
from tianji.workload.plain import block_of

DEVIATION = 0.02

MIXERS: dict[str, type[nn.Module]] = {
    "attention": SelfAttention, "latent": LatentAttention, "gated_delta_net": GatedDeltaNet, "mamba2": Mamba2,
    "lightning": LightningAttention,
}  # fmt: skip
"""Modules by the kinds of :data:`tianji.backends.trained_parts.MIXERS`."""
MLPS: dict[str, type[nn.Module]] = {"dense": SwiGLU, "experts": MixtureOfExperts}


class TransformerLayer(nn.Module):
    """One layer: a mixer and an MLP, each behind a norm and beside the stream; one of them may be missing (Nemotron-H).

    The mixer is named ``attention`` whatever its kind, as it has always been in checkpoints. With sandwich norms there is one
    behind each part, too.
    """

    def __init__(self, block: LayerBlock, hidden: int, cut: SequenceCut) -> None:
        super().__init__()
        mixer, mlp = block.mixer, block.mlp
        is_sandwich = block.num_norms == 2 * ((mixer is not None) + (mlp is not None))
        self.attention_norm = _norm(hidden, mixer is not None)
        self.attention: nn.Module | None = MIXERS[mixer.kind](hidden, cut, **sizes_of(mixer)) if mixer else None
        self.attention_post_norm = _norm(hidden, mixer is not None and is_sandwich)
        self.mlp_norm = _norm(hidden, mlp is not None)
        self.mlp: nn.Module | None = MLPS[mlp.kind](hidden, **sizes_of(mlp)) if mlp else None
        self.mlp_post_norm = _norm(hidden, mlp is not None and is_sandwich)

    def forward(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return the stream after this layer."""
        if self.attention is not None and self.attention_norm is not None:
            out = self.attention(self.attention_norm(x), positions)
            x = x + (out if self.attention_post_norm is None else self.attention_post_norm(out))
        if self.mlp is not None and self.mlp_norm is not None:
            out = self.mlp(self.mlp_norm(x))
            x = x + (out if self.mlp_post_norm is None else self.mlp_post_norm(out))
        return x


def _norm(hidden: int, has: bool) -> nn.RMSNorm | None:
    return nn.RMSNorm(hidden, eps=EPSILON) if has else None


class Transformer(nn.Module):
    """Consecutive layers of a model; the first stage has the token table too, and the last the head."""

    def __init__(
        self, model: Model, layers: Iterable[int], positions: Tensor, cut: SequenceCut, *, embed: bool, predict: bool
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(model.vocab_size, model.hidden_size) if embed else None
        hidden = model.hidden_size
        self.layers = nn.ModuleDict({str(i): TransformerLayer(block_of(model, i), hidden, cut) for i in layers})
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


@torch.no_grad()
def draw_weights(part: nn.Module, seed: int) -> None:
    """Fill a part's weights with values that depend on the seed and each weight's name, so on no cut at all."""
    for name, weight in part.named_parameters():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) ^ seed)
        weight.copy_(_draw(name.rpartition(".")[2], weight.shape, generator))


def _draw(name: str, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Return first values; those of recurrences as Mamba-2 draws them: rates of 1 to 16, steps of 0.001 to 0.1."""
    if name == "log_rate":
        return torch.empty(shape).uniform_(1.0, 16.0, generator=generator).log()
    if name == "step_offset":
        step = torch.empty(shape).uniform_(math.log(0.001), math.log(0.1), generator=generator).exp()
        return step + (-torch.expm1(-step)).log()  # softplus turned back
    if len(shape) == 1:
        return torch.zeros(shape) if name.endswith("bias") else torch.ones(shape)
    deviation = shape[1] ** -0.5 if name.endswith("conv") else DEVIATION
    return torch.randn(shape, generator=generator) * deviation


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
