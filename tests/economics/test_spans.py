from hypothesis import given
from hypothesis import strategies as st

from tianji.economics import Span

figures = st.floats(0.01, 100)
spans = st.tuples(figures, figures, figures).map(lambda three: Span(*sorted(three)))


@given(spans, spans)
def test_every_case_lies_within_the_result(a: Span, b: Span) -> None:
    for x in (a.low, a.nominal, a.high):
        for y in (b.low, b.nominal, b.high):
            assert (a * b).low <= x * y <= (a * b).high
            assert (a / b).low <= x / y <= (a / b).high
            assert (a + b).low <= x + y <= (a + b).high


@given(spans, spans)
def test_spans_overlap_or_one_is_below(a: Span, b: Span) -> None:
    assert a.overlaps(b) == (not a.is_below(b) and not b.is_below(a))
