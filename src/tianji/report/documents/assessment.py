"""One pool in a document of pool against pool: its plan with all measures, its bill, its power and what they stand on."""

from __future__ import annotations

from typing import Literal, TypedDict

from tianji.catalog import Site
from tianji.comparison import Assessment
from tianji.comparison.assessment import PaidPool
from tianji.comparison.measures import MEASURES, Assessed, Measure
from tianji.comparison.mixed_assessment import MixedAssessment
from tianji.comparison.side_by_side import format_pool
from tianji.economics import ChipHour, PoolPower
from tianji.hardware.calibration import Calibration
from tianji.parallel.layouts import abbreviate_layout
from tianji.ranges import Range, RangeDocument
from tianji.report.documents.cited_figures import (
    CitedFigureDocument,
    FigureDocument,
    PublicationDocument,
    figure_document,
    figures_document,
    publications_in,
    site_figures_document,
)
from tianji.report.documents.goodput_summary import describe_loss
from tianji.report.documents.plan_result import PlanResultDocument, plan_result_document
from tianji.report.documents.ranges import range_document
from tianji.report.documents.request import (
    CalibrationDocument,
    TierDocument,
    calibration_document,
    pool_document,
)
from tianji.report.documents.software import SoftwareDocument, part_software_document, software_document
from tianji.units import TERA


class MeasureDocument(TypedDict):
    """One row of a comparison."""

    title: str
    unit: str
    """Of ``value``; empty for a plain number."""
    better: Literal["more", "less", ""]
    value: RangeDocument | None
    """Null where a figure that it needs is not published."""


class PriceDocument(TypedDict):
    """What a chip-hour is paid by."""

    basis: Literal["rent", "own", "unknown"]
    sources: list[str]
    bracket_usd: RangeDocument | None
    """Where no price is published: what owning would cost at the published prices of the chip, a bracket and not a price."""
    publications: list[PublicationDocument]


class PowerDocument(TypedDict):
    """Watts of a pool, from the chip to the site."""

    basis: Literal["published", "derived", "bracket"]
    """``derived``: from the chip's own limit; ``bracket``: nobody published one."""
    figure: FigureDocument
    chip_w: RangeDocument
    """One chip with its share of all that serves it."""
    node_w: RangeDocument
    cabinet_w: RangeDocument | None
    unit_w: RangeDocument
    """A node, a rack or a pod."""
    busy_w: RangeDocument
    """All chips in training, before cooling."""
    idle_w: RangeDocument
    site_w: RangeDocument
    """What the site must deliver, cooling included."""
    pue: RangeDocument
    """Power of the site over that of the pool."""


class SiteDocument(TypedDict):
    """Where a pool stands."""

    name: str
    title: str
    figures: dict[str, FigureDocument]
    """``electricity`` (USD of 1 kWh), ``carbon`` (kg of CO2 of 1 kWh), ``exchange`` (CNY for a dollar)."""


class PartDocument(TypedDict):
    """One part of a mixture that works: what it is, and what its figures stand on."""

    name: str
    """The pool with its chips."""
    pool: str
    title: str
    status: str
    chip: str
    chips: int
    chips_with_spares: int
    memory_total_bytes: float | None
    """On its fullest chip; null where the plan says none."""
    bill_usd: dict[str, RangeDocument] | None
    """Of 10¹² useful tokens of the whole mixture, by item."""
    price: PriceDocument
    power: PowerDocument | None
    site: SiteDocument
    tiers: list[TierDocument]
    software: SoftwareDocument | None
    calibration: CalibrationDocument
    figures: list[CitedFigureDocument]


class AssessmentDocument(TypedDict):
    """The best plan on one pool or on a mixture of pools, and what it means.

    Of a mixture the keys that hold for one kind of chip are null, and ``parts`` has them of each.
    """

    name: str
    """The pool with its chips, like ``1,024 × hgx-h100``."""
    pool: str
    title: str
    status: str
    beyond_unit: str | None
    """What is assumed of a pool larger than one unit."""
    chip: str
    chips: int
    chips_with_spares: int
    """Those that are paid for."""
    idle: str | None
    """How many chips no plan uses, in words."""
    units: int
    """Nodes, racks or pods, as sold, spares counted."""
    unit_chips: int | None
    free: str | None
    """How much of the last unit stays free, in words."""
    own_or_rent: str | None
    """What owning costs over renting, in words; null where one of the two has no price."""
    measures: dict[str, MeasureDocument]
    bill_usd: dict[str, RangeDocument] | None
    """Of 10¹² useful tokens, by item; without a price there is no item, without a power no bill."""
    price: PriceDocument | None
    power: PowerDocument | None
    site: SiteDocument | None
    replicas: int
    """Of which a failure stops only one; 1: it stops the job."""
    loss_in_words: str
    goodput_losses: dict[str, float]
    """Shares of wall-clock time that are no progress, by kind."""
    unknown: list[str]
    """Figures that nobody published, and how to state them."""
    plan: PlanResultDocument | None
    layout: str
    step_time_range_s: RangeDocument
    leans_on: str
    """What the step time rests on."""
    precision: str
    tiers: list[TierDocument]
    software: SoftwareDocument | None
    """What is said, or assumed, to run it."""
    calibration: CalibrationDocument | None
    figures: list[CitedFigureDocument]
    parts: list[PartDocument]
    """Of a mixture; else empty."""


def assessment_document(a: Assessed, calibration: Calibration) -> AssessmentDocument:
    """Return a plan with all measures, bills and sources: of one pool, or of a mixture."""
    return _of_mixture(a, calibration) if isinstance(a, MixedAssessment) else _of_pool(a, calibration)


