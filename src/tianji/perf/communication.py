"""Time of collectives over the tiers of a pool. Every formula broadcasts over group sizes and bytes.

The α-β model (Hockney 1994; Thakur et al. 2005 for the collectives): a group with n_j members at tier j sends what must cross
that tier over its links, tiers working side by side in a pipeline, so that the slowest tier sets the time:

    all_gather of V bytes (the result):   max_j V (n_j - 1) / inner_j / rate_j  +  sum_j steps(n_j) α_j

with inner_j the group's members in one unit of tier j. reduce_scatter costs the same and all_reduce is the two in turn; on
one tier this is the ring's 2 (n - 1)/n V. ``steps`` is n - 1 for a ring and 2 ceil(log2 n) for a tree, whichever is less.
NCCL gathers and scatters in rings only, HCCL over many nodes in halving and doubling steps (NHR).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tianji.hardware import Pool, Tier
from tianji.hardware.constants import Constants
from tianji.parallel.mesh import RankGroup
from tianji.units import Array, Bytes, BytesPerSecond, Seconds


@dataclass(frozen=True, slots=True)
class SustainedTier:
    """One tier as a job sees it: the sustained rate of one chip, one direction, and the latency of one step."""

    rate: BytesPerSecond
    latency: Seconds
    topology: str
    units: int
    """Units of the tier below that one unit of this tier joins."""
    half_size: Bytes | float = 0.0
    """A collective of so many bytes takes twice as long a byte as a very large one."""
    is_inside: bool = True
    """Inside a pod; else between pods or nodes."""


@dataclass(frozen=True, slots=True)
class Links:
    """The tiers of a pool under a calibration, innermost first."""

    spans: tuple[int, ...]
    tiers: tuple[SustainedTier, ...]
    rings: bool = False
    """Gathers and scatters go round a ring of all members, however many there are."""
    scatter_factor: float = 1.0
    reduce_factor: float = 1.0
    exchange_factor: float = 1.0
    """Of reduce_scatter, all_reduce and all_to_all: what a library takes over the formula, of its own gather."""
    call: Seconds = 0.0
    """Of one collective, beside its steps; a send has none."""
    dispatch_factors: tuple[float, float] = (1.0, 1.0)
    """Of an expert dispatch inside a pod and between pods or nodes: its time over that of an all_to_all of the same bytes."""
    pace: float = 0.0
    """Least seconds of a byte of a dispatch inside a pod."""

    @classmethod
    def of(cls, pool: Pool, constants: Constants) -> Links:
        """Return the sustained tiers that the pool's chips reach into.

        Raises UnknownFigureError for the first such tier whose bandwidth nobody published.
        """
        sustained: list[SustainedTier] = []
        inner, spans = 1, []
        for tier, span in zip(pool.tiers, pool.spans(), strict=True):
            if inner >= pool.chips and sustained:
                break
            sustained.append(_sustain(pool.name, tier, constants, max(span // inner, 1)))
            spans.append(span)
            inner = span
        c = constants
        factors = (c.reduce_scatter_factor, c.all_reduce_factor, c.all_to_all_factor, c.call_overhead)
        dispatch = (c.dispatch_factor, c.dispatch_out_factor)
        return cls(tuple(spans), tuple(sustained), pool.chip.ecosystem == "cuda", *factors, dispatch, c.dispatch_pace)

    def all_gather(self, group: RankGroup, size: Array, pieces: Array | float = 1.0) -> Array:
        """Return the seconds to give every member the whole, of which each holds an equal share.

        Args:
            group: The ranks that take part, by the tiers that they cross.
            size: Bytes of the whole, the result.
            pieces: Into how many collectives it is cut, each of which pays the latency.

        Formula: max over tiers j of size · (n_j - 1) / inner_j / rate_j, and pieces · Σ steps(n_j) · α_j. Holds for one
        collective at a time on idle links. Sources: Hockney 1994; Thakur et al. 2005.
        """
        return self._go_round(group, size, pieces) + self._issue(group) * pieces

    def reduce_scatter(self, group: RankGroup, size: Array, pieces: Array | float = 1.0) -> Array:
        """Return the seconds to sum ``size`` bytes of every member and leave each with its share, cut into ``pieces``.

        ``reduce_scatter_factor`` times an all_gather of the same bytes: 1 for NCCL and HCCL.
        """
        return self.scatter_factor * self._go_round(group, size, pieces) + self._issue(group) * pieces

    def all_reduce(self, group: RankGroup, size: Array) -> Array:
        """Return the seconds to sum ``size`` bytes of every member and give all of them the result.

        A reduce_scatter and an all_gather in turn; on one tier the ring's 2 (n - 1)/n · size / rate.
        """
        return (2.0 * self.reduce_factor) * self._go_round(group, size, 1.0) + self._issue(group)

    def _go_round(self, group: RankGroup, size: Array, pieces: Array | float) -> Array:
        slowest: Array = np.asarray(0.0)
        delay: Array = np.asarray(0.0)
        for tier, n, inner in self._members(group):
            slowest = np.maximum(slowest, _grow(size, tier) * ((n - 1.0) / inner) / _peer_rate(tier, n))
            delay = delay + (n - 1.0 if self.rings else steps(n)) * tier.latency
        return slowest + delay * pieces

    def _issue(self, group: RankGroup) -> Array:
        return self.call * (group.size > 1)

    def all_to_all(self, group: RankGroup, size: Array) -> Array:
        """Return the seconds in which every member sends ``size`` bytes, spread evenly over all members."""
        slowest: Array = np.asarray(0.0)
        delay: Array = np.asarray(0.0)
        for tier, n, _ in self._members(group):
            slowest = np.maximum(slowest, _grow(size, tier) * (n - 1.0) / n / _peer_rate(tier, n) * _hops(tier, n))
            delay = delay + steps(n) * tier.latency
        return self.exchange_factor * (slowest + delay) + self._issue(group)

    def dispatch(
        self, group: RankGroup, size: Array, copies: int, routing: tuple[int, int] = (1, 1), once: Array | bool = True
    ) -> Array:
        """Return the seconds in which tokens go to their experts (or their answers back).

        Args:
            group: The ranks that take part, by the tiers that they cross.
            size: Bytes that one member sends, all copies of its tokens together.
            copies: Experts of a token.
            routing: Groups of experts, and from how many of them a token's experts come.
            once: Where a token crosses to each rank, and to each unit of an outer tier, at most once and is copied there: of k
                copies to u units as many cross as there are different units among them (:func:`reached_units`). Sources:
                DeepSeek-V3; DeepEP and HybridEP.

        Holds for even loads; the caller counts the busiest rank's.
        """
        slowest: Array = np.asarray(0.0)
        delay: Array = np.asarray(0.0)
        below: Array = np.asarray(1.0)
        for tier, n, inner in self._members(group):
            share = np.where(once, reached_units(group.size / below, copies, routing) / copies, 1.0)
            factor = self.dispatch_factors[0 if tier.is_inside else 1]
            pace = self.pace if tier.is_inside else 0.0
            each = np.maximum(
                _grow(size * share, tier) * (factor / _peer_rate(tier, n) * _hops(tier, n)), size * share * pace
            )
            slowest = np.maximum(slowest, each * ((n - 1.0) / n))
            delay = delay + steps(n) * tier.latency
            below = inner
        return self.exchange_factor * (slowest + delay) + self._issue(group)

    def send(self, group: RankGroup, size: Array) -> Array:
        """Return the seconds to pass ``size`` bytes to the next member: α + size / rate over the slowest tier between two."""
        slowest: Array = np.asarray(0.0)
        for tier, n, _ in self._members(group):
            rate = tier.rate / max(tier.units - 1, 1) if tier.topology == "mesh" else tier.rate
            slowest = np.maximum(slowest, (tier.latency + size / rate) * (n > 1))
        return slowest

    def lies_inside(self, group: RankGroup) -> Array:
        """Return where a group lies in one scale-up domain: no tier of another kind has two of its members' units."""
        inside: Array = np.asarray(True)
        for tier, n, _ in self._members(group):
            inside = inside & (tier.is_inside | (n == 1.0))
        return inside

    def _members(self, group: RankGroup) -> list[tuple[SustainedTier, Array, Array]]:
        members, below = [], np.asarray(1.0)
        for tier, inner in zip(self.tiers, group.members(self.spans), strict=True):
            members.append((tier, inner / below, inner))
            below = inner
        return members


