"""Linear recurrences over a sequence, in chunks: what gated delta nets, Mamba-2 and lightning attention have in common.

A head has a state S of (key, value). A token with key k, value v, query q and decay exp(g) does

    S = exp(g) S;   with a delta rule v = beta (v - S' k);   S = S + k v';   o = S' q

Within a chunk this is a few matmuls (Dao and Gu 2024; Yang et al. 2024). Where ranks hold parts of a sequence, the state at the
end of one part is sent to the rank that holds the next, in fp32.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import P2POp, ProcessGroup
from torch.distributed._functional_collectives import all_gather_tensor_autograd, all_reduce, wait_tensor
from torch.profiler import record_function

from tianji.backends.trainer.context_parallel import SequenceCut
from tianji.workload.ops import SCAN_CHUNK


def scan(q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor | None, cut: SequenceCut) -> Tensor:
    """Return what each token reads, (batch, heads, sequence, value), of this rank's part of the sequence.

    q and k are (batch, heads, sequence, key), v (batch, heads, sequence, value); ``decay`` is g, at most 0, and ``beta`` the
    strength of the delta rule (None: without), both (batch, heads, sequence).
    """
    q, k, v, decay = (x.float() for x in (q, k, v, decay))
    beta = None if beta is None else beta.float()
    first = v.new_zeros(*k.shape[:2], k.shape[-1], v.shape[-1])
    turns, rank = cut.turns(), cut.rank()
    if len(turns) == 1:
        return _Scan.apply(q, k, v, decay, beta, first)[0]
    own_turns = [turn for turn, holder in enumerate(turns) if holder == rank]
    inputs = ([None] * len(own_turns) if x is None else x.chunk(len(own_turns), dim=2) for x in (q, k, v, decay, beta))
    # What is sent and received hangs on one chain of tokens, so that the backward pass goes through it in reverse.
    parts, state, token = [], first, 0.0 * v[:, :, :1, :1]
    for turn, *piece in zip(own_turns, *inputs, strict=True):
        if turn and turns[turn - 1] != rank:
            state = _Receive.apply(first, token, turns[turn - 1], cut.group)
        part, state = _Scan.apply(*piece, state)
        parts.append(part)
        if turn + 1 < len(turns) and turns[turn + 1] != rank:
            token = _Send.apply(state, token, turns[turn + 1], cut.group)
    return torch.cat(parts, dim=2) + token


def preceding(x: Tensor, count: int, cut: SequenceCut) -> list[tuple[Tensor, Tensor]]:
    """Return each connected piece of this rank's (batch, sequence, width) and the ``count`` tokens before; first zeros."""
    turns, rank = cut.turns(), cut.rank()
    if len(turns) == 1 or cut.group is None:
        return [(x.new_zeros(x.shape[0], count, x.shape[2]), x)]
    own_turns = [turn for turn, holder in enumerate(turns) if holder == rank]
    pieces = x.chunk(len(own_turns), dim=1)
    ends = torch.stack([piece[:, -count:] for piece in pieces])
    # The ends of all pieces, in the order of the ranks and of each one's pieces.
    gathered = all_gather_tensor_autograd(ends.contiguous(), 0, cut.group)
    owners = sorted(range(len(turns)), key=lambda turn: (turns[turn], turn))
    # The first piece has none before it, yet its rank must take part in the backward pass of what all ranks gathered.
    before = [gathered[owners.index(turn - 1)] if turn else 0.0 * gathered[0] for turn in own_turns]
    return list(zip(before, pieces, strict=True))


