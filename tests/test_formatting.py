"""Numbers as people read them: the digits shown are true, and no exponent is among them."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.formatting import (
    format_bytes,
    format_count,
    format_days,
    format_duration,
    format_ends,
    format_number,
    format_percent,
    format_range,
)
from tianji.ranges import Range
from tianji.units import parse

positive = st.floats(1e-4, 1e15)
ordered = st.tuples(positive, positive, positive).map(lambda three: Range(*sorted(three)))


def read(text: str) -> float:
    return float(text.replace(",", ""))


@given(positive, st.integers(1, 6), st.booleans())
def test_what_is_shown_is_the_number_within_its_digits(value: float, digits: int, keep_zeros: bool) -> None:
    shown = read(format_number(value, digits, keep_zeros=keep_zeros))
    assert abs(shown - value) <= 0.5000001 * 10.0 ** (math.floor(math.log10(value)) - digits + 1)


@given(st.floats(1e-4, 1e15) | st.floats(-1e15, -1e-4), st.integers(1, 6), st.booleans())
def test_there_is_no_exponent_and_thousands_are_apart(value: float, digits: int, keep_zeros: bool) -> None:
    assert re.fullmatch(r"-?\d{1,3}(,\d{3})*(\.\d+)?", format_number(value, digits, keep_zeros=keep_zeros))


@given(positive, st.integers(1, 6))
def test_kept_zeros_are_all_that_differs(value: float, digits: int) -> None:
    short, long = format_number(value, digits), format_number(value, digits, keep_zeros=True)
    assert long.startswith(short)
    assert set(long[len(short) :]) <= set(".0")


@given(positive, positive)
def test_a_larger_number_is_not_shown_smaller(one: float, other: float) -> None:
    small, large = sorted((one, other))
    assert read(format_number(small)) <= read(format_number(large))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (999.7, "1,000"),
        (99.96, "100"),
        (0.99996, "1"),
        (12345.6, "12,346"),
        (2e-6, "2e-06"),
        (math.inf, "inf"),
    ],
)
def test_numbers_at_the_edges(value: float, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (131.04, "131 s"), (3.4, "3.40 s"), (0.05, "50.0 ms"), (4.72e-4, "472 us"), (0.9999, "1.00 s")],
)
def test_a_duration_has_three_digits(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(1e-8, 1e7))
def test_a_duration_is_read_back(seconds: float) -> None:
    assert parse(format_duration(seconds), "time") == pytest.approx(seconds, rel=0.0051)


def test_sizes_stay_in_gigabytes_and_counts_as_people_say_them() -> None:
    assert [format_bytes(9e9), format_bytes(1.5e13)] == ["9.0 GB", "15,000 GB"]
    assert [format_count(671e9), format_count(15360), format_count(999_999_999)] == ["671B", "15,360", "1,000M"]
    assert [format_days(1234.56), format_percent(0.0612)] == ["1,234.6", "6.1 %"]


@given(ordered)
def test_a_range_shows_its_three_cases_and_one_value_once(r: Range) -> None:
    assert format_range(Range.exactly(r.nominal)) == format_number(r.nominal)
    assert format_ends(Range.exactly(r.nominal)) == ""
    if not r.is_exact:
        assert [read(x) for x in re.findall(r"[\d.,]+", format_range(r))] == [
            read(format_number(x)) for x in (r.nominal, r.low, r.high)
        ]
