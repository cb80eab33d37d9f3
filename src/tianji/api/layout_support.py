"""Which frameworks run the layout that a search recommends."""

from __future__ import annotations

from dataclasses import replace

from tianji.api.started_software import SOFTWARE_OF_TARGET
from tianji.hardware.calibration import Calibration
from tianji.prediction import predict
from tianji.report.documents.layout_support import LayoutSupportDocument, layout_support_document
from tianji.report.documents.software import software_document
from tianji.search import Outcome
from tianji.validation.near_errors import NearErrors

TRIED = 60
"""Layouts, those of least expected regret first, of which one is looked for that a framework runs."""


def describe_support(outcome: Outcome, calibration: Calibration) -> LayoutSupportDocument:
    """Return what runs plan 1, and where nothing does, the plan of least expected regret that something runs."""
    from tianji.exporters.layout_support import find_support  # loads every export target

    plan = outcome.best.plan
    software = software_document(calibration, plan)
    preferred = next((t for t, name in SOFTWARE_OF_TARGET.items() if software and name == software["framework"]), "")
    weighed = outcome.choice.strategies if outcome.choice else tuple(r.plan.strategy for r in outcome.results)
    others = (replace(plan, strategy=strategy) for strategy in weighed[:TRIED])
    support = find_support(plan, others, calibration, preferred)
    result = NearErrors(calibration)(predict(support.runnable, calibration)) if support.runnable else None
    return layout_support_document(outcome.best, support.frameworks, support.why, result, support.by, preferred)
