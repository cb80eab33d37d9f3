"""A pool: chips in nested tiers joined by links."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tianji.errors import IllegalStrategyError, UnknownFigureError
from tianji.hardware.chip import Chip
from tianji.hardware.figure import Figure
from tianji.units import BytesPerSecond, Seconds

MAX_CHIPS = 10_000_000
"""A count of chips beyond it is a slip."""
TOPOLOGIES = ("mesh", "switch", "clos", "torus")


@dataclass(frozen=True, slots=True)
class Tier:
    """One nesting level with one kind of link.

    ``span`` is the number of chips that one unit of this tier joins (8 for an 8-chip node, 8,192 for a SuperPoD);
    0 means as many as there are. ``bandwidth`` is what one chip sends into the tier, one direction, all its links
    together; ``oversubscription`` divides it when every chip sends out of its unit at once.

    In a full mesh each pair of units has a link of its own, so a chip reaches its whole bandwidth only when it talks to
    all its peers: ``mesh`` prices a group of g of the tier's n units at (g - 1)/(n - 1) of the bandwidth.
    """

    name: str
    topology: str
    span: int
    bandwidth: Figure | None
    latency: Figure | None
    oversubscription: float = 1.0
    kind: str = "scale-up"
    """``scale-up`` (memory-semantic, inside a pod) or ``scale-out`` (network between pods or nodes)."""

    def rate(self, owner: str) -> BytesPerSecond:
        """Return bytes per second of one chip, one direction, after oversubscription.

        Raises UnknownFigureError, which names the ``owner`` (a pool), when nobody published the bandwidth.
        """
        if self.bandwidth is None:
            raise UnknownFigureError(owner, f"bandwidth of the tier {self.name!r}")
        return self.bandwidth.value / self.oversubscription

    def delay(self) -> Seconds | None:
        """Return the published one-way latency, or None: the calibration then supplies one."""
        return None if self.latency is None else self.latency.value


@dataclass(frozen=True, slots=True)
class Pool:
    """Chips of one kind in nested tiers, innermost first; the last tier joins everything.

    ``unit`` is the number of chips sold as one (a node, a pod); ``chips`` the number in this pool. ``usable_memory``
    is the fraction of a chip's memory that a job can have.
    """

    name: str
    title: str
    vendor: str
    chip: Chip
    tiers: tuple[Tier, ...]
    chips: int
    unit: int
    node: int
    """Chips of one host."""
    max_chips: int = 0
    """The largest count that the architecture joins; 0 where nothing limits it."""
    larger: str = ""
    """The pool of the catalog that joins more of these units; empty where none does."""
    beyond: str = ""
    """What joins more than one unit and how much of that is assumed; empty where it is the usual network."""
    status: str = "shipping"
    usable_memory: float = 0.94
    power: Figure | None = None
    """All of one unit, with its switches and fans, before the site's cooling."""
    price: Figure | None = None
    cabinets: Figure | None = None
    area: Figure | None = None
    optics: Figure | None = None
    """Optical modules of one unit: they take space and fail."""
    rents: tuple[tuple[str, Figure], ...] = ()
    """Published prices of one chip-hour, electricity included, by what each is; the first is the usual one."""
    cooling: str = ""
    facts: tuple[tuple[str, Figure], ...] = ()
    """Further published figures of one unit (throughput, totals), by name. They are for people: nothing is computed of them."""
    notes: tuple[str, ...] = ()

    def with_chips(self, chips: int) -> Pool:
        """Return this pool with another number of chips.

        Raises IllegalStrategyError when the architecture cannot join that many.
        """
        if chips < 1:
            raise IllegalStrategyError(f"{self.name}: expected at least 1 chip, got {chips}")
        if chips > MAX_CHIPS:
            raise IllegalStrategyError(f"{self.name}: {chips:,} chips are absurd; expected at most {MAX_CHIPS:,}")
        if self.max_chips and chips > self.max_chips:
            raise IllegalStrategyError(
                f"{self.name} joins at most {self.max_chips:,} chips, but {chips:,} were asked for; "
                f"take fewer (--chips {self.max_chips}) or {self.larger or 'a pool with a further tier'}"
            )
        return replace(self, chips=chips)

    @property
    def caveat(self) -> str:
        """What is assumed of a pool of more than one unit; empty where nothing is."""
        if not self.beyond or self.chips <= self.unit:
            return ""
        return f"{self.chips:,} chips are more than one unit of {self.unit:,}. {self.beyond}"

    def spans(self) -> tuple[int, ...]:
        """Return how many chips each tier joins in this pool, innermost first; the last equals ``chips``."""
        inner = tuple(min(t.span or self.chips, self.chips) for t in self.tiers[:-1])
        return (*inner, self.chips)
