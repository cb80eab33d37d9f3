"""Context parallelism: causal attention over a sequence of which each rank holds a part, whole or in a sliding window.

PyTorch's own ``context_parallel`` has no rule for attention on CPUs, so the three ways stand here:

* ``all_gather``: keys and values of all ranks are gathered; each rank masks for its own queries.
* ``ulysses``: all_to_all turns parts of the sequence into parts of the heads, and back.
* ``ring``: keys and values travel round, and partial softmaxes are merged by their log-sum-exp (Liu et al. 2023). Rank r of n
  holds the r-th chunk of 2n from the front and from the back, so that causal attention loads all ranks alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import P2POp, ProcessGroup
from torch.distributed._functional_collectives import all_gather_tensor_autograd, all_to_all_single_autograd
from torch.nn import functional


def place_tokens(seq_len: int, size: int, rank: int, kind: str) -> Tensor:
    """Return the positions in the sequence that a context rank holds, in its own order.

    >>> place_tokens(8, 2, 0, "ring").tolist(), place_tokens(8, 2, 0, "ulysses").tolist()
    ([0, 1, 6, 7], [0, 1, 2, 3])
    """
    if size == 1 or kind != "ring":
        return torch.arange(seq_len).view(size, -1)[rank]
    chunks = torch.arange(seq_len).view(2 * size, -1)
    return torch.cat((chunks[rank], chunks[2 * size - 1 - rank]))


@dataclass(frozen=True, slots=True)
class SequenceCut:
    """How a sequence lies over the ranks of a context group: None, or a group of one, has it whole."""

    group: ProcessGroup | None = None
    kind: str = "ring"

    def rank(self) -> int:
        """Return this rank's place in the group."""
        return 0 if self.group is None else dist.get_rank(self.group)

    def turns(self) -> list[int]:
        """Return which rank holds each connected piece of the sequence, from its start on."""
        ranks = list(range(1 if self.group is None else self.group.size()))
        return ranks + ranks[::-1] if self.kind == "ring" and len(ranks) > 1 else ranks

    def attend(self, q: Tensor, k: Tensor, v: Tensor, window: int = 0) -> Tensor:
        """Return causal attention of this rank's queries over the whole sequence; all are (batch, heads, sequence, dim).

        ``window`` is how many tokens each sees, itself included (0: all before it).
        """
        if self.group is None or self.group.size() == 1:
            return attend_whole(q, k, v, window)
        if self.kind == "ulysses":
            return _attend_heads(q, k, v, window, self.group)
        if self.kind == "all_gather":
            return _attend_gathered(q, k, v, window, self.group)
        attended: Tensor = _Ring.apply(q, k, v, window, self.group)
        return attended


UNCUT = SequenceCut()
"""Every rank has whole sequences."""


def attend_whole(q: Tensor, k: Tensor, v: Tensor, window: int = 0) -> Tensor:
    """Return causal attention where the sequence is whole; (batch, heads, sequence, dim)."""
    k, v = _match_heads(q, k, v)
    if not 0 < window < q.shape[2]:
        return functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    places = torch.arange(q.shape[2], device=q.device)
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=~_hidden(places, places, window))


def _hidden(rows: Tensor, columns: Tensor, window: int) -> Tensor:
    """Return which keys, by their positions, the queries at ``rows`` do not see: later ones, and those before the window."""
    hidden = columns > rows[:, None]
    return hidden | (columns <= rows[:, None] - window) if window else hidden


def _match_heads(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    repeat = q.shape[1] // k.shape[1]
    return (k, v) if repeat == 1 else (k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1))


def _attend_gathered(q: Tensor, k: Tensor, v: Tensor, window: int, group: ProcessGroup) -> Tensor:
    both = torch.cat((k, v), dim=-1).movedim(2, 0).contiguous()
    whole = all_gather_tensor_autograd(both, 0, group).movedim(0, 2)
    k, v = _match_heads(q, *whole.split((k.shape[-1], v.shape[-1]), dim=-1))
    start = q.shape[2] * dist.get_rank(group)
    rows = torch.arange(start, start + q.shape[2], device=q.device)
    hidden = _hidden(rows, torch.arange(k.shape[2], device=q.device), window)
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=~hidden)


def _attend_heads(q: Tensor, k: Tensor, v: Tensor, window: int, group: ProcessGroup) -> Tensor:
    size = group.size()
    if k.shape[1] % size:  # fewer key-value heads than ranks: each rank needs a copy of its own
        k, v = _match_heads(q, k, v)
    q, k, v = (_to_heads(x, group) for x in (q, k, v))
    return _to_sequence(attend_whole(q, k, v, window), group)


def _to_heads(x: Tensor, group: ProcessGroup) -> Tensor:
    """(batch, heads, s/n, d) of all ranks to (batch, heads/n, s, d)."""
    parts = x.unflatten(1, (group.size(), -1)).movedim(1, 0).contiguous()
    swapped = _swap(parts, group)  # now the first dim is the part of the sequence
    return swapped.movedim(0, 2).flatten(2, 3)


def _to_sequence(x: Tensor, group: ProcessGroup) -> Tensor:
    """(batch, heads/n, s, d) of all ranks to (batch, heads, s/n, d)."""
    parts = x.unflatten(2, (group.size(), -1)).movedim(2, 0).contiguous()
    return _swap(parts, group).movedim(0, 1).flatten(1, 2)


def _swap(parts: Tensor, group: ProcessGroup) -> Tensor:
    ones = [1] * group.size()
    return all_to_all_single_autograd(parts, ones, ones, group)


