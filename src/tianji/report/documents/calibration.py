"""The document of ``tianji calibrate``: the constants and effects that measured runs gave."""

from __future__ import annotations

from typing import Literal, TypedDict

from tianji.hardware.calibration import Calibration, Evidence
from tianji.report.documents.evidence_lines import added_line, calibration_line
from tianji.report.documents.own_rows import AddedRowsDocument
from tianji.report.documents.three_lines import BottomLineDocument


class FittedConstantDocument(TypedDict):
    """One constant of a chip with its evidence."""

    value: float
    standard_error: float
    """Of its logarithm."""
    rows: int
    tier: str
    """``fitted`` to runs, ``measured`` in micro-benchmarks, or ``physics``."""
    source: str
    inherited_from: str | None
    """The relative that it is taken from."""


class SoftwareEffectDocument(TypedDict):
    """What one trait of the software does to one constant."""

    factor: float
    rows: int
    standard_error: float
    """Of its logarithm."""


class FittedCalibrationDocument(TypedDict):
    """A calibration fitted to measured runs, and the file that it went to."""

    document: Literal["calibration"]
    bottom_line: BottomLineDocument
    out: str
    rows: int
    """Rows that set constants."""
    skipped: int
    """Rows that cannot be predicted."""
    name: str
    date: str
    chips: dict[str, dict[str, FittedConstantDocument]]
    """By chip that rows set constants of, and by constant."""
    heirs: list[str]
    """Chips without rows: they inherit, or keep what is believed."""
    software: dict[str, dict[str, SoftwareEffectDocument]]
    """By trait of the software and by constant; ``software`` is time as a whole."""
    added: AddedRowsDocument | None
    """Where own rows were added to another calibration: what they moved."""


def calibration_document(
    calibration: Calibration, out: str, rows: int, skipped: int, added: AddedRowsDocument | None = None
) -> FittedCalibrationDocument:
    """Return the constants of the chips that rows set, and the effects of software."""
    fitted = [chip for chip, proofs in sorted(calibration.evidence.items()) if any(map(_is_own, proofs.values()))]
    return {
        "document": "calibration",
        "bottom_line": (
            added_line(added["base"], added["own"], skipped, out)
            if added
            else calibration_line(calibration, fitted, rows, skipped, out)
        ),
        "out": out,
        "rows": rows,
        "skipped": skipped,
        "name": calibration.name,
        "date": calibration.date,
        "chips": {
            chip: {
                name: {
                    "value": getattr(calibration.chips[chip], name),
                    "standard_error": proof.standard_error,
                    "rows": proof.rows,
                    "tier": proof.tier,
                    "source": proof.source,
                    "inherited_from": proof.inherited_from or None,
                }
                for name, proof in calibration.evidence[chip].items()
            }
            for chip in fitted
        },
        "heirs": sorted({*calibration.chips} - {*fitted}),
        "software": {
            trait: {
                name: {"factor": e.factor, "standard_error": e.standard_error, "rows": e.rows}
                for name, e in sorted(effects.items())
            }
            for trait, effects in sorted(calibration.software.items())
        },
        "added": added,
    }


def _is_own(evidence: Evidence) -> bool:
    return evidence.tier == "fitted" and not evidence.inherited_from
