"""Which view belongs to which document. A document names itself, so whoever has one can show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from tianji.formatting import printable
from tianji.report.view import View

VIEWS = {
    "catalog": "tianji.report.views.catalog:catalog_view",
    "entry": "tianji.report.views.entry:entry_view",
    "prediction": "tianji.report.views.prediction:prediction_view",
    "plan": "tianji.report.views.plan:plan_view",
    "mixture": "tianji.report.views.mixture:mixed_plan_view",
    "targets": "tianji.report.views.export:targets_view",
    "export": "tianji.report.views.export:export_view",
    "check": "tianji.report.views.export:check_view",
    "goodput": "tianji.report.views.goodput:goodput_view",
    "mixed_goodput": "tianji.report.views.mixed_goodput:mixed_goodput_view",
    "comparison": "tianji.report.views.comparison:comparison_view",
    "replacement": "tianji.report.views.comparison:replacement_view",
    "sizing": "tianji.report.views.comparison:sizing_view",
    "smallest": "tianji.report.views.smallest_size:smallest_size_view",
    "run": "tianji.report.views.run:run_view",
    "explanation": "tianji.report.views.explanation:explanation_view",
    "described_model": "tianji.report.views.described_model:described_model_view",
    "operation_status": "tianji.report.views.operation_status:operation_status_view",
    "operation_report": "tianji.report.views.operation_report:operation_report_view",
    "operation": "tianji.report.views.operation:operation_view",
    "operation_request": "tianji.report.views.operation_request:operation_request_view",
    "simulation": "tianji.report.views.simulation:simulation_view",
    "machine": "tianji.report.views.machine:machine_view",
    "pool_node": "tianji.report.views.pool_node:pool_node_view",
    "pool_status": "tianji.report.views.pool_status:pool_status_view",
    "validation": "tianji.report.views.validation:validation_view",
    "calibration": "tianji.report.views.calibration:calibration_view",
    "columns": "tianji.report.views.columns:columns_view",
    "migration_scan": "tianji.report.views.migration:scan_view",
    "migration_versions": "tianji.report.views.migration_versions:versions_view",
    "migration_parity": "tianji.report.views.parity:parity_view",
    "migration_twin": "tianji.report.views.twin:twin_view",
    "migration_dumps": "tianji.report.views.parity:dump_view",
}
"""By the key ``document`` of a document: the function that makes its view. A module is imported when it is needed."""


def view_of(document: Mapping[str, Any]) -> View:
    """Return what is shown of a document, as a command wrote it or as JSON gives it back; its texts are printable."""
    module, name = VIEWS[document["document"]].split(":")
    make: Callable[[Mapping[str, Any]], View] = getattr(import_module(module), name)
    return make(_printable(document))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {_printable(key): _printable(item) for key, item in value.items()}
    return [_printable(item) for item in value] if isinstance(value, (list, tuple)) else value