def _of_pool(a: Assessment, calibration: Calibration) -> AssessmentDocument:
    """Return one pool's plan with all measures, bills and sources."""
    pool, precision = a.pool, a.result.plan.job.precision
    return {
        "name": format_pool(a),
        "pool": pool.name,
        "title": pool.title,
        "status": pool.status,
        "beyond_unit": pool.caveat or None,
        "chip": pool.chip.name,
        "chips": pool.chips,
        "chips_with_spares": a.chips,
        "idle": a.idle or None,
        "units": a.floor_space.units,
        "unit_chips": a.floor_space.unit_chips,
        "own_or_rent": a.own_or_rent or None,
        "free": a.free or None,
        "measures": {measure.key: measure_document(measure, a) for measure in MEASURES},
        "bill_usd": None if a.bill is None else {name: item.to_dict() for name, item in a.bill.items.items()},
        "price": price_document(a.chip_hour),
        "power": None if a.power is None else power_document(a.power),
        "site": site_document(a.site),
        "replicas": a.goodput.replicas,
        "loss_in_words": describe_loss(a.goodput),
        "goodput_losses": dict(a.goodput.nominal.losses),
        "unknown": list(a.unknown),
        "plan": plan_result_document(a.result, a.goodput.reliability),
        "layout": abbreviate_layout(a.result.plan.strategy),
        "step_time_range_s": range_document(a.step_time),
        "leans_on": a.step_time.leans_on,
        "precision": precision.name,
        "tiers": pool_document(pool)["tiers"],
        "software": software_document(calibration, a.result.plan),
        "calibration": calibration_document(calibration, pool, a.result.plan.job.model),
        "figures": [*figures_document(pool, (precision.linear, precision.high)), *site_figures_document(pool)],
        "parts": [],
    }


def _of_mixture(a: MixedAssessment, calibration: Calibration) -> AssessmentDocument:
    """Return the plan of a mixture; what holds for one kind of chip stands in its parts."""
    mixture, taken = a.place, a.outcome.taken_alone
    return {
        "name": a.name,
        "pool": mixture.name,
        "title": mixture.title,
        "status": "mixture",
        "beyond_unit": None,
        "chip": " and ".join(part.chip.name for part in mixture.parts),
        "chips": a.offered,
        "chips_with_spares": a.chips,
        "idle": a.idle or None,
        "units": a.floor_space.units,
        "unit_chips": None,
        "own_or_rent": a.own_or_rent or None,
        "free": a.free or None,
        "measures": {measure.key: measure_document(measure, a) for measure in MEASURES},
        "bill_usd": None,
        "price": None,
        "power": None,
        "site": None,
        "replicas": a.goodput.replicas,
        "loss_in_words": describe_loss(a.goodput),
        "goodput_losses": dict(a.goodput.nominal.losses),
        "unknown": list(a.unknown),
        "plan": None if taken is None else plan_result_document(taken, a.goodput.reliability),
        "layout": a.layout,
        "step_time_range_s": range_document(a.step_time),
        "leans_on": a.step_time.leans_on,
        "precision": a.job.precision.name,
        "tiers": [],
        "software": None,
        "calibration": None,
        "figures": [],
        "parts": [_part(a, part, calibration) for part in a.parts],
    }


def _part(a: MixedAssessment, part: PaidPool, calibration: Calibration) -> PartDocument:
    pool, precision = part.pool, a.job.precision
    bill = part.bill(TERA / a.useful, a.given.electricity)
    return {
        "name": f"{pool.chips:,} × {pool.name}",
        "pool": pool.name,
        "title": pool.title,
        "status": pool.status,
        "chip": pool.chip.name,
        "chips": pool.chips,
        "chips_with_spares": part.chips,
        "memory_total_bytes": next((filled for name, filled, _ in a.fullest if name == pool.name), None),
        "bill_usd": None if bill is None else {name: item.to_dict() for name, item in bill.items.items()},
        "price": price_document(part.chip_hour),
        "power": None if part.power is None else power_document(part.power),
        "site": site_document(part.site),
        "tiers": pool_document(pool)["tiers"],
        "software": part_software_document(calibration, pool.chip),
        "calibration": calibration_document(calibration, pool, a.job.model),
        "figures": [*figures_document(pool, (precision.linear, precision.high)), *site_figures_document(pool)],
    }


def measure_document(measure: Measure, a: Assessed) -> MeasureDocument:
    """Return one measure in its own unit, so that a table and a plot need no further conversion."""
    value = measure.of(a)
    scaled = None if value is None else (value * measure.scale).to_dict()
    return {"title": measure.title, "unit": measure.unit, "better": measure.better, "value": scaled}


def price_document(hour: ChipHour) -> PriceDocument:
    """Return what the price of a chip-hour stands on."""
    return {
        "basis": hour.basis,
        "sources": list(hour.sources),
        "bracket_usd": _or_null(hour.bracket),
        "publications": publications_in(hour.sources),
    }


def power_document(power: PoolPower) -> PowerDocument:
    """Return the power of a pool."""
    return {
        "basis": power.basis,
        "figure": figure_document(power.figure),
        "chip_w": power.chip.to_dict(),
        "node_w": power.node.to_dict(),
        "cabinet_w": _or_null(power.cabinet),
        "unit_w": power.unit.to_dict(),
        "busy_w": power.busy.to_dict(),
        "idle_w": power.idle.to_dict(),
        "site_w": power.site.to_dict(),
        "pue": power.pue.to_dict(),
    }


def site_document(site: Site) -> SiteDocument:
    """Return a site with its figures."""
    figures = {"electricity": site.electricity, "carbon": site.carbon, "exchange": site.exchange}
    return {
        "name": site.name,
        "title": site.title,
        "figures": {name: figure_document(figure) for name, figure in figures.items()},
    }


def _or_null(value: Range | None) -> RangeDocument | None:
    return None if value is None else value.to_dict()
