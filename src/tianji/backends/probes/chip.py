"""What one chip reaches while all others work too: matmuls, attention, memory, whole layers and the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from tianji.backends.options import RunOptions
from tianji.backends.trainer.accelerator import Accelerator
from tianji.backends.trainer.context import attend_whole
from tianji.backends.trainer.loop import make_optimizer, sum_squares
from tianji.backends.trainer.transformer import Transformer, draw_weights, loss_of
from tianji.units import MIB
from tianji.workload import Model
from tianji.workload.huggingface import read_config

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
COPIED = 64 * MIB
TINY = {"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 128, "vocab_size": 128}  # fmt: skip
EXPERTS = {"model_type": "qwen3_moe", "head_dim": 16, "num_experts": 8, "num_experts_per_tok": 2, "norm_topk_prob": True}
LAYERS: tuple[tuple[dict[str, Any], int, int], ...] = (
    (TINY, 1, 32),
    (TINY | {"num_hidden_layers": 4}, 1, 32),
    (TINY | {"hidden_size": 192, "intermediate_size": 512}, 4, 128),
    (TINY | {"hidden_size": 320, "num_attention_heads": 5, "num_key_value_heads": 5, "intermediate_size": 864}, 2, 256),
    (TINY | {"hidden_size": 128, "num_hidden_layers": 1, "vocab_size": 4096}, 4, 128),
    (TINY | EXPERTS | {"moe_intermediate_size": 64}, 1, 32),
    (TINY | EXPERTS | {"hidden_size": 192, "head_dim": 48, "moe_intermediate_size": 256}, 4, 128),
)
"""Small whole models with sequences of a micro-batch and tokens of each: what stands between the matmuls."""
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
    for config, batch, length in LAYERS:
        yield _transformer(accelerator, config, batch, length)
    yield _update(accelerator)


def _matmul(accelerator: Accelerator, dtype: str, m: int, k: int, n: int) -> Probe:
    """A linear layer there and back: its product, and the gradients of inputs and weights."""
    make = {"device": accelerator.device, "dtype": DTYPES[dtype]}
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


def _transformer(accelerator: Accelerator, config: Mapping[str, Any], batch: int, length: int) -> Probe:
    model = model_of(config)
    places = torch.arange(length)
    part = Transformer(model, range(model.num_layers), places, attend_whole, embed=True, predict=True)
    draw_weights(part, 0)
    part.to(accelerator.device)
    tokens = torch.randint(0, model.vocab_size, (batch, length + 1), device=accelerator.device)
    facts = {"config": repr(dict(config)), "batch": batch, "length": length}
    return "layers", facts, lambda: loss_of(part(tokens[:, :-1]), tokens[:, 1:]).backward()


def model_of(config: Mapping[str, Any]) -> Model:
    """Return the model of a probe."""
    return read_config(dict(config), "probe")


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
