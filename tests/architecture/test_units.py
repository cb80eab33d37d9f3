"""Only ``units.py`` writes powers of a thousand or of 1,024; everybody else names them."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tianji"

LARGE = {10.0**power for power in (3, 6, 9, 12, 15, 18)}
SMALL = {1e-3, 1e-6, 1e-9}
BINARY = {2.0**power for power in (10, 20, 30, 40)}
POWERS = {2: (10, 20, 30, 40), 1000: range(-6, 7), 1024: range(1, 7)}


def number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) and number(node.left) == 10:
        power = number(node.right)
        return None if power is None else number(node.left) ** power
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def unit_factors(text: str) -> Iterator[str]:
    """Yield each unit factor in a source text: a float such as 1e9 anywhere, an integer or a small one where it scales.

    A plain integer (a batch of 1000, a limit of 10**7) and a tolerance of 1e-9 are not units.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and node.value in LARGE:
            yield f"line {node.lineno}: {node.value:g}"
        if not isinstance(node, ast.BinOp):
            continue
        left, right = number(node.left), number(node.right)
        if isinstance(node.op, ast.Pow) and left in POWERS and right in POWERS[int(left or 0)]:
            yield f"line {node.lineno}: {left:g}**{right:g}"
        if isinstance(node.op, (ast.Mult, ast.Div, ast.FloorDiv)):
            for factor in (left, right):
                if factor in LARGE | SMALL | BINARY:
                    yield f"line {node.lineno}: a factor of {factor:g}"


@pytest.mark.parametrize(
    "text",
    ["x / 1e9", "LIMIT = 1e12", "x * 1000", "x / 1024", "2**30", "2.0**20 * x", "x / 10**9", "1024**3", "x * 1e-6"],
)
def test_the_census_catches(text: str) -> None:
    assert list(unit_factors(text))


@pytest.mark.parametrize(
    "text",
    ['"""1e9"""', "x < 1e-9", "n = 1000", "x**2", "GB * 80", "seq_len = 1024", "x * 100", "LIMIT = 10**7"],
)
def test_the_census_lets_pass(text: str) -> None:
    assert not list(unit_factors(text))


def test_no_unit_factor_outside_units() -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in sorted(SOURCE.rglob("*.py"))
        if path != SOURCE / "units.py" and (lines := list(unit_factors(path.read_text())))
    }
    assert not found, f"name these through tianji.units: {found}"
