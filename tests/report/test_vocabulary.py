"""Words for every kind of time, and for what turns one strategy into another."""

from tianji.parallel.strategy import Strategy
from tianji.perf.step import KINDS as TERMS
from tianji.report.vocabulary import KINDS, describe_changes


def test_every_kind_of_time_has_words() -> None:
    assert set(KINDS) == set(TERMS)


def test_placement_says_nothing_without_a_pipeline() -> None:
    assert describe_changes(Strategy(), Strategy(placement="pp-inside")) == "nothing"
    assert describe_changes(Strategy(overlap_dp=True), Strategy(overlap_dp=False)) == "overlap_dp on → off"
