"""Numbers short enough to read, bars that are true."""

from hypothesis import given
from hypothesis import strategies as st

from tianji.perf.step import KINDS as TERMS
from tianji.ranges import Range
from tianji.report.wording import KINDS, bar, span_of


def test_every_kind_of_time_has_words() -> None:
    assert set(KINDS) == set(TERMS)


def test_a_range_of_nothing_is_not_shown() -> None:
    assert span_of(Range(2.0, 2.0, 2.0)) == ""
    assert span_of(Range(0.1, 0.2, 0.3)) == "100-300 ms"


@given(st.floats(-1, 2), st.integers(1, 60))
def test_a_bar_stays_inside_its_width(share: float, width: int) -> None:
    assert len(bar(share, width)) <= width


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_has_no_shorter_bar(one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert len(bar(small, 24)) <= len(bar(large, 24))
