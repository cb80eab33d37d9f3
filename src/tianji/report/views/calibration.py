"""What is shown of a calibration: constants with their standard errors and evidence, and the effects of software."""

from __future__ import annotations

from collections.abc import Mapping

from tianji.report.documents.calibration import (
    FittedCalibrationDocument,
    FittedConstantDocument,
    SoftwareEffectDocument,
)
from tianji.report.documents.own_rows import AddedRowsDocument
from tianji.report.view import Cell, Facts, Highlight, Number, View, ViewColumn, ViewSection, ViewTable
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

OWN = (
    ViewColumn("chip"),
    ViewColumn("software"),
    ViewColumn("rows"),
    ViewColumn("before"),
    ViewColumn("now"),
    ViewColumn("scatter", "1"),
)
NEAR = (ViewColumn("chip"), ViewColumn("software"), ViewColumn("rows"), ViewColumn("now over before"))


def calibration_view(document: FittedCalibrationDocument) -> View:
    """Return the constants that rows set, chip by chip, and what software does to them."""
    chips, heirs = document["chips"], document["heirs"]
    if document["added"]:
        return _added_view(document, document["added"])
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


def _added_view(document: FittedCalibrationDocument, added: AddedRowsDocument) -> View:
    own = tuple(
        (pair["chip"], pair["software"], count_of(pair["rows"]), _times(pair["before_ratio"]), _times(pair["after_ratio"]),
         share_of(pair["scatter_ratio"]))
        for pair in added["own"]
    )  # fmt: skip
    near = tuple(
        (one["chip"], one["software"], count_of(one["rows"]), _times(one["moved_ratio"])) for one in added["neighbours"]
    )
    others = tuple((chip, f"{factor:.3f} times as long as before") for chip, factor in added["others"].items())
    return View(
        f"Calibration {document['name']} of {document['date']}",
        (f"Written to {document['out']}.", "Other chips, memory and what tells layouts apart stay as they were."),
        (
            Highlight("own rows added", count_of(document["rows"])),
            Highlight("rows skipped", count_of(document["skipped"])),
        ),
        (
            ViewSection("Own runs: measured over predicted", (ViewTable("own", "", OWN, own),)),
            ViewSection("Software that own rows do not have, on the same chip", (Facts(others),)),
            ViewSection(
                "How published runs of the same chip or software moved", (ViewTable("neighbours", "", NEAR, near),)
            ),
        ),
        bottom=bottom_lines(document["bottom_line"]),
    )


def _times(ratio: float) -> Number:
    return Number(ratio, f"{ratio:.3f}")


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
