"""Sources that are left out are predicted by the others alone."""

import math
from statistics import fmean, median

import pytest

from benchmarks.accuracy.held_out import HeldOut, cover, hold_out_groups, quantiles
from benchmarks.accuracy.sources import COMPOSED
from tianji.calibration import calibrate_rows
from tianji.catalog import load_calibration
from tianji.validation import read_runs
from tianji.validation.pricing import predict_rows


def test_every_group_is_left_out_once() -> None:
    rows, _ = read_runs(split="fit", quality="A")
    mine = [r for r in rows if r.pool.chip.name == "ascend-910b2"]
    found = hold_out_groups(mine)
    assert {h.source for h in found["source"]} == {r.source for r in mine}
    for held in found.values():
        assert sum(h.rows for h in held) == len(mine)
        assert all(0.0 <= h.coverage <= 1.0 and h.median > 0.0 for h in held)
    median, p90 = quantiles(found["source"])
    assert 0.0 < median < p90


def test_rows_that_set_nothing_are_not_left_out() -> None:
    rows, _ = read_runs(split="check", quality="A")
    assert not any(hold_out_groups(rows).values())


def test_coverage_weighs_rows_or_their_roots() -> None:
    held = [HeldOut("large", 100, 0.1, 0.5), HeldOut("small", 1, 0.1, 1.0)]
    assert cover(held) == 51 / 101
    assert cover(held, power=0.5) == 6 / 11


@pytest.mark.xfail(
    strict=True,
    reason="blind, sums of parts come out 21 % too fast (median) in ranges of 41 % from end to end: 42 % lie inside",
)
def test_jobs_unlike_all_others_widen_their_ranges_by_what_nobody_told_about_them() -> None:
    rows, _ = read_runs(split="fit")
    mine = [r for r in rows if r.source in COMPOSED]
    others = calibrate_rows([r for r in rows if r.source not in COMPOSED])
    told = load_calibration()
    blind, seen = predict_rows(mine, others), predict_rows(mine, told)
    assert fmean(p.is_covered for p in blind) >= 0.70
    wide, narrow = (median(math.log(p.high / p.low) for p in some if p.high and p.low) for some in (blind, seen))
    assert wide > 2 * narrow
