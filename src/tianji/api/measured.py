"""A measured step time beside a prediction: what ``predict`` and launches say of it."""

from __future__ import annotations

from tianji.hardware.calibration import Calibration
from tianji.report.documents.measured import MeasuredDocument, measured_document
from tianji.result import Result
from tianji.search.changes import find_changes
from tianji.units import Seconds


def explain_measured(result: Result, calibration: Calibration, measured: Seconds | None) -> MeasuredDocument | None:
    """Return a measured step time beside its prediction, with every single change that gains; None where none was given."""
    if measured is None:
        return None
    return measured_document(result, measured, find_changes(result.plan, calibration))
