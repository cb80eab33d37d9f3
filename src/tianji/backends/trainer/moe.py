"""MLPs: a dense one, and a mixture of experts whose experts are spread over ranks by all_to_all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed import ProcessGroup
from torch.distributed._functional_collectives import all_to_all_single, all_to_all_single_autograd
from torch.distributed.tensor import DTensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


class SwiGLU(nn.Module):
    """The dense MLP: two projections and a gate, or one projection and GELU where the model has no gate."""

    def __init__(self, hidden: int, *, width: int, gated: bool = True, bias: bool = False) -> None:
        super().__init__()
        bias = bool(bias)
        self.gate = nn.Linear(hidden, width, bias=bias) if gated else None
        self.up = nn.Linear(hidden, width, bias=bias)
        self.down = nn.Linear(width, hidden, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the MLP's part of the stream."""
        inner = functional.gelu(self.up(x)) if self.gate is None else functional.silu(self.gate(x)) * self.up(x)
        return self.down(inner)


class LocalExperts(nn.Module):
    """The routed experts' weights, (experts, out, in); a rank holds consecutive ones. Without a gate there is a GELU."""

    def __init__(self, hidden: int, width: int, num_experts: int, *, gated: bool = True) -> None:
        super().__init__()
        self.gate = nn.Parameter(torch.empty(num_experts, width, hidden)) if gated else None
        self.up = nn.Parameter(torch.empty(num_experts, width, hidden))
        self.down = nn.Parameter(torch.empty(num_experts, hidden, width))
        self.context_fn: Callable[[], Any] | None = None
        """What selective recomputation keeps; None: everything."""

    def forward(self, x: Tensor, counts: list[int]) -> Tensor:
        """Return each token's answer; tokens (n, hidden) lie in the order of this rank's experts, ``counts`` for each."""
        weights = (None if self.gate is None else local_part(self.gate), local_part(self.up), local_part(self.down))
        if self.context_fn is None:
            return _answer(x, counts, *weights)
        answers: Tensor = checkpoint(_answer, x, counts, *weights, use_reentrant=False, context_fn=self.context_fn)
        return answers


def _answer(x: Tensor, counts: list[int], gate: Tensor | None, up: Tensor, down: Tensor) -> Tensor:
    # Unbound, not indexed: the gradient of an index is a zero for every other expert's weights.
    tokens, ups, downs = x.split(counts), up.unbind(), down.unbind()
    if gate is None:
        inner = [functional.gelu(functional.linear(t, u)) for t, u in zip(tokens, ups, strict=True)]
    else:
        gated = zip(tokens, gate.unbind(), ups, strict=True)
        inner = [functional.silu(functional.linear(t, g)) * functional.linear(t, u) for t, g, u in gated]
    return torch.cat([functional.linear(t, d) for t, d in zip(inner, downs, strict=True)])


class MixtureOfExperts(nn.Module):
    """Router, routed experts and shared experts.

    The router scores in fp32: a softmax whose chosen weights are made to sum to 1 (Qwen), or with a balancing bias a sigmoid
    (DeepSeek-V3). Every token is served, however uneven the choice.
    """

    def __init__(
        self, hidden: int, *, num_experts: int, top_k: int, width: int, gated: bool = True, shared_width: int = 0,
        shared_gate: bool = False, router_bias: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.num_experts, self.top_k = num_experts, top_k
        self.router = nn.Linear(hidden, num_experts, bias=False)
        self.experts = LocalExperts(hidden, width, num_experts, gated=gated)
        self.shared: nn.Module | None = SwiGLU(hidden, width=shared_width, gated=gated) if shared_width else None
        self.shared_gate = nn.Linear(hidden, 1, bias=False) if shared_width and shared_gate else None
        self.balance: Tensor | None
        self.register_buffer("balance", torch.zeros(num_experts) if router_bias else None)
        self.group: ProcessGroup | None = None
        """The ranks that share out the experts; None: all of them are here."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the MLP's part of the stream, of this rank's own tokens."""
        scores, tokens = local_part(self.router(x)).float(), local_part(x)
        weights, chosen = self._choose(scores.flatten(0, 1))
        routed = self._route(tokens.flatten(0, 1), weights.to(tokens.dtype), chosen).view_as(tokens)
        if self.shared is None:
            return routed
        shared = self.shared(x)
        if self.shared_gate is not None:
            shared = torch.sigmoid(local_part(self.shared_gate(x))) * shared
        return routed + shared

    def _choose(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return the weights and the numbers of each token's experts, (tokens, top_k)."""
        if self.balance is None:
            weights, chosen = scores.softmax(-1).topk(self.top_k)
        else:
            open_gates = scores.sigmoid()
            chosen = (open_gates + self.balance).topk(self.top_k).indices
            weights = open_gates.gather(-1, chosen)
        return weights / weights.sum(-1, keepdim=True), chosen

    def _route(self, tokens: Tensor, weights: Tensor, chosen: Tensor) -> Tensor:
        order = chosen.flatten().argsort(stable=True)
        counts = torch.bincount(chosen.flatten(), minlength=self.num_experts)
        copies = tokens.index_select(0, order // self.top_k)
        answers = self._serve(copies, counts) if self.group else self.experts(copies, counts.tolist())
        back = torch.zeros_like(answers).index_copy(0, order, answers)
        return (back.unflatten(0, (-1, self.top_k)) * weights.unsqueeze(-1)).sum(1)

    def _serve(self, copies: Tensor, counts: Tensor) -> Tensor:
        """Send each copy to the rank of its expert and bring the answers back."""
        if self.group is None:
            raise ValueError("no group to send to")
        size = self.group.size()
        local = self.num_experts // size
        arriving = all_to_all_single(counts, None, None, self.group)
        sent = counts.view(size, local).sum(1).tolist()
        received = arriving.view(size, local).sum(1).tolist()
        here = all_to_all_single_autograd(copies, received, sent, self.group)
        # They arrive sorted by sender, then expert; the experts want them by expert.
        of_expert = torch.arange(local, device=copies.device).repeat(size).repeat_interleave(arriving)
        order = of_expert.argsort(stable=True)
        answers = self.experts(here.index_select(0, order), arriving.view(size, local).sum(0).tolist())
        unsorted = torch.zeros_like(answers).index_copy(0, order, answers)
        return all_to_all_single_autograd(unsorted, sent, received, self.group)


def local_part(x: Tensor) -> Tensor:
    """Return this rank's part of a tensor that may be distributed."""
    return x.to_local() if isinstance(x, DTensor) else x
