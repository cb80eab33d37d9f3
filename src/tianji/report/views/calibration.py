"""What is shown of a calibration: constants with their standard errors and evidence, and the effects of software."""

from __future__ import annotations

from collections.abc import Mapping

from tianji.report.documents.calibration import (
    FittedCalibrationDocument,
    FittedConstantDocument,
    SoftwareEffectDocument,
)
from tianji.report.view import Cell, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
from tianji.report.views.cells import count_of, share_of
from tianji.report.views.request_summary import bottom_lines

CONSTANTS = (
    ViewColumn("constant"),
    ViewColumn("value"),
    ViewColumn("standard error", "1"),
    ViewColumn("rows"),
    ViewColumn("evidence", rank=1),
)
EFFECTS = (
    ViewColumn("trait"),
    ViewColumn("constant"),
    ViewColumn("factor"),
    ViewColumn("standard error", "1"),
    ViewColumn("rows"),
)


def calibration_view(document: FittedCalibrationDocument) -> View:
    """Return the constants that rows set, chip by chip, and what software does to them."""
    chips, heirs = document["chips"], document["heirs"]
    lead = (
        f"Written to {document['out']}.",
        f"{len(heirs)} chips without rows inherit or keep what is believed: {', '.join(heirs) or 'none'}",
    )
    highlights = (
        Highlight("chips fitted", count_of(len(chips))),
        Highlight("rows that set constants", count_of(document["rows"])),
        Highlight("rows skipped", count_of(document["skipped"])),
    )
    sections = [ViewSection(chip, (_constants(chip, constants),)) for chip, constants in chips.items()]
    if document["software"]:
        sections.append(ViewSection("Software: factors on constants", (_effects(document["software"]),)))
    return View(
        f"Calibration {document['name']} of {document['date']}",
        lead,
        highlights,
        tuple(sections),
        bottom=bottom_lines(document["bottom_line"]),
    )


def _constants(chip: str, constants: Mapping[str, FittedConstantDocument]) -> ViewTable:
    fitted = {n: c for n, c in constants.items() if c["tier"] == "fitted" and c["inherited_from"] is None}
    return ViewTable(f"constants-{chip}", "", CONSTANTS, tuple(_constant(name, c) for name, c in fitted.items()))


def _constant(name: str, c: FittedConstantDocument) -> tuple[Cell, ...]:
    value = Number(c["value"], f"{c['value']:.4g}")
    return (name, value, share_of(c["standard_error"]), count_of(c["rows"]), c["source"])


def _effects(software: Mapping[str, Mapping[str, SoftwareEffectDocument]]) -> ViewTable:
    rows = tuple(
        (trait, name, Number(e["factor"], f"{e['factor']:.3f}"), share_of(e["standard_error"]), count_of(e["rows"]))
        for trait, effects in software.items()
        for name, e in effects.items()
    )
    return ViewTable("software", "", EFFECTS, rows)
