"""How much of the constants' errors ranges should count: each source left out, its rows in ranges for several shares.

Usage: python benchmarks/ranges.py   (a whole fit for each source: about seven minutes)

The interval score (Gneiting & Raftery 2007) of an 80 % range in the logarithm is its width plus ten times what a value lies
outside of it; less is better. Sources weigh by their rows, and by the root of their rows.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tianji.calibration import measured, ranges
from tianji.calibration.fit import fit_chips
from tianji.hardware import doubt
from tianji.measurements.rows import Row
from tianji.validation import read_runs
from tianji.validation.pricing import predict_rows

SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6)
MISSED = 10.0
"""2 over the share of values that may lie outside (0.2)."""


def score_source(mine: Sequence[Row], others: Sequence[Row]) -> list[tuple[float, float]]:
    """Return coverage and mean interval score of a source's rows under a calibration on the others, for each of SHARES."""
    fit = fit_chips([measured.sample_row(row) for row in others])
    measured.fit_chips = lambda _: fit
    found = []
    for share in SHARES:
        doubt.DOUBTED = ranges.DOUBTED = share
        calibration = measured.calibrate_rows(others)
        inside, scores = [], []
        for p in predict_rows(mine, calibration):
            if p.low is None or p.high is None:
                continue
            low, high, value = (math.log(v) for v in (p.low, p.high, p.row.measured_step_time))
            inside.append(low <= value <= high)
            scores.append(high - low + MISSED * (max(low - value, 0.0) + max(value - high, 0.0)))
        found.append((float(np.mean(inside)), float(np.mean(scores))))
    return found


def main() -> None:
    rows = measured.choose_rows(read_runs()[0])
    places: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        places[row.source].append(row)
    found, sizes = [], []
    for done, (source, mine) in enumerate(sorted(places.items()), 1):
        found.append(score_source(mine, [row for other, rs in places.items() if other != source for row in rs]))
        sizes.append(len(mine))
        print(f"\r{done} of {len(places)} sources", end="", flush=True)
    table = np.asarray(found)
    print("\nshare  coverage  interval score  (by rows)   coverage  interval score  (by their root)")
    for i, share in enumerate(SHARES):
        cells = [np.average(table[:, i, k], weights=np.asarray(sizes) ** power) for power in (1.0, 0.5) for k in (0, 1)]
        print(f"{share:5.1f}  {cells[0]:8.1%}  {cells[1]:14.3f}  {'':12}{cells[2]:8.1%}  {cells[3]:14.3f}")


if __name__ == "__main__":
    main()
