"""Text with a unit in, SI out, and back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.errors import FormatError
from tianji.units import DIMENSIONS, parse, parse_count, show


@pytest.mark.parametrize(
    ("text", "dimension", "value"),
    [
        ("400 Gbit/s", "bandwidth", 50e9),
        ("400Gbps", "bandwidth", 50e9),
        ("1 GiB/s", "bandwidth", 2**30),
        ("80 GB", "bytes", 80e9),
        ("80 GiB", "bytes", 80 * 2**30),
        ("3 us", "time", 3e-6),
        ("2 days", "time", 172_800),
        ("989 TFLOP/s", "rate", 989e12),
        ("989 TFLOPS", "rate", 989e12),
        ("10.2 kW", "power", 10_200),
        ("1 kWh", "energy", 3.6e6),
        ("25,000 USD", "money", 25_000),
        ("15T", "count", 15e12),
        ("4k", "count", 4000),
        ("70 %", "ratio", 0.7),
        (0.7, "ratio", 0.7),
        ("1e3 m2", "area", 1000),
    ],
)
def test_parse(text: object, dimension: str, value: float) -> None:
    assert parse(text, dimension) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "dimension", "message"),
    [
        (400, "bandwidth", "400 has no unit; expected a bandwidth with a unit"),
        ("80 GB", "bandwidth", "has the unit 'GB'"),
        ("80 gb", "bytes", "has the unit 'gb'"),
        ("", "bytes", 'expected a size with a unit, like "80 GB"'),
        ("fast", "bandwidth", "expected a bandwidth"),
        (True, "count", "expected a count"),
        (None, "count", "expected a count"),
        ("1e999 GB", "bytes", "not a finite figure"),
        ("nan GB", "bytes", "expected a size"),
    ],
)
def test_what_parse_refuses(text: object, dimension: str, message: str) -> None:
    with pytest.raises(FormatError, match=r"^link: ") as caught:
        parse(text, dimension, "link")
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "0.0001k", "many", True, None, [1], "1e400"])
def test_what_is_no_count(text: object) -> None:
    with pytest.raises(FormatError):
        parse_count(text)


@pytest.mark.parametrize(
    ("value", "dimension", "text"),
    [
        (0.0, "bytes", "0 B"),
        (5e10, "bandwidth", "50 GB/s"),
        (1.5e-6, "time", "1.5 us"),
        (90.0, "time", "1.5 min"),
        (989e12, "rate", "989 TFLOP/s"),
        (1.23456e9, "count", "1.23 B"),
        (1e16, "bytes", "10,000 TB"),
    ],
)
def test_show(value: float, dimension: str, text: str) -> None:
    assert show(value, dimension) == text


@pytest.mark.parametrize("dimension", sorted(DIMENSIONS))
def test_each_unit_of_a_dimension_is_read(dimension: str) -> None:
    for unit, factor in DIMENSIONS[dimension].items():
        assert parse(f"2 {unit}".strip(), dimension) == pytest.approx(2 * factor, rel=1e-12)


@given(st.floats(1e-3, 1e17), st.sampled_from(["bytes", "bandwidth", "rate", "count"]))
def test_what_is_shown_is_read_back(value: float, dimension: str) -> None:
    assert parse(show(value, dimension, digits=9), dimension) == pytest.approx(value, rel=1e-6, abs=1e-6)


@given(st.text() | st.floats() | st.integers() | st.booleans() | st.none(), st.sampled_from(sorted(DIMENSIONS)))
def test_anything_is_a_finite_figure_or_refused(text: object, dimension: str) -> None:
    try:
        value = parse(text, dimension)
    except FormatError:
        return
    assert math.isfinite(value)
