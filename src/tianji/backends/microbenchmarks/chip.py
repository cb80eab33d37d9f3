"""What one chip reaches while all others work too: matmuls, attention, memory, whole layers and the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tianji.backends.microbenchmarks.tiny_models import WHOLE, model_of
from tianji.backends.options import RunOptions
from tianji.backends.trainer.accelerator import Accelerator
from tianji.backends.trainer.context_parallel import UNCUT, attend_whole
from tianji.backends.trainer.loop import make_optimizer, sum_squares
from tianji.backends.trainer.transformer import Transformer, draw_weights, loss_of
from tianji.units import MIB

Probe = tuple[str, Mapping[str, float | str], Callable[[], object]]
"""Name, facts that the fit needs, and the work of one call."""

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
MATMULS = (
    (64, 64, 64), (256, 128, 128), (128, 256, 768), (256, 256, 256), (1024, 256, 256), (512, 512, 512), (256, 512, 2048),
    (2048, 256, 1024), (1024, 512, 1536), (1024, 1024, 1024),
)  # fmt: skip
"""Tokens, inputs and outputs of linear layers; an accelerator takes each LARGER times as wide."""
LARGER = 8
ATTENTION = ((8, 4, 64), (4, 4, 128), (2, 4, 256), (1, 4, 512), (1, 2, 1024))
"""Sequences, heads and tokens."""
HEAD_DIM = 64
COPIED = 256 * MIB
"""Read and written; more than any cache holds."""
UPDATED = 16
"""Square weights of 512 that the optimizer is timed on."""


def chip_probes(accelerator: Accelerator) -> Iterator[Probe]:
    """Yield all that is measured of a chip."""
    scale = 1 if accelerator.kind == "cpu" else LARGER
    for dtype in DTYPES:
        for shape in MATMULS if dtype == "fp32" else MATMULS[-1:]:
            yield _matmul(accelerator, dtype, *(scale * n for n in shape))
    yield _copy(accelerator)
    for batch, heads, length in ATTENTION:
        yield _attention(accelerator, batch * scale, heads, length)
    for index in range(len(WHOLE)):
        yield _whole(accelerator, index)
    yield _update(accelerator)


def _matmul(accelerator: Accelerator, dtype: str, m: int, k: int, n: int) -> Probe:
    """A linear layer there and back: its product, and the gradients of inputs and weights."""
    make: dict[str, Any] = {"device": accelerator.device, "dtype": DTYPES[dtype]}
    x, w, g = torch.randn(m, k, **make), torch.randn(n, k, **make), torch.randn(m, n, **make)

    def work() -> None:
        functional.linear(x, w)
        torch.mm(g, w)
        torch.mm(g.t(), x)

    return "matmul", {"m": m, "k": k, "n": n, "dtype": dtype}, work


def _copy(accelerator: Accelerator) -> Probe:
    source = torch.ones(int(COPIED) // 8, device=accelerator.device)
    target = torch.empty_like(source)
    return "copy", {"bytes": COPIED}, lambda: target.copy_(source)


def _attention(accelerator: Accelerator, batch: int, heads: int, length: int) -> Probe:
    shape = (batch, heads, length, HEAD_DIM)
    q, k, v = (torch.randn(shape, device=accelerator.device, requires_grad=True) for _ in range(3))
    grad = torch.randn(shape, device=accelerator.device)
    facts = {"batch": batch, "heads": heads, "length": length, "dim": HEAD_DIM}
    return "attention", facts, lambda: torch.autograd.grad(attend_whole(q, k, v), (q, k, v), grad)


def _whole(accelerator: Accelerator, index: int) -> Probe:
    """One micro-batch of a small model, there and back."""
    config, batch, length = WHOLE[index]
    model = model_of(config)
    places = torch.arange(length)
    part = Transformer(model, range(model.num_layers), places, UNCUT, embed=True, predict=True)
    draw_weights(part, 0)
    part.to(accelerator.device)
    tokens = torch.randint(0, model.vocab_size, (batch, length + 1), device=accelerator.device)
    return "whole", {"index": index}, lambda: loss_of(part(tokens[:, :-1]), tokens[:, 1:]).backward()


def _update(accelerator: Accelerator) -> Probe:
    weights = [nn.Parameter(torch.randn(512, 512, device=accelerator.device)) for _ in range(UPDATED)]
    for weight in weights:
        weight.grad = torch.randn_like(weight)
    optimizer = make_optimizer(weights, accelerator, RunOptions())
    gradients = [weight.grad for weight in weights if weight.grad is not None]

    def work() -> None:
        norm = torch.stack([sum_squares(gradient) for gradient in gradients]).sum()
        torch._foreach_mul_(gradients, 1.0 if float(norm) else 0.0)
        optimizer.step()

    return "update", {"parameters": float(sum(weight.numel() for weight in weights))}, work
