"""Mixers with a recurrence do what their recurrence says, token by token, written here a second time."""

import math

import pytest
import torch
from torch import Tensor

from tianji.backends.traces import SCAN, exclusive_times
from tianji.backends.trainer.context_parallel import UNCUT
from tianji.backends.trainer.recurrence import scan
from tianji.backends.trainer.recurrent import GatedDeltaNet, LightningAttention, Mamba2
from tianji.backends.trainer.transformer import draw_weights
from tianji.workload.ops import SCAN_CHUNK

HIDDEN, LENGTH = 24, SCAN_CHUNK + 9


def step_by_step(q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor | None) -> Tensor:
    """The recurrence as it is defined: one token of one head after the other."""
    out = torch.zeros(*q.shape[:3], v.shape[-1], dtype=q.dtype)
    for i in range(q.shape[0]):
        for head in range(q.shape[1]):
            state = torch.zeros(k.shape[-1], v.shape[-1], dtype=q.dtype)
            for t in range(q.shape[2]):
                state = state * decay[i, head, t].exp()
                value = v[i, head, t]
                if beta is not None:
                    value = beta[i, head, t] * (value - k[i, head, t] @ state)
                state = state + torch.outer(k[i, head, t], value)
                out[i, head, t] = q[i, head, t] @ state
    return out


