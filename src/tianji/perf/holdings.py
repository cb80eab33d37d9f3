"""What each rank of a pipeline holds, as plain numbers: the parts of the model that its schedule gives it, added up.

A rank that holds several stages works for all of them, keeps the activations of all of them and the weights of all of them: one
sum serves time and memory. Sources of the schedules: Huang et al. 2019; Narayanan et al. 2021; Qi et al. 2023, 2024; DeepSeek-V3.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.stages import Stages, read_stages
from tianji.parallel.strategy import Strategy
from tianji.units import Array
from tianji.workload import Model


class LayerSequence(NamedTuple):
    """The layers of a model in their order, as far as a cut into stages asks for them."""

    num_layers: int
    num_mtp_layers: int
    leading: int = 0
    """Dense layers ahead of the others."""
    share: float = 0.0
    """Of the layers behind them, how many are mixtures of experts."""
    pattern: tuple[int, ...] = ()
    """Of each layer which block it is; then the two fields above say nothing."""
    tail: int = 0
    """Layers that the prediction modules and the heads of the last chunk weigh."""

    @classmethod
    def of(cls, model: Model) -> LayerSequence:
        """Return the sequence of one model."""
        if model.blocks:
            return cls(model.num_layers, model.num_mtp_layers, pattern=model.pattern, tail=int(tail_layers(model)))
        leading = model.moe.num_leading_dense if model.moe else 0
        share = model.num_moe_layers / max(model.num_layers - leading, 1)
        return cls(model.num_layers, model.num_mtp_layers, leading, share, tail=int(tail_layers(model)))

    def counts_before(self) -> list[tuple[float, ...]]:
        """Return how many layers of each kind lie before layer 0, 1, ... and before the end."""
        if self.pattern:
            kinds = range(max(self.pattern) + 1)
            return [tuple(float(self.pattern[:i].count(kind)) for kind in kinds) for i in range(self.num_layers + 1)]
        moe = [max(i - self.leading, 0) * self.share for i in range(self.num_layers + 1)]
        return [(i - experts, experts) for i, experts in enumerate(moe)]


class Holding(NamedTuple):
    """What one rank holds: of counts, as many as a micro-batch passes there, on average over the micro-batches."""

    rank: int
    layers: tuple[float, ...]
    """Of each kind: dense and MoE, or the model's blocks."""
    embedding: float
    modules: float
    """Multi-token-prediction modules."""
    head: float
    copies: float
    """Of what a micro-batch passes the rank holds the weights so many times: DualPipe's two stages see half of them each."""


def tail_layers(model: Model) -> Array:
    """Return how many layers the prediction modules weigh, each with a head of its own, and the model's head beside them.

    Who trains with such modules places layers by hand: DeepSeek-V3 in Megatron-Bridge has 16, 16, 16 and 13 layers on four
    stages, and 4 on each of fifteen and 1 on the last of sixteen. A model without modules is divided evenly.
    """
    if not model.num_mtp_layers:
        return np.asarray(0)
    active = model.num_active_parameters - model.embedding_parameters() - model.head_parameters()
    head = model.hidden_size * model.vocab_size / (active / model.num_layers)
    weight = model.num_mtp_layers * (1.0 + head) + head
    rounded: Array = np.rint(weight).astype(int)
    return rounded


def deal_layers(num_layers: int, chunks: int, tail: int = 0) -> tuple[int, ...]:
    """Return how many of ``num_layers`` each of some chunks gets: even, the ends without an extra one where others can take it.

    The last chunk goes without ``tail`` layers, which its prediction modules and heads weigh, or without as many as it has.

    >>> deal_layers(10, 4), deal_layers(8, 3), deal_layers(61, 4, 4)
    ((2, 3, 3, 2), (3, 3, 2), (16, 16, 16, 13))
    """
    tail = tail if chunks > 1 else 0
    while tail > (most := (num_layers + tail) // chunks):
        tail = most
    # One layer that is left over goes to the last chunk: no other gets longer for it.
    tail -= tail > 0 and (num_layers + tail) % chunks == 1
    base, rest = divmod(num_layers + tail, chunks)
    middle = min(rest, max(chunks - 2, 0))
    first = 1 if rest > middle else 0
    last = 1 if rest > middle + first and chunks > 1 else 0
    inner = [base + (0 < i <= middle) for i in range(1, chunks - 1)]
    return (base + first, *inner, base + last - tail)[:chunks]


def chunk_stages(sequence: LayerSequence, schedule: str, pp: int, vpp: int, stages: str = "") -> Stages:
    """Return what every chunk of a pipeline holds: the ``stages`` that a strategy names, or what is dealt out.

    ``schedule``, ``pp`` and ``vpp`` are the strategy's: they say how many chunks there are. Stages of another pipeline are dealt
    out, too: no legal strategy has them, but a search prices them beside legal ones.
    """
    count = SCHEDULES[schedule].num_chunks(pp, vpp)
    named = read_stages(stages) if stages else None
    if named is None or len(named.layers) != count or sum(named.layers) != sequence.num_layers:
        named = Stages(deal_layers(sequence.num_layers, count, sequence.tail))
    return named.complete(sequence.num_mtp_layers)


def stages_of(model: Model, strategy: Strategy) -> Stages:
    """Return what every chunk of one plan's pipeline holds, in the order in which a micro-batch passes them."""
    s = strategy
    return chunk_stages(LayerSequence.of(model), s.schedule, s.pp, s.vpp, s.stages)


@lru_cache(maxsize=4096)
def hold_all(sequence: LayerSequence, schedule: str, pp: int, vpp: int, stages: str = "") -> tuple[Holding, ...]:
    """Return what every rank of a pipeline holds, the first rank first; the arguments are those of :func:`chunk_stages`."""
    how, named = SCHEDULES[schedule], chunk_stages(sequence, schedule, pp, vpp, stages)
    modules = named.modules or (0,) * len(named.layers)
    ends = list(accumulate(named.layers, initial=0))
    before, last = sequence.counts_before(), len(named.layers) - 1
    copies = 2.0 if how.is_paired else 1.0
    holdings: list[Holding] = []
    for rank in range(pp):
        chunks = how.chunks_of_rank(pp, vpp, rank)
        rows = [tuple(b - a for a, b in zip(before[ends[k]], before[ends[k + 1]], strict=True)) for k in chunks]
        head = sum(k == last for k in chunks) / copies
        holdings.append(
            Holding(
                rank,
                tuple(sum(column) / copies for column in zip(*rows, strict=True)),
                sum(k == 0 for k in chunks) / copies,
                sum(modules[k] for k in chunks) / copies,
                head,
                copies,
            )
        )
    return tuple(holdings)


@lru_cache(maxsize=4096)
def hold_most(sequence: LayerSequence, schedule: str, pp: int, vpp: int, stages: str = "") -> tuple[Holding, ...]:
    """Return the ranks among which is the slowest and the fullest: those of which no earlier one holds as much of everything.

    An earlier rank has at least as many micro-batches in flight. The first rank is always one of them, and stands first. The
    arguments are those of :func:`chunk_stages`.
    """
    kept: list[Holding] = []
    for one in hold_all(sequence, schedule, pp, vpp, stages):
        if not any(_covers(other, one) for other in kept):
            kept.append(one)
    return tuple(kept)


def _covers(other: Holding, one: Holding) -> bool:
    more = (other.embedding >= one.embedding, other.modules >= one.modules, other.head >= one.head)
    return all(more) and all(a >= b for a, b in zip(other.layers, one.layers, strict=True))
