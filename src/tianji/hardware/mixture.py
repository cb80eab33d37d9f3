"""A mixture: pools of unlike chips joined by one more tier, to train one job together."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.hardware.pool import Pool, Tier


@dataclass(frozen=True, slots=True)
class Mixture:
    """Two or more parts, each a pool of one kind of chip, and the ``joint`` tier between them.

    ``joint.bandwidth`` is what one chip sends towards another part, one direction. Everything inside a part goes over
    that part's own tiers.
    """

    name: str
    title: str
    parts: tuple[Pool, ...]
    joint: Tier
    notes: tuple[str, ...] = ()

    @property
    def chips(self) -> int:
        """Chips of all parts."""
        return sum(part.chips for part in self.parts)
