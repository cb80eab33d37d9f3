"""The layers of a stage, and whose turn it is in a pipeline where sending waits for the receiver.

MindSpore has no Send and Receive on CPUs; two neighbours meet in a collective of their own instead. Both must come to their
meetings in the same order, or all ranks wait for ever. So a stage takes the next micro-batch in before it hands a gradient back.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tianji.parallel import Strategy
from tianji.perf.holdings import stages_of
from tianji.workload import Model

Kind = Literal["take", "forward", "pass", "fetch", "backward", "return"]
"""``take`` the stream from the stage before, ``pass`` it to the one after; ``fetch`` the gradient from the stage after,
``return`` it to the one before."""
Turn = tuple[Kind, int]
"""What to do, with which micro-batch."""


def layers_of_stage(model: Model, strategy: Strategy, index: int) -> range:
    """Return the layers of a pipeline stage: those that the strategy names, or as many as are dealt out to it."""
    counts = stages_of(model, strategy).layers
    return range(sum(counts[:index]), sum(counts[: index + 1]))


def order_turns(schedule: str, index: int, num_stages: int, count: int) -> list[Turn]:
    """Return all that stage ``index`` of ``num_stages`` does in a step of ``count`` micro-batches, in order.

    ``gpipe``: all forward passes, then all backward passes. ``1f1b``: as many forward passes ahead as stages follow, then one
    backward pass after each forward pass (Narayanan 2021).

    >>> order_turns("1f1b", 1, 2, 2)
    [('take', 0), ('forward', 0), ('backward', 0), ('take', 1), ('return', 0), ('forward', 1), ('backward', 1), ('return', 1)]
    """
    ahead = count if schedule == "gpipe" else min(num_stages - 1 - index, count)
    return [turn for turn in _all_turns(ahead, count) if _has(turn[0], index, num_stages)]


def _all_turns(ahead: int, count: int) -> Iterator[Turn]:
    for i in range(ahead):
        yield from (("take", i), ("forward", i), ("pass", i))
    if ahead < count:
        yield "take", ahead
    for i in range(ahead, count):
        yield from (("forward", i), ("pass", i), ("fetch", i - ahead), ("backward", i - ahead))
        if i + 1 < count:
            yield "take", i + 1
        yield "return", i - ahead
    for i in range(count - ahead, count):
        yield from (("fetch", i), ("backward", i), ("return", i))


def _has(kind: Kind, index: int, num_stages: int) -> bool:
    if kind in ("take", "return"):
        return index > 0
    return kind not in ("pass", "fetch") or index < num_stages - 1
