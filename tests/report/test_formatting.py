"""Numbers short enough to read, and words for every kind of time."""

import pytest

from tianji.parallel.strategy import Strategy
from tianji.perf.step import KINDS as TERMS
from tianji.report.formatting import KINDS, count, describe_changes, duration, size, span_of
from tianji.result import Range


def test_every_kind_of_time_has_words() -> None:
    assert set(KINDS) == set(TERMS)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (131.04, "131 s"), (3.4, "3.40 s"), (0.05, "50.0 ms"), (4.72e-4, "472 us"), (2e-9, "0.00 us")],
)
def test_a_duration_has_three_digits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_sizes_stay_in_gigabytes_and_counts_as_people_say_them() -> None:
    assert [size(9e9), size(1.5e13)] == ["9.0 GB", "15,000 GB"]
    assert [count(671e9), count(15360)] == ["671B", "15,360"]


def test_a_range_of_nothing_is_not_shown() -> None:
    assert span_of(Range(2.0, 2.0, 2.0)) == ""
    assert span_of(Range(0.1, 0.2, 0.3)) == "100-300 ms"


def test_placement_says_nothing_without_a_pipeline() -> None:
    assert describe_changes(Strategy(), Strategy(placement="pp-inside")) == "nothing"
    assert describe_changes(Strategy(overlap_dp=True), Strategy(overlap_dp=False)) == "overlap_dp on → off"
