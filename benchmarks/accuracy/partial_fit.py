"""Fit some effects of software anew, and leave every other constant of a calibration as it is.

For rows that are read otherwise than when the calibration was made: a fit of all rows by today's laws moves constants that these
rows say nothing about. Usage: python -m benchmarks.accuracy.partial_fit OUT.toml TRAIT ... (a framework brings its mixtures and
its pairs with chips).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tianji.calibration.fit import EffectFit, FitSample, fit_effects
from tianji.calibration.measured import average_families, choose_rows, sample_row
from tianji.catalog import load_calibration, write_calibration
from tianji.hardware.calibration import UNSEEN, Calibration, Evidence
from tianji.validation import read_runs


def refit(calibration: Calibration, samples: Sequence[FitSample], traits: Sequence[str]) -> Calibration:
    """Return a calibration with the effects of some traits as the samples have them, all else kept."""
    found = fit_effects(samples, calibration, lambda trait: any(_belongs(trait, name) for name in traits))
    software = {
        trait: {**calibration.software.get(trait, {}), **found.effects.get(trait, {})}
        for trait in sorted({*calibration.software, *found.effects})
    }
    mean = replace(software[UNSEEN]["software"], factor=average_families(software))
    software[UNSEEN] = {**software[UNSEEN], "software": mean}
    return replace(calibration, software=software, evidence=_count(calibration, samples, found))


def _belongs(trait: str, name: str) -> bool:
    return trait == name or trait.startswith((f"{name}/", f"{name}@"))


def _count(calibration: Calibration, samples: Sequence[FitSample], found: EffectFit) -> dict[str, dict[str, Evidence]]:
    """Return the evidence with today's number of rows of the chips that the fitted effects' rows ran on."""
    chips = [s.plan.pool.chip.name for s in samples]
    touched = {chip for chip, is_one in zip(chips, np.asarray(found.rows), strict=True) if is_one}
    return {
        chip: {n: replace(e, rows=chips.count(chip)) if e.rows and chip in touched else e for n, e in known.items()}
        for chip, known in calibration.evidence.items()
    }


def main(arguments: Sequence[str]) -> int:
    """Write the calibration that results."""
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    out, *traits = arguments
    rows, _ = read_runs(split="fit")
    write_calibration(refit(load_calibration(), [sample_row(row) for row in choose_rows(rows)], traits), out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