def scan_chunks(
    q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor | None, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what each token reads and the state at the end; arguments as of :func:`scan`, and the state at the start."""
    parts = []
    for start in range(0, q.shape[2], SCAN_CHUNK):
        chunk = slice(start, start + SCAN_CHUNK)
        one = None if beta is None else beta[:, :, chunk]
        part, state = _scan_chunk(q[:, :, chunk], k[:, :, chunk], v[:, :, chunk], decay[:, :, chunk], one, state)
        parts.append(part)
    return torch.cat(parts, dim=2), state


def _scan_chunk(
    q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor | None, state: Tensor
) -> tuple[Tensor, Tensor]:
    """One chunk: with G the sum of g, token i sees token j <= i weakened by exp(G_i - G_j), and the state by exp(G_i)."""
    total = decay.cumsum(-1)
    lower = torch.ones(total.shape[-1], total.shape[-1], dtype=torch.bool, device=q.device).tril()
    # Masked before the exponential: above the diagonal it would overflow, and its gradient with it.
    between = (total.unsqueeze(-1) - total.unsqueeze(-2)).masked_fill(~lower, -torch.inf).exp()
    since = total.exp().unsqueeze(-1)
    if beta is not None:
        # What a token writes depends on what those before it wrote: a triangular system.
        strength = beta.unsqueeze(-1)
        system = (strength * (k @ k.transpose(-1, -2)) * between).tril(-1)
        v = torch.linalg.solve_triangular(system, strength * (v - since * (k @ state)), upper=False, unitriangular=True)
    out = since * (q @ state) + (q @ k.transpose(-1, -2) * between) @ v
    rest = (total[..., -1:] - total).exp().unsqueeze(-1)
    return out, state * total[..., -1, None, None].exp() + (k * rest).transpose(-1, -2) @ v


class _Scan(torch.autograd.Function):
    """:func:`scan_chunks` as one op: the trace calls it one, and only its inputs are kept for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, decay: Tensor, beta: Tensor | None, state: Tensor
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(q, k, v, decay, beta, state)
        with record_function("tianji::scan"):
            return scan_chunks(q, k, v, decay, beta, state)

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_state: Tensor) -> tuple[Tensor | None, ...]:
        inputs: list[Any] = [None if x is None else x.detach().requires_grad_() for x in ctx.saved_tensors]
        with record_function("tianji::scan"):
            with torch.enable_grad():
                out = scan_chunks(*inputs)
            known = iter(torch.autograd.grad(out, [x for x in inputs if x is not None], (grad, grad_state)))
        return tuple(None if x is None else next(known) for x in inputs)


class _Receive(torch.autograd.Function):
    """The state of the part before, from its rank; its gradient goes back there."""

    @staticmethod
    def forward(ctx: Any, like: Tensor, token: Tensor, rank: int, group: ProcessGroup) -> Tensor:
        ctx.rank, ctx.group, ctx.token = rank, group, token.shape
        return _move(dist.irecv, torch.empty_like(like), rank, group)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor, None, None]:
        _move(dist.isend, grad.contiguous(), ctx.rank, ctx.group)
        return None, grad.new_zeros(ctx.token), None, None


class _Send(torch.autograd.Function):
    """Send the state to the rank of the next part, from which its gradient comes back."""

    @staticmethod
    def forward(ctx: Any, state: Tensor, token: Tensor, rank: int, group: ProcessGroup) -> Tensor:
        ctx.rank, ctx.group, ctx.state = rank, group, state.shape
        _move(dist.isend, state.contiguous(), rank, group)
        return torch.zeros_like(token)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:
        arrived = _move(dist.irecv, grad.new_empty(ctx.state), ctx.rank, ctx.group)
        return arrived, torch.zeros_like(grad), None, None


def _move(op: Any, x: Tensor, rank: int, group: ProcessGroup) -> Tensor:
    for work in dist.batch_isend_irecv([P2POp(op, x, dist.get_global_rank(group, rank), group)]):
        work.wait()
    return x


class _SumOver(torch.autograd.Function):
    """A sum over ranks of which each goes on with its own part: their gradients are summed, too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        return wait_tensor(all_reduce(x, "sum", group))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return wait_tensor(all_reduce(grad, "sum", ctx.group)), None


def sum_over(x: Tensor, group: ProcessGroup | None) -> Tensor:
    """Return the sum of all ranks' x, which each of them uses for its own heads; of one rank where there is no group."""
    if group is None:
        return x
    total: Tensor = _SumOver.apply(x, group)
    return total
