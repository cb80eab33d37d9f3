"""Expressions of family files: arithmetic over keys, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.workload.expressions import evaluate, names_in


@given(st.integers(-1000, 1000), st.integers(-1000, 1000), st.integers(1, 50))
def test_arithmetic_is_pythons(a: int, b: int, c: int) -> None:
    values = {"a": a, "b": b, "c": c}
    assert evaluate("a * b + 2 * c - b * c // c", values, {}) == a * b + 2 * c - b
    assert evaluate("up(b * b, c)", values, {}) == -(-b * b // c) * c
    assert evaluate("a if b > c else -a", values, {}) == (a if b > c else -a)


def test_a_missing_key_gives_way() -> None:
    assert evaluate("head_dim or hidden_size // num_heads", {"hidden_size": 64, "num_heads": 4}, {}) == 16
    assert evaluate("has(x)", {"x": 1}, {}) is False
    assert evaluate("has(x)", {"x": 1}, {"x": 1}) is True


@pytest.mark.parametrize(
    "text", ["__import__('os')", "a.b", "a[0]", "lambda: 1", "open(a)", "a ** 9", "[x for x in a]", "f'{a}'"]
)
def test_nothing_else_is_understood(text: str) -> None:
    with pytest.raises(SyntaxError):
        evaluate(text, {"a": [1]}, {})


def test_names() -> None:
    assert names_in("first(a) * b if has(c) else true") == {"a", "b", "c"}
