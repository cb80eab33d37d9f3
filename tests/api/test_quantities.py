"""Values as people type them: numbers are in SI units, texts have a unit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.api.quantities import read_days, read_duration, read_money, read_pairs, read_quantity
from tianji.errors import FormatError, UnknownNameError


@given(st.floats(1e-3, 1e6))
def test_a_number_is_what_its_text_in_the_base_unit_is(seconds: float) -> None:
    assert (
        read_quantity(seconds, "time", "--interval") == seconds == read_quantity(f"{seconds!r} s", "time", "--interval")
    )
    assert read_days(seconds / 100) == pytest.approx(read_days(f"{seconds / 100!r} d"))


@pytest.mark.parametrize("value", [math.nan, math.inf, True, "60", None, [1.0]])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(FormatError, match="--interval: "):
        read_quantity(value, "time", "--interval")  # type: ignore[arg-type]


def test_a_duration_and_an_amount_are_above_zero() -> None:
    with pytest.raises(FormatError, match="above zero"):
        read_duration(0, "--mtbf")
    with pytest.raises(FormatError, match="above zero"):
        read_money(-2, "--budget")
    with pytest.raises(FormatError, match="above 0"):
        read_days(0)


def test_pairs_are_a_mapping_or_texts() -> None:
    forms = ({"h800": 2}, {"h800": "2 USD"}, "h800=2", ["h800=2 USD"])
    assert [read_pairs(form, "--rent", "money") for form in forms] == [{"h800": 2.0}] * 4
    with pytest.raises(UnknownNameError, match="chip or pool"):
        read_pairs({"h80": 2}, "--rent", "money")
    with pytest.raises(FormatError, match="like h800=2"):
        read_pairs("h800", "--rent", "money")
