"""JSON documents of pool against pool: every figure with its low, nominal and high case in SI units, and what it stands on."""

from __future__ import annotations

import math
from typing import Any

from tianji.comparison import Assessment, Comparison, Replacement, Sizing
from tianji.comparison.curve import Curve
from tianji.comparison.measures import MEASURES
from tianji.comparison.replacement import describe_answer
from tianji.comparison.side_by_side import format_pool
from tianji.hardware.calibration import Calibration
from tianji.ranges import Range
from tianji.report.documents.cited_figures import (
    figure_document,
    figures_document,
    publications_in,
    site_figures_document,
)
from tianji.report.documents.goodput_summary import describe_loss
from tianji.report.documents.plan_result import plan_result_document
from tianji.report.documents.request import calibration_document, pool_document, work_document


def comparison_document(comparison: Comparison, calibration: Calibration) -> dict[str, Any]:
    """Return all of a comparison. ``ratios`` are over the first pool."""
    return {
        "document": "comparison",
        **work_document(comparison.assessments[0].result.plan.job),
        "pools": [assessment_document(a, calibration) for a in comparison.assessments],
        "ratios": {m.key: [span_document(s) for s in comparison.ratios(m.key)] for m in MEASURES},
        "verdicts": list(comparison.verdicts),
        "assumptions": list(comparison.assessments[0].result.plan.job.assumed),
    }


def replacement_document(found: Replacement, calibration: Calibration) -> dict[str, Any]:
    """Return all of a replacement, with both curves as lists of points and the tornado as a list of swings."""
    few, nominal, many = found.chips
    return {"document": "replacement",
        **work_document(found.first.result.plan.job),
        "match": found.match,
        "answer": describe_answer(found),
        "chips": {"low": few, "nominal": nominal, "high": many},
        "units": math.ceil(nominal / found.other.pool.unit),
        "first": assessment_document(found.first, calibration),
        "other": assessment_document(found.other, calibration),
        "curves": {"first": curve_document(found.first_curve), "other": curve_document(found.other_curve)},
        "sensitivity": {
            "answer": found.answer,
            "nominal": found.nominal,
            "swings": [
                {"assumption": s.assumption, "low": s.low, "high": s.high, "at_low": s.at_low, "at_high": s.at_high,
                 "flips": s.flips}
                for s in found.sensitivities
            ],
        },
        "verdicts": list(found.verdicts),
        "assumptions": list(found.first.result.plan.job.assumed),
    }  # fmt: skip


def sizing_document(found: Sizing, calibration: Calibration) -> dict[str, Any]:
    """Return all of a sizing."""
    return {
        "document": "sizing",
        **work_document(found.best.result.plan.job),
        "days_allowed": found.days,
        "budget_usd": found.budget,
        "is_met": found.is_met,
        "binding": list(found.binding),
        "chips": found.best.pool.chips,
        "chips_cautious": found.cautious,
        "cost_of_run_usd": found.cost,
        "best": assessment_document(found.best, calibration),
        "curve": curve_document(found.curve),
        "assumptions": list(found.best.result.plan.job.assumed),
    }


def curve_document(curve: Curve) -> dict[str, Any]:
    """Return useful tokens a second against chips; the knee is where another chip gives under half of a chip's best."""
    return {
        "pool": curve.pool.name,
        "unit": "useful tokens/s",
        "points": [
            {"chips": n, **(span_document(a.useful) or {}), "tokens_per_s": a.result.tokens_per_s, "mfu": a.result.mfu,
             "goodput": a.goodput.goodput.nominal}
            for n, a in sorted(curve.points.items()) if a is not None
        ],
        "unfit": sorted(n for n, a in curve.points.items() if a is None),
        "knee": curve.knee(),
    }  # fmt: skip


def assessment_document(a: Assessment, calibration: Calibration) -> dict[str, Any]:
    """Return one pool's plan with all measures, bills and sources."""
    pool, place, precision = a.pool, a.floor_space, a.result.plan.job.precision
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
        "units": place.units,
        "unit_chips": place.unit_chips,
        "measures": {
            m.key: {"title": m.title, "unit": m.unit, "better": m.better, **(_scaled(m.of(a), m.scale))}
            for m in MEASURES
        },
        "bill": None if a.bill is None else {name: span_document(item) for name, item in a.bill.items.items()},
        "price": {"basis": a.chip_hour.basis, "sources": list(a.chip_hour.sources), "bracket": span_document(a.chip_hour.bracket),
                  "publications": publications_in(a.chip_hour.sources)},
        "power": None if a.power is None else _power_document(a),
        "site": {
            "name": a.site.name,
            "title": a.site.title,
            "figures": {k: figure_document(getattr(a.site, k)) for k in ("electricity", "carbon", "exchange")},
        },
        "replicas": a.goodput.replicas,
        "loss_in_words": describe_loss(a.goodput),
        "goodput_losses": dict(a.goodput.nominal.losses),
        "unknown": list(a.unknown),
        "plan": plan_result_document(a.result, a.goodput.reliability),
        "precision": precision.name,
        "tiers": pool_document(pool)["tiers"],
        "calibration": calibration_document(calibration, pool),
        "figures": [*figures_document(pool, (precision.linear, precision.high)), *site_figures_document(pool)],
    }  # fmt: skip


def _power_document(a: Assessment) -> dict[str, Any]:
    draw = a.power
    assert draw is not None
    return {
        "basis": draw.basis,
        "figure": figure_document(draw.figure),
        "chip_w": span_document(draw.chip),
        "node_w": span_document(draw.node),
        "cabinet_w": span_document(draw.cabinet),
        "unit_w": span_document(draw.unit),
        "busy_w": span_document(draw.busy),
        "idle_w": span_document(draw.idle),
        "site_w": span_document(draw.site),
        "pue": span_document(draw.pue),
    }


def span_document(span: Range | None) -> dict[str, float] | None:
    """Return a span as low, nominal and high, or None."""
    return None if span is None else {"low": span.low, "nominal": span.nominal, "high": span.high}


def _scaled(span: Range | None, scale: float) -> dict[str, float | None]:
    # In the row's own unit, so that a table and a plot need no further conversion.
    if span is None:
        return {"low": None, "nominal": None, "high": None}
    return {"low": span.low * scale, "nominal": span.nominal * scale, "high": span.high * scale}