class _Ring(torch.autograd.Function):
    """Attention with keys and values on their way round; q, k, v are (batch, heads, 2c, dim), an early and a late chunk.

    Keys and values travel with their own heads, which may be fewer than the queries'.
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, window: int, group: ProcessGroup) -> Tensor:
        rank, size = dist.get_rank(group), group.size()
        places = _places(q, size)
        # Copies: selective recomputation may hold on to what the matmuls returned, and these are written to.
        out, total = (x.clone() for x in _block(q, k, v, _hidden(places[rank], places[rank], window)))
        packed = _pack(k, v)
        for step in range(1, size):
            packed = _pass_on(packed, group)
            owner = (rank - step) % size
            rows, columns = _overlap(q, rank, owner)
            hidden = _hidden(places[rank][rows], places[owner][columns], window) if window else None
            part, part_total = _block(q[:, :, rows], *_unpack(packed[:, :, columns], k), hidden)
            merged = torch.logaddexp(total[:, :, rows], part_total)
            old, new = (total[:, :, rows] - merged).exp(), (part_total - merged).exp()
            out[:, :, rows] = out[:, :, rows] * old.unsqueeze(-1) + part * new.unsqueeze(-1)
            total[:, :, rows] = merged
        ctx.save_for_backward(q, k, v, out, total)
        ctx.window, ctx.group = window, group
        return out.to(q.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        """Keys and values go round once more, and their gradients travel with them back to their owner."""
        q, k, v, out, total = ctx.saved_tensors
        rank, size = dist.get_rank(ctx.group), ctx.group.size()
        share = (grad.float() * out).sum(-1)
        places, window = _places(q, size), ctx.window
        own = _hidden(places[rank], places[rank], window)
        grad_q, grad_k, grad_v = _block_backward(grad, q, k, v, total, share, own)
        packed = _pack(k, v)
        grads = torch.zeros_like(packed, dtype=torch.float32)
        for step in range(1, size):
            packed = _pass_on(packed, ctx.group)
            # The owner adds its own part at the end, so that the sum starts its way one rank on.
            grads = _pass_on(grads, ctx.group) if step > 1 else grads
            owner = (rank - step) % size
            rows, columns = _overlap(q, rank, owner)
            hidden = _hidden(places[rank][rows], places[owner][columns], window) if window else None
            here = _unpack(packed[:, :, columns], k)
            part_q, part_k, part_v = _block_backward(
                grad[:, :, rows], q[:, :, rows], *here, total[:, :, rows], share[:, :, rows], hidden
            )
            grad_q[:, :, rows] += part_q
            grads[:, :, columns] += _pack(part_k, part_v)
        from_others = _unpack(_pass_on(grads, ctx.group), k)
        grad_k, grad_v = grad_k + from_others[0], grad_v + from_others[1]
        return grad_q.to(q.dtype), grad_k.to(k.dtype), grad_v.to(v.dtype), None, None


def _overlap(q: Tensor, rank: int, owner: int) -> tuple[slice, slice]:
    """Return which queries see which keys of another rank, all of both: all and the early, or the late and all."""
    chunk = q.shape[2] // 2
    return (slice(None), slice(0, chunk)) if owner < rank else (slice(chunk, None), slice(None))


def _places(q: Tensor, size: int) -> list[Tensor]:
    """Return the positions that each rank of a ring holds."""
    return [place_tokens(q.shape[2] * size, size, rank, "ring").to(q.device) for rank in range(size)]


def _block(q: Tensor, k: Tensor, v: Tensor, hidden: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the attention within one block in fp32, and the log-sum-exp of its scores: of no key, 0 and -inf."""
    k, v = _match_heads(q, k, v)
    scores = _scores(q, k, hidden)
    total = scores.logsumexp(-1)
    return (scores - total.clamp(min=torch.finfo(total.dtype).min).unsqueeze(-1)).exp() @ v.float(), total


def _block_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, total: Tensor, share: Tensor, hidden: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of q, k and v within one block; ``total`` and ``share`` are over all blocks."""
    num_heads = k.shape[1]
    k, v = _match_heads(q, k, v)
    weights = (_scores(q, k, hidden) - total.unsqueeze(-1)).exp()
    grad_v = weights.transpose(-1, -2) @ grad.float()
    inner = weights * (grad.float() @ v.float().transpose(-1, -2) - share.unsqueeze(-1)) * q.shape[-1] ** -0.5
    grad_k = inner.transpose(-1, -2) @ q.float()
    # Queries that share a key-value head add up in its gradient.
    shared = (x.unflatten(1, (num_heads, -1)).sum(2) for x in (grad_k, grad_v))
    return inner @ k.float(), *shared


def _scores(q: Tensor, k: Tensor, hidden: Tensor | None) -> Tensor:
    scores = q.float() @ k.float().transpose(-1, -2) * q.shape[-1] ** -0.5
    return scores if hidden is None else scores.masked_fill(hidden, -torch.inf)


def _pack(k: Tensor, v: Tensor) -> Tensor:
    return torch.cat((k, v), dim=-1).contiguous()


def _unpack(packed: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    return packed[..., : k.shape[-1]], packed[..., k.shape[-1] :]


def _pass_on(x: Tensor, group: ProcessGroup) -> Tensor:
    """Send to the next rank and take from the one before; the receive is posted first, which gloo rewards."""
    rank, size = dist.get_rank(group), group.size()
    arrived = torch.empty_like(x)
    before, after = (dist.get_global_rank(group, (rank + d) % size) for d in (-1, 1))
    moves = [P2POp(dist.irecv, arrived, before, group), P2POp(dist.isend, x.contiguous(), after, group)]
    for work in dist.batch_isend_irecv(moves):
        work.wait()
    return arrived
