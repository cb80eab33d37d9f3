"""What a calibration holds: constants with their standard errors and evidence, and the effects of software."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tianji.hardware.calibration import Calibration, Effect, Evidence
from tianji.report.render.terminal import plain_table


def print_calibration(console: Console, calibration: Calibration, out: str, rows: int, skipped: int) -> None:
    """Print what was fitted, to how many rows, and where it was written."""
    fitted = _fitted_chips(calibration)
    line = f"{calibration.name}: {len(fitted)} chips fitted to {rows:,} rows ({skipped:,} skipped), written to {out}"
    console.print(Text(line, style="bold"))
    for chip in fitted:
        console.print()
        console.print(constants_table(calibration, chip))
    if calibration.software:
        console.print()
        console.print(software_table(calibration))
    heirs = sorted({*calibration.chips} - {*fitted})
    console.print(Text(f"\n{len(heirs)} chips without rows inherit or keep what is believed: {', '.join(heirs)}"))


def constants_table(calibration: Calibration, chip: str) -> Table:
    """Return the constants of one chip that rows set."""
    table = plain_table(chip)
    for column, justify in (("constant", "left"), ("value", "right"), ("standard error", "right"), ("rows", "right")):
        table.add_column(column, justify="left" if justify == "left" else "right", no_wrap=True)
    table.add_column("evidence")
    for name, evidence in calibration.evidence[chip].items():
        if not _is_own(evidence):
            continue
        value = getattr(calibration.chips[chip], name)
        error = f"{evidence.standard_error:.1%}"
        table.add_row(name, f"{value:.4g}", error, f"{evidence.rows:,}", Text(evidence.source))
    return table


def software_table(calibration: Calibration) -> Table:
    """Return what software does to the constants; ``software`` is time as a whole."""
    table = plain_table("Software: factors on constants")
    table.add_column("trait")
    table.add_column("constant")
    for column in ("factor", "standard error", "rows"):
        table.add_column(column, justify="right", no_wrap=True)
    for trait, name, effect in _list_effects(calibration):
        table.add_row(trait, name, f"{effect.factor:.3f}", f"{effect.standard_error:.1%}", f"{effect.rows:,}")
    return table


def calibration_summary(calibration: Calibration) -> dict[str, Any]:
    """Return the fitted constants and effects as plain values."""
    return {
        "name": calibration.name,
        "date": calibration.date,
        "chips": {
            chip: {
                name: {
                    "value": getattr(calibration.chips[chip], name),
                    "standard_error": e.standard_error,
                    "rows": e.rows,
                    "tier": e.tier,
                    "source": e.source,
                    "inherited_from": e.inherited_from or None,
                }
                for name, e in calibration.evidence[chip].items()
            }
            for chip in _fitted_chips(calibration)
        },
        "software": {
            trait: {
                name: {"factor": e.factor, "standard_error": e.standard_error, "rows": e.rows}
                for name, e in sorted(effects.items())
            }
            for trait, effects in sorted(calibration.software.items())
        },
    }


def _list_effects(calibration: Calibration) -> list[tuple[str, str, Effect]]:
    pairs = sorted(calibration.software.items())
    return [(trait, name, effect) for trait, effects in pairs for name, effect in sorted(effects.items())]


def _fitted_chips(calibration: Calibration) -> list[str]:
    return [c for c, proofs in sorted(calibration.evidence.items()) if any(_is_own(e) for e in proofs.values())]


def _is_own(evidence: Evidence) -> bool:
    return evidence.tier == "fitted" and not evidence.inherited_from
