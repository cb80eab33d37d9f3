"""Context parallelism: causal attention over a sequence of which each rank holds a part.

PyTorch's own ``context_parallel`` has no rule for attention on CPUs, so the three ways stand here:

* ``all_gather``: keys and values of all ranks are gathered; each rank masks for its own queries.
* ``ulysses``: all_to_all turns parts of the sequence into parts of the heads, and back.
* ``ring``: keys and values travel round, and partial softmaxes are merged by their log-sum-exp (Liu et al. 2023). Rank r of n
  holds the r-th chunk of 2n from the front and from the back, so that causal attention loads all ranks alike.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import P2POp, ProcessGroup
from torch.distributed._functional_collectives import all_gather_tensor_autograd, all_to_all_single_autograd
from torch.nn import functional

from tianji.backends.trainer.transformer import Attend


def place_tokens(seq_len: int, size: int, rank: int, kind: str) -> Tensor:
    """Return the positions in the sequence that a context rank holds, in its own order.

    >>> place_tokens(8, 2, 0, "ring").tolist(), place_tokens(8, 2, 0, "ulysses").tolist()
    ([0, 1, 6, 7], [0, 1, 2, 3])
    """
    if size == 1 or kind != "ring":
        return torch.arange(seq_len).view(size, -1)[rank]
    chunks = torch.arange(seq_len).view(2 * size, -1)
    return torch.cat((chunks[rank], chunks[2 * size - 1 - rank]))


def choose_attention(group: ProcessGroup | None, kind: str) -> Attend:
    """Return causal attention for the ranks of a context group; None stands for one rank with whole sequences."""
    if group is None or group.size() == 1:
        return attend_whole

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if kind == "ulysses":
            return _attend_heads(q, k, v, group)
        if kind == "all_gather":
            return _attend_gathered(q, k, v, group)
        attended: Tensor = _Ring.apply(q, k, v, group)
        return attended

    return attend


def attend_whole(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Return causal attention where the sequence is whole; (batch, heads, sequence, dim)."""
    k, v = _match_heads(q, k, v)
    return functional.scaled_dot_product_attention(q, k, v, is_causal=True)


def _match_heads(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    repeat = q.shape[1] // k.shape[1]
    return (k, v) if repeat == 1 else (k.repeat_interleave(repeat, dim=1), v.repeat_interleave(repeat, dim=1))


def _attend_gathered(q: Tensor, k: Tensor, v: Tensor, group: ProcessGroup) -> Tensor:
    both = torch.cat((k, v), dim=-1).movedim(2, 0).contiguous()
    whole = all_gather_tensor_autograd(both, 0, group).movedim(0, 2)
    k, v = _match_heads(q, *whole.split((k.shape[-1], v.shape[-1]), dim=-1))
    start = q.shape[2] * dist.get_rank(group)
    rows = torch.arange(start, start + q.shape[2], device=q.device)
    mask = rows[:, None] >= torch.arange(k.shape[2], device=q.device)
    return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _attend_heads(q: Tensor, k: Tensor, v: Tensor, group: ProcessGroup) -> Tensor:
    size = group.size()
    if k.shape[1] % size:  # fewer key-value heads than ranks: each rank needs a copy of its own
        k, v = _match_heads(q, k, v)
    q, k, v = (_to_heads(x, group) for x in (q, k, v))
    return _to_sequence(attend_whole(q, k, v), group)


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
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, group: ProcessGroup) -> Tensor:
        rank, size = dist.get_rank(group), group.size()
        # Copies: selective recomputation may hold on to what the matmuls returned, and these are written to.
        out, total = (x.clone() for x in _block(q, k, v, causal=True))
        packed = _pack(k, v)
        for step in range(1, size):
            packed = _pass_on(packed, group)
            rows, columns = _overlap(q, rank, (rank - step) % size)
            part, part_total = _block(q[:, :, rows], *_unpack(packed[:, :, columns], k), causal=False)
            merged = torch.logaddexp(total[:, :, rows], part_total)
            old, new = (total[:, :, rows] - merged).exp(), (part_total - merged).exp()
            out[:, :, rows] = out[:, :, rows] * old.unsqueeze(-1) + part * new.unsqueeze(-1)
            total[:, :, rows] = merged
        ctx.save_for_backward(q, k, v, out, total)
        ctx.group = group
        return out.to(q.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        """Keys and values go round once more, and their gradients travel with them back to their owner."""
        q, k, v, out, total = ctx.saved_tensors
        rank, size = dist.get_rank(ctx.group), ctx.group.size()
        share = (grad.float() * out).sum(-1)
        grad_q, grad_k, grad_v = _block_backward(grad, q, k, v, total, share, causal=True)
        packed = _pack(k, v)
        grads = torch.zeros_like(packed, dtype=torch.float32)
        for step in range(1, size):
            packed = _pass_on(packed, ctx.group)
            # The owner adds its own part at the end, so that the sum starts its way one rank on.
            grads = _pass_on(grads, ctx.group) if step > 1 else grads
            rows, columns = _overlap(q, rank, (rank - step) % size)
            here = _unpack(packed[:, :, columns], k)
            part_q, part_k, part_v = _block_backward(
                grad[:, :, rows], q[:, :, rows], *here, total[:, :, rows], share[:, :, rows], causal=False
            )
            grad_q[:, :, rows] += part_q
            grads[:, :, columns] += _pack(part_k, part_v)
        from_others = _unpack(_pass_on(grads, ctx.group), k)
        grad_k, grad_v = grad_k + from_others[0], grad_v + from_others[1]
        return grad_q.to(q.dtype), grad_k.to(k.dtype), grad_v.to(v.dtype), None


def _overlap(q: Tensor, rank: int, owner: int) -> tuple[slice, slice]:
    """Return which queries see which keys of another rank, all of both: all and the early, or the late and all."""
    chunk = q.shape[2] // 2
    return (slice(None), slice(0, chunk)) if owner < rank else (slice(chunk, None), slice(None))


def _block(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> tuple[Tensor, Tensor]:
    """Return the attention within one block in fp32, and the log-sum-exp of its scores."""
    k, v = _match_heads(q, k, v)
    scores = _scores(q, k, causal)
    total = scores.logsumexp(-1)
    return (scores - total.unsqueeze(-1)).exp() @ v.float(), total


def _block_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, total: Tensor, share: Tensor, *, causal: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of q, k and v within one block; ``total`` and ``share`` are over all blocks."""
    num_heads = k.shape[1]
    k, v = _match_heads(q, k, v)
    weights = (_scores(q, k, causal) - total.unsqueeze(-1)).exp()
    grad_v = weights.transpose(-1, -2) @ grad.float()
    inner = weights * (grad.float() @ v.float().transpose(-1, -2) - share.unsqueeze(-1)) * q.shape[-1] ** -0.5
    grad_k = inner.transpose(-1, -2) @ q.float()
    # Queries that share a key-value head add up in its gradient.
    shared = (x.unflatten(1, (num_heads, -1)).sum(2) for x in (grad_k, grad_v))
    return inner @ k.float(), *shared


def _scores(q: Tensor, k: Tensor, causal: bool) -> Tensor:
    scores = q.float() @ k.float().transpose(-1, -2) * q.shape[-1] ** -0.5
    # A rank's own block: its chunks lie apart, but in their order, so the plain triangle masks them rightly.
    return scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf) if causal else scores


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
