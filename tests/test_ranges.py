"""One type for a figure with its low and its high case: arithmetic that never loses a case, and a way to files and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tianji
from tianji.errors import FormatError
from tianji.hardware import Figure
from tianji.ranges import CASES, Range, chance_of_at_least

figures = st.floats(0.01, 100)
ranges = st.tuples(figures, figures, figures).map(lambda three: Range(*sorted(three)))


def cases(r: Range) -> tuple[float, float, float]:
    return r.low, r.nominal, r.high


@given(ranges, ranges)
def test_every_case_lies_within_the_result(a: Range, b: Range) -> None:
    for x in cases(a):
        for y in cases(b):
            assert (a * b).low <= x * y <= (a * b).high
            assert (a / b).low <= x / y <= (a / b).high
            assert (a + b).low <= x + y <= (a + b).high


@given(ranges, ranges, ranges)
def test_a_wider_range_gives_a_wider_answer(a: Range, b: Range, other: Range) -> None:
    wide = Range(min(a.low, b.low), a.nominal, max(a.high, b.high))
    for narrow_answer, wide_answer in ((a * other, wide * other), (a / other, wide / other), (a + other, wide + other)):
        assert wide_answer.low <= narrow_answer.low
        assert narrow_answer.high <= wide_answer.high


@given(ranges, figures)
def test_a_known_figure_moves_all_cases_alike(a: Range, x: float) -> None:
    assert cases(a * x) == cases(x * a) == (a.low * x, a.nominal * x, a.high * x)
    assert cases(a + x) == cases(x + a)
    assert cases(x / a) == cases(a.map(lambda value: x / value)) == (x / a.high, x / a.nominal, x / a.low)


@given(ranges, ranges)
def test_two_ranges_overlap_or_one_is_below(a: Range, b: Range) -> None:
    assert a.overlaps(b) == b.overlaps(a) == (not a.is_below(b) and not b.is_below(a))


@given(st.lists(ranges, max_size=5))
def test_a_total_is_the_sum_of_each_case(parts: list[Range]) -> None:
    assert cases(Range.total(parts)) == pytest.approx(tuple(sum(getattr(p, case) for p in parts) for case in CASES))


@given(ranges)
def test_a_range_comes_back_from_a_file(a: Range) -> None:
    assert Range.from_dict(json.loads(json.dumps(a.to_dict()))) == a


@pytest.mark.parametrize(
    "wrong", [{}, {"low": 1, "high": 2}, {"low": 1, "nominal": "2", "high": 3}, {"low": True, "nominal": 2, "high": 3}]
)
def test_what_is_no_range_is_refused_with_its_place(wrong: dict[str, float]) -> None:
    with pytest.raises(FormatError, match=r"^plan\.days\.(low|nominal): expected a number"):
        Range.from_dict(wrong, "plan.days")


@pytest.mark.parametrize("wrong", [(2.0, 1.0, 3.0), (1.0, 3.0, 2.0), (1.0, float("nan"), 2.0)])
def test_a_range_goes_up(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(FormatError, match="expected low <= nominal <= high"):
        Range(*wrong)


def test_a_figure_is_a_range_whose_unknown_ends_are_its_value() -> None:
    assert Figure(2.0, "", "paper", low=1.0, high=4.0).range == Range(1.0, 2.0, 4.0)
    assert Figure(2.0, "", "paper").range == Range.exactly(2.0)
    assert tianji.Range is Range


@given(ranges, ranges, st.floats(1.01, 3.0))
def test_a_chance_and_its_complement_are_one_and_more_is_likelier(a: Range, b: Range, factor: float) -> None:
    chance = chance_of_at_least(a, b)
    assert 0 <= chance <= 1
    if not (a.is_exact and b.is_exact):
        assert chance + chance_of_at_least(b, a) == pytest.approx(1.0)
    assert chance_of_at_least(a * factor, b) >= chance - 1e-12


def test_an_end_of_a_range_is_passed_by_a_tenth() -> None:
    assert chance_of_at_least(Range(1, 2, 5), Range.exactly(1)) == pytest.approx(0.9)
    assert chance_of_at_least(Range(1, 2, 5), Range.exactly(5)) == pytest.approx(0.1)
