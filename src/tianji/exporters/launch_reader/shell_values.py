"""What the arithmetic and the tests of a shell script come to, where its text alone decides."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Sequence

MAX_ARITHMETIC = 10**15

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-gt": operator.gt,
    "-ge": operator.ge,
    "-lt": operator.lt,
    "-le": operator.le,
}
_SUCCEED = frozenset({"true", ":", "cd", "mkdir", "echo", "set", "unset", "source", "."})
"""Commands that a script can count on."""
_CLOSED_BY = {"[": "]", "[[": "]]"}


def decide(words: Sequence[str]) -> bool | None:
    """Return whether a test holds; None where the script's surroundings decide, or where it is no test.

    >>> decide(["[", "8", "-gt", "1", "]"]), decide(["[[", "${FP8}", "==", "1", "]]"])
    (True, None)
    """
    inner = list(words)
    if inner and inner[0] in _CLOSED_BY:
        if inner[-1] != _CLOSED_BY[inner[0]]:
            return None
        inner = inner[1:-1]
    elif inner and inner[0] == "test":
        inner = inner[1:]
    else:
        return True if inner and inner[0] in _SUCCEED else False if inner == ["false"] else None
    if inner and inner[0] == "!":
        holds = _decide(inner[1:])
        return None if holds is None else not holds
    return _decide(inner)


def _decide(words: list[str]) -> bool | None:
    if any("${" in word for word in words):
        return None
    match words:
        case [text]:
            return bool(text)
        case ["-n", text]:
            return bool(text)
        case ["-z", text]:
            return not text
        case [left, "=" | "==", right] if not set(right) & set("*?["):
            return left == right
        case [left, "!=", right] if not set(right) & set("*?["):
            return left != right
        case [left, sign, right] if sign in _COMPARED:
            a, b = calculate(left), calculate(right)
            return None if a is None or b is None else _COMPARED[sign](a, b)
    return None


def calculate(text: str) -> int | None:
    """Return the whole number that an arithmetic text gives, or None where it is none.

    >>> calculate("8 * (4 + 1) / 2")
    20
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # what a script says is no concern of Python's
            return _evaluate(ast.parse(text.strip().replace("/", "//"), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _evaluate(node: ast.expr) -> int:
    if isinstance(node, ast.Constant) and isinstance(node.value, int) and abs(node.value) <= MAX_ARITHMETIC:
        return int(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluate(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        number = _OPERATORS[type(node.op)](_evaluate(node.left), _evaluate(node.right))
        if abs(number) <= MAX_ARITHMETIC:
            return number
    raise ValueError("no whole number")
