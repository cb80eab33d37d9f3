import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tianji.calibration import FitSample, fit_chips, leave_out
from tianji.calibration.fit import Fit, System
from tianji.calibration.ranges import BELIEVED, measure_spreads, widen
from tianji.hardware.calibration import Spread

Samples = Callable[..., list[FitSample]]


def test_leaving_out_is_what_a_new_fit_without_the_rows_gives(samples: Samples) -> None:
    # A mean with a prior at 0: x = sum(y) / (n + 1). Residuals are x - y.
    y = np.array([0.1, 0.2, 0.6])
    x = y.sum() / 4
    system = System(np.ones((3, 1)), np.ones(3), np.ones((1, 1)))
    fit = Fit({}, {}, {}, {}, x - y, system, {})
    rows = samples()[:3]
    found, deviations = leave_out(fit, rows, rows.index)
    without = [(y.sum() - one) / 3 - one for one in y]
    assert found == pytest.approx(without)
    assert deviations == pytest.approx([math.sqrt(1 / 3)] * 3)


def test_groups_are_left_out_whole(samples: Samples) -> None:
    # Half of the rows are of a source that runs everything in 1.3 times the time: without it nobody would know.
    rows = samples() + [replace(r, source="slow", traits=("slow",)) for r in samples(1.3)]
    found, deviations = leave_out(fit_chips(rows), rows, lambda r: r.source)
    one_by_one, _ = leave_out(fit_chips(rows), rows, rows.index)
    slow = np.array([r.source == "slow" for r in rows])
    assert np.all(np.abs(found[slow]) > 4 * np.abs(one_by_one[slow]))
    assert np.all(deviations > 0)


def test_ranges_hold_the_nominal_value(samples: Samples) -> None:
    rows = samples(matmul_efficiency=0.6)
    spreads = measure_spreads(fit_chips(rows), rows)["h100-sxm"]
    assert set(spreads) == {"dense", "moe"}
    for spread in spreads.values():
        assert spread.low <= 1.0 <= spread.high and spread.basis == "measured"
    assert spreads["dense"].rows == len(rows) and spreads["dense"].chips == 64


def test_few_runs_do_not_make_a_range_sure(samples: Samples) -> None:
    rows = samples()[:2]
    spreads = measure_spreads(fit_chips(rows), rows)["h100-sxm"]
    for spread in spreads.values():
        assert spread.low < math.exp(-BELIEVED / 2) and math.exp(BELIEVED / 2) < spread.high
    assert (spreads["dense"].rows, spreads["moe"].rows) == (2, 0)


def test_what_is_inherited_is_wider_and_what_is_to_come_wider_still() -> None:
    base = Spread(0.9, 1.1, "measured", 10, 64)
    inherited, roadmap = widen(base, "inherited"), widen(base, "roadmap")
    assert roadmap.low < inherited.low < base.low and base.high < inherited.high < roadmap.high
    assert inherited.rows == 0 and inherited.basis == "inherited"
