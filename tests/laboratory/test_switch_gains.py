"""Published gains of single switches, and makers' own stacks, are predicted from what ships."""

import pytest

from benchmarks.accuracy.in_house import RUNS, predict_in_house
from benchmarks.accuracy.switch_gains import Gain, Gains, predict_gains


def test_every_published_gain_is_predicted_and_has_a_source() -> None:
    found = predict_gains()
    assert len(found.gains) >= 25
    assert all(g.source and g.predicted == pytest.approx(g.predicted) for g in found.gains)
    assert 0.5 < found.signs <= 1.0 and found.error > 0.0


def test_a_sign_is_wrong_where_a_gain_is_a_loss() -> None:
    right, wrong, faint = (Gain("a", "b", "c", m, p) for m, p in ((0.2, 0.1), (0.2, -0.1), (0.01, -0.01)))
    assert (right.has_sign, wrong.has_sign, faint.has_sign) == (True, False, True)
    assert right.error == pytest.approx(0.5)
    assert Gains((right, wrong)).signs == 0.5


def test_makers_own_stacks_are_predicted_without_setting_constants() -> None:
    found = predict_in_house()
    assert [h.name for h in found] == [run[0] for run in RUNS]
    assert sum(h.is_covered for h in found) >= 4 and all(abs(h.error) < 0.5 for h in found)
