"""Own runs move what is predicted of their chip and framework, towards what was measured and never past it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tianji
from tianji.calibration import add_rows, compare_pairs
from tianji.errors import FormatError
from tianji.hardware.calibration import Calibration
from tianji.measurements.rows import Row
from tianji.validation import read_runs
from tianji.validation.pricing import predict_rows


def times(rows: Sequence[Row], calibration: Calibration) -> list[float | None]:
    return [p.step_time for p in predict_rows(rows, calibration)]


@cache
def own() -> tuple[tuple[Row, ...], tuple[float, ...]]:
    rows, _ = read_runs(quality="A")
    mine = tuple(r for r in rows if r.pool.chip.name == "h800" and r.software.framework == "megatron-lm")[:10]
    return mine, tuple(t for t in times(mine, tianji.load_calibration()) if t)


@settings(max_examples=15, deadline=None)
@given(st.floats(0.6, 1.6), st.integers(1, 10))
def test_predictions_move_towards_what_was_measured(factor: float, count: int) -> None:
    rows, predicted = own()
    mine = [
        replace(r, split="", measured_step_time=t * factor)
        for r, t in zip(rows[:count], predicted[:count], strict=True)
    ]
    added = add_rows(mine, tianji.load_calibration(), times)
    (pair,) = compare_pairs(added, times)
    assert pair.before == pytest.approx(factor, rel=1e-6)
    left, all_of_it = abs(np.log(pair.after)), abs(np.log(factor))
    assert left <= 0.3 * all_of_it + 1e-3
    assert np.log(pair.after) * np.log(factor) >= -1e-4 * all_of_it
    # Software that was not run there moves the same way, by less.
    assert abs(np.log(added.factors["h800"])) <= all_of_it + 1e-9
    assert np.log(added.factors["h800"]) * np.log(factor) >= 0.0


def test_rows_that_may_set_nothing_are_refused() -> None:
    rows, _ = own()
    with pytest.raises(FormatError, match="no row of this table"):
        add_rows([replace(r, split="check") for r in rows], tianji.load_calibration(), times)
