import math
from collections.abc import Callable

import numpy as np
import pytest

from tianji.calibration import Sample, find_job, fit_chips, leave_out
from tianji.calibration.fit import Fit, System
from tianji.calibration.ranges import leave_out_with_doubt, measure_spreads, widen
from tianji.hardware.calibration import Spread

Samples = Callable[..., list[Sample]]


def test_leaving_out_is_what_a_new_fit_without_the_rows_gives(samples: Samples) -> None:
    # A mean with a prior at 0: x = sum(y) / (n + 1). Residuals are x - y.
    y = np.array([0.1, 0.2, 0.6])
    x = y.sum() / 4
    system = System(np.ones((3, 1)), np.ones(3), np.ones((1, 1)))
    fit = Fit({}, {}, {}, {}, x - y, system, {})
    rows = samples()[:3]
    found, doubt = leave_out_with_doubt(fit, rows, rows.index)
    without = [(y.sum() - one) / 3 - one for one in y]
    assert found == pytest.approx(without) == leave_out(fit, rows, rows.index)
    assert doubt == pytest.approx([math.sqrt(1 / 3)] * 3)


def test_groups_are_left_out_whole(samples: Samples) -> None:
    rows = samples()
    fit = fit_chips(rows)
    assert len({find_job(r) for r in rows}) == 1
    assert leave_out(fit, rows, lambda r: r.source) == pytest.approx(leave_out(fit, rows, find_job))


def test_ranges_hold_the_nominal_value(samples: Samples) -> None:
    rows = samples(matmul_efficiency=0.6)
    spreads = measure_spreads(fit_chips(rows), rows)["h100-sxm"]
    assert set(spreads) == {"dense", "moe"}
    for spread in spreads.values():
        assert spread.low <= 1.0 <= spread.high and spread.basis == "measured"
    assert spreads["dense"].rows == len(rows) and spreads["dense"].chips == 64


def test_what_is_inherited_is_wider_and_what_is_to_come_wider_still() -> None:
    base = Spread(0.9, 1.1, "measured", 10, 64)
    inherited, roadmap = widen(base, "inherited"), widen(base, "roadmap")
    assert roadmap.low < inherited.low < base.low and base.high < inherited.high < roadmap.high
    assert inherited.rows == 0 and inherited.basis == "inherited"