def _sustain(owner: str, tier: Tier, constants: Constants, units: int) -> SustainedTier:
    inside = tier.kind == "scale-up"
    efficiency = constants.scale_up_efficiency if inside else constants.scale_out_efficiency
    fitted = constants.scale_up_latency if inside else constants.scale_out_latency
    half = constants.scale_up_half_size if inside else 0.0
    latency = np.maximum(fitted, tier.delay() or 0.0)
    return SustainedTier(tier.rate(owner) * efficiency, latency, tier.topology, units, half, inside)


def _grow(size: Array, tier: SustainedTier) -> Array:
    """Return the bytes that take as long at the rate of very large messages: V (1 + √(h/V)) = V + √(h V)."""
    if np.equal(tier.half_size, 0.0).all():
        return size
    grown: Array = size + np.sqrt(tier.half_size * size)
    return grown


def _peer_rate(tier: SustainedTier, n: Array) -> Array:
    """A mesh has one link for each peer: a group of n units uses n - 1 of them."""
    if tier.topology != "mesh" or tier.units <= 2:
        return np.asarray(tier.rate)
    return tier.rate * np.clip((n - 1.0) / (tier.units - 1.0), 1.0 / (tier.units - 1.0), 1.0)


def _hops(tier: SustainedTier, n: Array) -> Array:
    """In a 3-D torus of n chips an all_to_all message travels 3/4 of a side on average."""
    return np.maximum(0.75 * np.cbrt(n), 1.0) if tier.topology == "torus" else np.asarray(1.0)


def reached_units(units: Array, copies: int, routing: tuple[int, int] = (1, 1)) -> Array:
    """Return over how many of ``units`` the copies of a token are spread, on average.

    k copies on u units, each as likely as the other: u (1 - (1 - 1/u)^k). Where the router takes experts from g of G groups
    (``routing`` = (G, g); DeepSeek-V2 and V3) they lie on at most g of the units, or g u / G when a group spans several.

    >>> np.round(reached_units(np.array([1.0, 8.0]), 8), 2).tolist()
    [1.0, 5.25]
    >>> np.round(reached_units(np.array([8.0, 32.0]), 8, (8, 4)), 2).tolist()
    [3.6, 6.45]
    """
    num_groups, groups = routing
    allowed = units if num_groups == groups else np.minimum(units, groups * np.maximum(units / num_groups, 1.0))
    reached: Array = allowed * (1.0 - (1.0 - 1.0 / allowed) ** copies)
    return reached


def steps(n: Array) -> Array:
    """Return the latency-bound steps of a collective over n members: min(n - 1, 2 ceil(log2 n)).

    >>> steps(np.array([1, 2, 8, 64])).tolist()
    [0.0, 1.0, 6.0, 12.0]
    """
    mantissa, exponent = np.frexp(n)
    fewest: Array = np.minimum(n - 1.0, 2.0 * (exponent - (mantissa == 0.5)))
    return fewest
