"""Published gains of single switches, and makers' own stacks, are predicted from what ships."""

import pytest

from benchmarks.accuracy.in_house import RUNS, predict_in_house
from benchmarks.accuracy.switch_gains import Gain, Gains, predict_gains, read_left_out


def test_every_published_gain_is_predicted_and_has_a_source() -> None:
    found = predict_gains()
    assert len(found.gains) >= 54
    assert all(g.source and g.predicted == pytest.approx(g.predicted) for g in found.gains)
    assert 0.5 < found.signs <= 1.0 and found.error > 0.0


def test_rows_that_were_collected_are_compared_or_say_why_not() -> None:
    """127 rows: three fused ops are one line of the table, and two lines of it are from elsewhere."""
    of_primus = 2
    compared = len(predict_gains().gains) + 2 - of_primus
    assert compared + sum(count for _, count, _ in read_left_out()) == 127


def test_overlap_gains_in_16_bits_on_h100_and_loses_on_b200() -> None:
    """The same switch has both signs: where the chip works longer than its host, and where it does not."""
    gains = {(g.name, g.job.split()[3]): g for g in predict_gains().gains}
    assert gains["all_to_all overlap with HybridEP", "hgx-h100,"].predicted > 0.0
    assert gains["all_to_all overlap with all_to_all", "hgx-h100,"].predicted > 0.0
    assert gains["all_to_all overlap off", "dgx-b200,"].predicted > 0.0


def test_one_count_of_launches_tells_four_gains_of_grouped_experts() -> None:
    """Mixtral under MindSpeed: +17.9, +44.1, -2.2 and +8.4 % by one constant, losses included."""
    found = [g for g in predict_gains().gains if g.name == "grouped matmul" and "mixtral" in g.job]
    assert len(found) == 4
    assert all(g.has_sign and abs(g.predicted - g.measured) < 0.05 for g in found)


def test_a_sign_is_wrong_where_a_gain_is_a_loss() -> None:
    right, wrong, faint = (Gain("a", "b", "c", m, p) for m, p in ((0.2, 0.1), (0.2, -0.1), (0.01, -0.01)))
    assert (right.has_sign, wrong.has_sign, faint.has_sign) == (True, False, True)
    assert right.error == pytest.approx(0.5)
    assert Gains((right, wrong)).signs == 0.5


def test_makers_own_stacks_are_predicted_without_setting_constants() -> None:
    found = predict_in_house()
    assert [h.name for h in found] == [run[0] for run in RUNS]
    assert sum(h.is_covered for h in found) >= 4 and all(abs(h.error) < 0.5 for h in found)
