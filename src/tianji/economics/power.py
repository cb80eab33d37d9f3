"""Power of a pool: of one chip, a board, a cabinet and a pod, busy and idle, before and after cooling.

Each figure has its source in the catalog, of the pool, of its chip or of the site.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tianji.catalog import PowerFigures, Site, load_power
from tianji.catalog.sites import bracket_power
from tianji.errors import UnknownFigureError
from tianji.hardware import Figure, Pool
from tianji.ranges import Range
from tianji.units import Watts

Basis = Literal["published", "derived", "bracket"]
"""What a power stands on: a publication, the chip's own limit, or a guess, as nobody published one."""


@dataclass(frozen=True, slots=True)
class PoolPower:
    """Watts of a pool. ``chip`` is one chip with its share of all that serves it, before the site's cooling."""

    chip: Range
    chips: int
    node_chips: int
    unit_chips: int
    cabinet_chips: float | None
    """Chips for each cabinet, those with switches counted; None where nobody published the cabinets."""
    pue: Range
    busy_share: Range
    idle_share: Range
    basis: Basis
    figure: Figure
    """What it stands on, with source and confidence."""

    @property
    def node(self) -> Range:
        """Watts of one host with its share of the rest."""
        return self.chip * self.node_chips

    @property
    def cabinet(self) -> Range | None:
        """Watts of one cabinet, on average over all of a unit."""
        return None if self.cabinet_chips is None else self.chip * self.cabinet_chips

    @property
    def unit(self) -> Range:
        """Watts of one unit: a node, a rack or a pod."""
        return self.chip * self.unit_chips

    @property
    def stated(self) -> Range:
        """Watts of all chips, as stated, before cooling."""
        return self.chip * self.chips

    @property
    def busy(self) -> Range:
        """Mean watts in training, before cooling."""
        return self.stated * self.busy_share

    @property
    def idle(self) -> Range:
        """Watts without work, before cooling."""
        return self.stated * self.idle_share

    @property
    def site(self) -> Range:
        """Watts that the site must deliver, with cooling."""
        return self.stated * self.pue


def find_pue(pool: Pool, site: Site) -> Range:
    """Return the site's power over the pool's, by how the pool is cooled; both kinds together span both."""
    liquid, air = site.pue_liquid.range, site.pue_air.range
    if "air" in pool.cooling and "liquid" in pool.cooling:
        return Range(liquid.low, (liquid.nominal + air.nominal) / 2, air.high)
    return liquid if "liquid" in pool.cooling else air


def find_power(
    pool: Pool,
    site: Site,
    *,
    chip_power: Watts | None = None,
    pue: float | None = None,
    figures: PowerFigures | None = None,
) -> PoolPower:
    """Return the power of a pool: as published, else from its chip's limit, else the bracket of a chip that has none.

    Args:
        pool: With the chips that are powered, spares among them.
        site: Whose cooling the chips have.
        chip_power: The user's own watts of one chip with its share of all that serves it; it stands before all else.
        pue: The user's own power of the site over that of the pool; None: the site's, by how the pool is cooled.
        figures: Shares of busy and idle power, and brackets; None: the catalog's.

    Raises:
        UnknownFigureError: Nobody published a power, and the chip has no bracket.
    """
    figures = figures or load_power()
    figure, chip, basis = _find_chip(pool, figures, chip_power)
    cabinets = pool.cabinets
    return PoolPower(
        chip=chip, chips=pool.chips, node_chips=pool.node, unit_chips=pool.unit,
        cabinet_chips=None if cabinets is None else pool.unit / cabinets.value,
        pue=Range.exactly(pue) if pue is not None else find_pue(pool, site),
        busy_share=figures.busy_share.range, idle_share=figures.idle_share.range, basis=basis, figure=figure,
    )  # fmt: skip


def _find_chip(pool: Pool, figures: PowerFigures, chip_power: Watts | None) -> tuple[Figure, Range, Basis]:
    if chip_power is not None:
        figure = Figure(chip_power, "your own", "user")
        return figure, figure.range, "published"
    if pool.power is not None:
        return pool.power, pool.power.range / pool.unit, "published"
    if pool.chip.power is not None:
        return pool.chip.power, pool.chip.power.range * figures.server_over_chip.range, "derived"
    bracket = bracket_power(pool.chip, figures)
    if bracket is None:
        raise ask_power(pool)
    return bracket, bracket.range, "bracket"


def ask_power(pool: Pool) -> UnknownFigureError:
    """Return the question for a power that nobody published."""
    name = pool.chip.name
    return UnknownFigureError(name, "power", "with its share of all that serves it", f"--power {name}=WATTS")
