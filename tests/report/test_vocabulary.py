"""Words for every kind of time, and for what turns one strategy into another."""

from tianji.parallel.strategy import Strategy
from tianji.perf.step import KINDS as TERMS
from tianji.ranges import Range
from tianji.report.vocabulary import KINDS, describe_changes, span_of


def test_every_kind_of_time_has_words() -> None:
    assert set(KINDS) == set(TERMS)


def test_a_range_of_nothing_is_not_shown() -> None:
    assert span_of(Range(2.0, 2.0, 2.0)) == ""
    assert span_of(Range(0.1, 0.2, 0.3)) == "100 ms to 300 ms"


def test_placement_says_nothing_without_a_pipeline() -> None:
    assert describe_changes(Strategy(), Strategy(placement="pp-inside")) == "nothing"
    assert describe_changes(Strategy(overlap_dp=True), Strategy(overlap_dp=False)) == "overlap_dp on → off"
