"""Two results side by side: the terms' differences are the whole difference."""

import pytest

from tianji.parallel.strategy import Strategy
from tianji.report.differences import describe_changes, difference_table, signed, subtract
from tianji.search import Outcome

from .conftest import printed


def test_a_key_of_either_side_counts() -> None:
    assert subtract({"a": 3.0, "c": 1.0}, {"a": 1.0, "b": 2.0}) == {"a": 2.0, "c": 1.0, "b": -2.0}


def test_differences_add_up_to_the_difference(outcome: Outcome) -> None:
    assert outcome.naive is not None
    one, other = outcome.naive, outcome.results[0]
    total = sum(subtract(one.breakdown, other.breakdown).values())
    assert total == pytest.approx(one.step_time.nominal - other.step_time.nominal)


def test_a_sign_stands_before_each_difference() -> None:
    assert [signed(0.5), signed(-0.5), signed(0.0)] == ["+500 ms", "-500 ms", "·"]


def test_the_table_shows_both_and_the_step(outcome: Outcome) -> None:
    assert outcome.naive is not None
    text = printed(difference_table(outcome.naive, outcome.results[0], "naive"))
    assert "matrix multiplications" in text
    assert "step" in text
    assert "memory of the fullest chip" in text


def test_placement_says_nothing_without_a_pipeline() -> None:
    assert describe_changes(Strategy(), Strategy(placement="pp-inside")) == "nothing"
    assert describe_changes(Strategy(overlap_dp=True), Strategy(overlap_dp=False)) == "overlap_dp on → off"