@pytest.mark.parametrize("has_delta", [True, False])
def test_chunks_give_what_single_steps_give_and_the_same_gradients(has_delta: bool) -> None:
    generator = torch.Generator().manual_seed(1)
    q, k = (torch.randn(2, 3, LENGTH, 5, generator=generator) for _ in range(2))
    k = k / k.norm(dim=-1, keepdim=True)
    v = torch.randn(2, 3, LENGTH, 4, generator=generator)
    decay, beta = -torch.rand(2, 3, LENGTH, generator=generator), torch.rand(2, 3, LENGTH, generator=generator)
    weight = torch.randn(v.shape, generator=generator)
    found = []
    for run in (lambda *x: scan(*x, UNCUT), step_by_step):
        inputs = [x.clone().requires_grad_() for x in (q, k, v, decay, *((beta,) if has_delta else ()))]
        out = run(*inputs, *(() if has_delta else (None,)))
        found.append((out.detach(), *torch.autograd.grad((out * weight).sum(), inputs)))
    for ours, theirs in zip(*found, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_fast_decay_over_a_whole_chunk_stays_finite() -> None:
    q = torch.ones(1, 1, LENGTH, 2, requires_grad=True)
    decay = torch.full((1, 1, LENGTH), -40.0, requires_grad=True)
    scan(q, q, q, decay, None, UNCUT).sum().backward()
    assert q.grad is not None and decay.grad is not None
    assert bool(q.grad.isfinite().all()) and bool(decay.grad.isfinite().all())


def causal_convolution(x: Tensor, weight: Tensor, bias: float = 0.0) -> Tensor:
    """x (tokens, width), weight (width, kernel): each channel's weighted sum of the last tokens, then SiLU."""
    kernel = weight.shape[1]
    rows = [
        sum(x[t - j] * weight[:, kernel - 1 - j] for j in range(kernel) if t >= j) + bias for t in range(x.shape[0])
    ]
    return torch.nn.functional.silu(torch.stack(rows))


@torch.no_grad()
def test_a_gated_delta_net_is_its_recurrence() -> None:
    net = GatedDeltaNet(
        HIDDEN, UNCUT, num_key_heads=2, num_value_heads=4, key_head_dim=6, value_head_dim=5, kernel=4
    ).double()
    draw_weights(net, 3)
    net.norm.mul_(torch.arange(1.0, 6.0))
    x = torch.randn(11, HIDDEN, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    q, k, v = (
        causal_convolution(x @ w.weight.T, conv)
        for w, conv in ((net.wq, net.q_conv), (net.wk, net.k_conv), (net.wv, net.v_conv))
    )
    heads = []
    for head in range(4):
        key = slice(6 * (head // 2), 6 * (head // 2) + 6)
        a, b = (w.weight[head] @ x.T for w in (net.wa, net.wb))
        decay = -net.log_rate[head].exp() * torch.log1p((a + net.step_offset[head]).exp())
        unit = [y[:, key] / (y[:, key].square().sum(1, keepdim=True) + 1e-6).sqrt() for y in (q, k)]
        one = [y[None, None] for y in (unit[0] / math.sqrt(6), unit[1], v[:, 5 * head : 5 * head + 5])]
        out = step_by_step(*one, decay[None, None], torch.sigmoid(b)[None, None])[0, 0]
        out = out / (out.square().mean(1, keepdim=True) + 1e-6).sqrt() * net.norm
        heads.append(out * torch.nn.functional.silu(x @ net.wz.weight[5 * head : 5 * head + 5].T))
    assert torch.allclose(
        net(x[None], torch.arange(11))[0], torch.cat(heads, 1) @ net.wo.weight.T, rtol=1e-4, atol=1e-7
    )


@torch.no_grad()
def test_a_mamba_2_mixer_is_its_recurrence() -> None:
    net = Mamba2(HIDDEN, UNCUT, num_heads=4, head_dim=5, state_size=6, num_groups=2, kernel=4, bias=True).double()
    draw_weights(net, 3)
    for weight in (net.norm, net.skip, net.get_parameter("x_conv_bias"), net.wx.bias):
        weight.add_(torch.linspace(0.0, 0.5, len(weight), dtype=torch.float64))
    x = torch.randn(11, HIDDEN, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    def convolved(name: str) -> Tensor:
        w = net.get_submodule(f"w{name}")
        convolution, bias = net.get_parameter(f"{name}_conv"), net.get_parameter(f"{name}_conv_bias")
        return causal_convolution(x @ w.weight.T + w.bias, convolution, bias)

    values, b, c = (convolved(name) for name in ("x", "b", "c"))
    heads = []
    for head in range(4):
        group, own = slice(6 * (head // 2), 6 * (head // 2) + 6), slice(5 * head, 5 * head + 5)
        step = torch.log1p((x @ net.wa.weight[head] + net.wa.bias[head] + net.step_offset[head]).exp())
        decay = -net.log_rate[head].exp() * step
        one = (c[:, group], b[:, group], values[:, own] * step[:, None], decay)
        out = step_by_step(*(y[None, None] for y in one), None)[0, 0] + net.skip[head] * values[:, own]
        heads.append(out * torch.nn.functional.silu(x @ net.wz.weight[own].T + net.wz.bias[own]))
    groups = [torch.cat(heads[i : i + 2], 1) for i in (0, 2)]
    normed = torch.cat([y / (y.square().mean(1, keepdim=True) + 1e-6).sqrt() for y in groups], 1) * net.norm
    wanted = normed @ net.wo.weight.T + net.wo.bias
    assert torch.allclose(net(x[None], torch.arange(11))[0], wanted, rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_lightning_attention_is_its_recurrence() -> None:
    net = LightningAttention(HIDDEN, UNCUT, num_heads=4, head_dim=5).double()
    draw_weights(net, 3)
    net.norm.mul_(torch.linspace(0.5, 1.5, 20, dtype=torch.float64))
    x = torch.randn(11, HIDDEN, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    q, k, v = (
        torch.nn.functional.silu(x @ w.weight.T).unflatten(1, (4, 5)).transpose(0, 1) for w in (net.wq, net.wk, net.wv)
    )
    decay = -torch.tensor([1 / 4, 1 / 16, 1 / 64, 1 / 256], dtype=torch.float64)[:, None].expand(4, 11)
    out = step_by_step(q[None], k[None], v[None], decay[None], None)[0].transpose(0, 1).flatten(1)
    normed = out / (out.square().mean(1, keepdim=True) + 1e-6).sqrt() * net.norm
    wanted = (normed * torch.sigmoid(x @ net.wg.weight.T)) @ net.wo.weight.T
    assert torch.allclose(net(x[None], torch.arange(11))[0], wanted, rtol=1e-4, atol=1e-7)


def test_a_recurrence_counts_as_attention_in_a_trace() -> None:
    bars = [(0.0, 10.0, SCAN), (2.0, 5.0, "aten::bmm"), (6.0, 7.0, "tianji::cp"), (11.0, 12.0, "aten::mul")]
    assert exclusive_times(bars) == {"attention": 9.0, "cp_comm": 1.0, "vector": 1.0}
