"""Sources that are left out are predicted by the others alone."""

from tianji.validation import read_runs
from tianji.validation.held_out import HeldOut, cover, hold_out_sources


def test_every_source_is_left_out_once() -> None:
    rows, _ = read_runs(split="fit", quality="A")
    mine = [r for r in rows if r.pool.chip.name == "ascend-910b2"]
    found = hold_out_sources(mine)
    assert {h.source for h in found} == {r.source for r in mine}
    assert sum(h.rows for h in found) == len(mine)
    assert all(0.0 <= h.coverage <= 1.0 for h in found)
    assert all(h.median > 0.0 for h in found)


def test_rows_that_set_nothing_are_not_left_out() -> None:
    rows, _ = read_runs(split="check", quality="A")
    assert hold_out_sources(rows) == []


def test_coverage_weighs_rows_or_their_roots() -> None:
    held = [HeldOut("large", 100, 0.1, 0.5), HeldOut("small", 1, 0.1, 1.0)]
    assert cover(held) == 51 / 101
    assert cover(held, power=0.5) == 6 / 11
