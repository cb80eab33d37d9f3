"""Memory constants come back from runs that were made with them, and odd rows do not move them."""

from dataclasses import replace

import numpy as np
import pytest

from tianji.calibration.memory_fit import BELIEFS, LEAST_ROWS, fit_family, fit_memory, split_memory
from tianji.measurements.rows import Row
from tianji.units import GIB
from tianji.validation import predict_rows, read_runs


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    found, _ = read_runs(split="fit", quality="A")
    return [r for r in found if r.software.framework == "bigscience"]


def make(rows: list[Row], overhead: float, reserve: float) -> list[Row]:
    parts = split_memory(rows)
    totals = (parts.fixed + overhead * parts.moving).max(axis=1) + reserve * GIB
    return [replace(r, measured_memory=float(t)) for r, t in zip(rows, totals, strict=True)]


@pytest.mark.parametrize(("overhead", "reserve"), [(1.0, 0.5), (1.2, 4.0), (1.4, 9.0)])
def test_constants_come_back(rows: list[Row], overhead: float, reserve: float) -> None:
    found = fit_family(make(rows, overhead, reserve))
    assert found.activation_overhead == pytest.approx(overhead, abs=0.08)
    assert found.framework_reserve == pytest.approx(reserve * GIB, abs=1.2 * GIB)
    assert found.standard_error < 0.02
    assert found.rows == len(rows)


def test_a_tenth_of_odd_rows_changes_little(rows: list[Row]) -> None:
    made = make(rows, 1.2, 4.0)
    odd = [replace(r, measured_memory=(r.measured_memory or 0.0) * 3) if i % 10 == 0 else r for i, r in enumerate(made)]
    clean, moved = fit_family(made), fit_family(odd)
    assert moved.activation_overhead == pytest.approx(clean.activation_overhead, abs=0.1)
    assert moved.framework_reserve == pytest.approx(clean.framework_reserve, abs=1.0 * GIB)


def test_few_rows_keep_what_is_believed(rows: list[Row]) -> None:
    assert fit_memory(make(rows, 1.2, 4.0)[: LEAST_ROWS - 1]) == BELIEFS


def test_a_fitted_footprint_predicts_its_rows(rows: list[Row]) -> None:
    stated = [r for r in rows if r.measured_memory]
    errors = [abs(p.memory_error or 0.0) for p in predict_rows(stated) if p.memory_error is not None]
    assert float(np.median(errors)) <= 0.05
