"""The best chunks of a patterned model, where ranks hold several: interleaving, V-shaped schedules and DualPipe.

Layers of unlike weight lie in an order, and a rank holds chunks from several places of it. What a rank takes and needs hangs on
how many layers of each kind it holds, so that one table of all such counts answers for every rank. For a bottleneck that is tried
states are carried from chunk to chunk: the place that is reached and what each rank holds. Equal ones are one, and those that
cannot end are dropped. The least bottleneck that has an end is found by bisection.

Where a rank holds a chunk of the front and one of the back, two places say all: every state is carried, and the answer is exact.
Under interleaving at most ``MOST_STATES`` are carried, the most even ones, and the answer is exact where no more arose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tianji.units import Array, Seconds

MOST_STATES = 400
"""States of an interleaved pipeline that are carried from one chunk to the next."""
MOST_COUNTS = 200_000
"""Unlike counts of layers by kind of which a table is made; a model with more stays dealt out."""
NEARLY = 1.0 + 1e-12


@dataclass(frozen=True, slots=True)
class Ranks:
    """What each rank of a pipeline takes with every count of layers, and which chunks it holds."""

    groups: Sequence[tuple[int, ...]]
    """The chunks of each rank, in the order in which a micro-batch passes them."""
    codes: Array
    """Of each place the layers before it: their counts by kind as one number. Of several layers it is the difference of two."""
    before: Array
    """Seconds of the layers before each place, on a rank that holds them."""
    quickest: Seconds
    """Of one layer."""
    seconds: Array
    """Of each rank (first axis) with each code; infinite where it does not fit or takes longer than it may."""
    least: tuple[int, ...]
    """Fewest layers of each chunk."""

    @classmethod
    def of(
        cls, groups: Sequence[tuple[int, ...]], counts: Array, kinds: Array, load: Callable[[Array], Array],
        bar: Seconds, least: tuple[int, ...],
    ) -> Ranks | None:  # fmt: skip
        """Return the ranks of a pipeline; None where there are more than MOST_COUNTS counts of layers.

        ``counts[i]`` are the layers of each kind before place i, ``kinds`` the seconds of one of each kind on a rank, ``load(n)``
        what every rank takes with n layers (rows of counts). No rank takes longer than ``bar``.
        """
        whole = counts[-1].astype(int)
        most = np.minimum(whole, np.floor(np.minimum(bar / kinds * NEARLY, whole))).astype(int)
        if np.prod(most + 1.0) > MOST_COUNTS or np.prod(whole + 1.0) > 10 * MOST_COUNTS:
            return None
        strides = np.concatenate(([1], np.cumprod(whole[:-1] + 1)))
        contents = np.stack(np.meshgrid(*(np.arange(n + 1) for n in most), indexing="ij"), axis=-1).reshape(
            -1, len(most)
        )
        contents = contents[contents @ kinds <= bar * NEARLY]
        seconds = np.full((len(groups), int(np.prod(whole + 1))), np.inf)
        seconds[:, contents @ strides] = load(contents.astype(float))
        return cls(groups, (counts @ strides).astype(int), counts @ kinds, float(kinds.min()), seconds, least)

    @property
    def owners(self) -> list[int]:
        """The rank of each chunk."""
        rank_of = {chunk: rank for rank, chunks in enumerate(self.groups) for chunk in chunks}
        return [rank_of[chunk] for chunk in range(len(rank_of))]

    def loads(self, cuts: Array) -> Array:
        """Return what each rank takes where chunks lie between the given places; rows of cuts make rows of loads."""
        codes = np.diff(self.codes[cuts])
        columns = [
            row[codes[..., list(chunks)].sum(axis=-1)] for row, chunks in zip(self.seconds, self.groups, strict=True)
        ]
        return np.stack(columns, axis=-1)

    def room(self, bar: Seconds) -> Array:
        """Return the seconds of layers that each rank can hold at most in ``bar`` seconds: layers cannot be halved."""
        most: Array = np.where(self.seconds <= bar, self.seconds, -np.inf).max(axis=1) - self.seconds[:, 0]
        return most

    def longest(self, rank: int, bar: Seconds) -> int:
        """Return the most layers that a rank can hold in ``bar`` seconds."""
        return int(min((bar - self.seconds[rank, 0]) / self.quickest * NEARLY, len(self.codes) - 1.0))


def divide_pattern(ranks: Ranks) -> tuple[int, ...] | None:
    """Return the layers of each chunk so that the slowest rank takes least, then as even as can be; None where none fits."""
    if not np.isfinite(ranks.seconds[:, 0]).all():
        return None
    turns_round = all(sum(chunks) == 2 * len(ranks.groups) - 1 and len(chunks) == 2 for chunks in ranks.groups)
    carry = _take_pairs if turns_round else _take_rounds
    known = np.unique(ranks.seconds[np.isfinite(ranks.seconds)])
    even = (ranks.before[-1] + ranks.seconds[:, 0].sum()) / len(ranks.groups)
    known = known[known * NEARLY >= even]
    low, high = 0, len(known)
    best: Array | None = None
    while low < high:
        middle = (low + high) // 2
        bar = float(known[middle]) * NEARLY
        cuts = carry(ranks, bar) if ranks.room(bar).sum() * NEARLY >= ranks.before[-1] else None
        if cuts is None:
            low = middle + 1
        else:
            best = cuts
            high = min(middle, int(np.searchsorted(known * NEARLY, ranks.loads(cuts).max())))
    return None if best is None else tuple(np.diff(_even_out(ranks, best)).tolist())


def _take_pairs(ranks: Ranks, bar: Seconds) -> Array | None:
    """Return cuts under which no rank takes longer than ``bar``, where each holds a chunk of the front and one of the back."""
    end, num_ranks = len(ranks.codes) - 1, len(ranks.groups)
    states, ways = np.asarray([[0, end]]), []
    behind = np.cumsum(ranks.room(bar)[::-1])[::-1] * NEARLY
    for rank, chunks in enumerate(ranks.groups[:-1]):
        sizes = [np.arange(ranks.least[chunk], ranks.longest(rank, bar) + 1) for chunk in chunks]
        front, back = (n.ravel() for n in np.meshgrid(*sizes, indexing="ij"))
        a, b = states[:, :1] + front, states[:, 1:] - back
        which, step = np.nonzero(b - a >= 2 * (num_ranks - 1 - rank))
        a, b = a[which, step], b[which, step]
        code = ranks.codes[a] - ranks.codes[states[which, 0]] + ranks.codes[states[which, 1]] - ranks.codes[b]
        kept = (ranks.seconds[rank, code] <= bar) & (ranks.before[b] - ranks.before[a] <= behind[rank + 1])
        firsts = np.unique(a[kept] * (end + 1) + b[kept], return_index=True)[1]
        states = np.stack((a[kept][firsts], b[kept][firsts]), axis=1)
        ways.append((which[kept][firsts], states))
    a, b = states.T
    least = [ranks.least[chunk] for chunk in ranks.groups[-1]]
    ends = np.flatnonzero((ranks.seconds[-1, ranks.codes[b] - ranks.codes[a]] <= bar) & (b - a >= sum(least)))
    if not len(ends):
        return None
    place = int(ends[0])
    middle = int(min(max((a[place] + b[place]) // 2, a[place] + least[0]), b[place] - least[1]))
    cuts = [middle]
    for came_from, reached in reversed(ways):
        cuts = [int(reached[place, 0]), *cuts, int(reached[place, 1])]
        place = int(came_from[place])
    return np.asarray([0, *cuts, end])


def _take_rounds(ranks: Ranks, bar: Seconds) -> Array | None:
    """Return cuts under which no rank takes longer than ``bar``, where ranks hold chunks by turns; None where none was found.

    Of each state are known the place, what each rank holds, a number that is its alone (``names``), how far its ranks are from an
    even pace (``haste``, squares of seconds), and what ranks with no further chunk hold (``closed``, seconds).
    """
    owners, end, room = ranks.owners, len(ranks.codes) - 1, ranks.room(bar)
    factors = np.random.default_rng(0).integers(1, 2**62, len(room) + 1)
    places, contents, names = np.zeros(1, dtype=int), np.zeros((1, len(room)), dtype=int), np.zeros(1, dtype=int)
    haste, closed = np.zeros(1), np.zeros(1)
    last_of = [max(chunks) for chunks in ranks.groups]
    ways: list[tuple[Array, Array]] = []
    for chunk, rank in enumerate(owners):
        sizes = np.arange(ranks.least[chunk], ranks.longest(rank, bar) + 1)
        after, own = places[:, None] + sizes, contents[:, rank]
        is_last = chunk == len(owners) - 1
        which, step = np.nonzero(after == end if is_last else after <= end - sum(ranks.least[chunk + 1 :]))
        after = after[which, step]
        code = own[which] + ranks.codes[after] - ranks.codes[places[which]]
        seconds = ranks.seconds[rank, code]
        taken, taken_before = seconds - ranks.seconds[rank, 0], ranks.seconds[rank, own] - ranks.seconds[rank, 0]
        done = sum(k <= chunk for k in ranks.groups[rank]) / len(ranks.groups[rank])
        later = done - 1.0 / len(ranks.groups[rank])
        hasty = haste[which] + (taken - done * room[rank]) ** 2 - (taken_before - later * room[rank])[which] ** 2
        ended = closed[which] + (taken if chunk == last_of[rank] else 0.0)
        still = sum(float(room[r]) for r, last in enumerate(last_of) if last > chunk)
        name = names[which] + (code - own[which]) * factors[rank] + (after - places[which]) * factors[-1]
        kept = np.flatnonzero((seconds <= bar) & (ended + still * NEARLY >= ranks.before[-1] * (1.0 - 1e-12)))
        kept = kept[np.unique(name[kept], return_index=True)[1]]
        if len(kept) > MOST_STATES:
            kept = kept[np.argpartition(hasty[kept], MOST_STATES)[:MOST_STATES]]
        if not len(kept):
            return None
        came_from = which[kept]
        contents = contents[came_from]
        contents[:, rank] = code[kept]
        places, names, haste, closed = after[kept], name[kept], hasty[kept], ended[kept]
        ways.append((came_from, places))
    return _walk_back(ways)


def _walk_back(ways: Sequence[tuple[Array, Array]]) -> Array:
    """Return the cuts of the first state that reached the end."""
    place, cuts = 0, []
    for came_from, reached in reversed(ways):
        cuts.append(int(reached[place]))
        place = int(came_from[place])
    return np.asarray([0, *reversed(cuts)])


def _even_out(ranks: Ranks, cuts: Array) -> Array:
    """Return cuts moved by one layer at a time, while chunks get more even and the slowest rank no slower."""
    bar = float(ranks.loads(cuts).max()) * NEARLY
    least = np.asarray(ranks.least)
    steps = np.concatenate((np.eye(len(cuts), dtype=int)[1:-1], -np.eye(len(cuts), dtype=int)[1:-1]))
    while True:
        tried = cuts + steps
        layers = np.diff(tried)
        legal = (layers >= least).all(axis=1)
        gain = (np.diff(cuts) ** 2).sum() - (layers**2).sum(axis=1)
        better = np.flatnonzero(legal & (gain > 0))
        better = better[(ranks.loads(tried[better]) <= bar).all(axis=1)] if len(better) else better
        if not len(better):
            return cuts
        cuts = tried[better[np.argmax(gain[better])]]
