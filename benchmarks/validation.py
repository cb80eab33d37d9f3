"""Rows a second that `tianji validate` predicts: all that are alike at once, beside one at a time.

Usage: .venv/bin/python benchmarks/validation.py
"""

from __future__ import annotations

import time

from tianji.catalog import load_calibration
from tianji.validation import predict_rows, read_runs

ALONE = 200
"""Rows that are predicted one at a time."""


def main() -> None:
    calibration = load_calibration()
    start = time.perf_counter()
    rows, _ = read_runs()
    reading = time.perf_counter() - start
    predict_rows(rows, calibration)
    start = time.perf_counter()
    predict_rows(rows, calibration)
    together = len(rows) / (time.perf_counter() - start)
    start = time.perf_counter()
    for row in rows[:ALONE]:
        predict_rows([row], calibration)
    alone = ALONE / (time.perf_counter() - start)
    print(f"reading: {len(rows) / reading:,.0f} rows/s")
    print(
        f"predicting together: {together:,.0f} rows/s; one at a time: {alone:,.0f} rows/s; ratio {together / alone:.1f}"
    )
    print(f"reading and predicting: {1.0 / (reading / len(rows) + 1.0 / together):,.0f} rows/s")


if __name__ == "__main__":
    main()
