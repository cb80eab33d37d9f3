"""Small arithmetic over the keys of a ``config.json``, as family files write it: ``2 * linear_num_value_heads``.

Names are keys; numbers, texts, ``+ - * / %``, ``//`` (which must come out even), ``or`` (the first that is neither missing nor
null nor 0), comparisons, ``in`` a tuple and ``a if b else c`` are known, nothing else. ``has(key)`` is true where the file
states the key; ``or_zero(key)`` is its value, 0 for null, and nothing where the file leaves it out. ``first(key)``,
``last(key)`` and ``count(key)`` are of a list. ``int(...)`` cuts the fraction off, ``up(a, b)`` is the least multiple of b
that is not below a.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

FUNCTIONS = frozenset({"has", "or_zero", "first", "last", "count", "int", "up"})


def _divide(a: Any, b: Any) -> Any:
    if a % b:
        raise ValueError(f"{a} does not divide by {b}")
    return a // b


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: _divide,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.In: lambda value, known: value in known,
    ast.NotIn: lambda value, known: value not in known,
}


@lru_cache(maxsize=4096)
def parse_expression(text: str) -> ast.expr:
    """Return the syntax tree of an expression.

    Raises SyntaxError for what is no expression of the language above.
    """
    return ast.parse(text, mode="eval").body


@lru_cache(maxsize=4096)
def names_in(text: str) -> frozenset[str]:
    """Return the keys that an expression reads."""
    names = {n.id for n in ast.walk(parse_expression(text)) if isinstance(n, ast.Name)}
    return frozenset(names) - FUNCTIONS - {"true", "false"}


def evaluate(text: str, values: Mapping[str, object], stated: Mapping[str, object]) -> Any:
    """Return the value of an expression; a key that nobody states is None.

    >>> evaluate("head_dim or hidden_size // num_heads", {"hidden_size": 64, "num_heads": 4}, {})
    16

    Raises TypeError where arithmetic meets a missing value, SyntaxError for an unknown construct.
    """
    return _value(parse_expression(text), values, stated)


def _value(node: ast.expr, values: Mapping[str, object], stated: Mapping[str, object]) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return {"true": True, "false": False}[node.id] if node.id in ("true", "false") else values.get(node.id)
    if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
        return BINARY[type(node.op)](_number(node.left, values, stated), _number(node.right, values, stated))
    if isinstance(node, ast.Tuple):
        return tuple(_value(item, values, stated) for item in node.elts)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return not _value(node.operand, values, stated)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, values, stated)
    if isinstance(node, ast.BoolOp):
        wanted = isinstance(node.op, ast.Or)
        result: Any = None
        for part in node.values:
            result = _value(part, values, stated)
            if bool(result) is wanted:
                break
        return result
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARE:
        right = _value(node.comparators[0], values, stated)
        return COMPARE[type(node.ops[0])](_value(node.left, values, stated), right)
    if isinstance(node, ast.IfExp):
        return _value(node.body if _value(node.test, values, stated) else node.orelse, values, stated)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("int", "up"):
        numbers = [_number(argument, values, stated) for argument in node.args]
        return int(numbers[0]) if node.func.id == "int" else -(-numbers[0] // numbers[1]) * numbers[1]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1:
        return _call(node.func.id, node.args[0], values, stated)
    raise SyntaxError(f"not understood in a family's expression: {ast.unparse(node)}")


def _number(node: ast.expr, values: Mapping[str, object], stated: Mapping[str, object]) -> Any:
    value = _value(node, values, stated)
    if not isinstance(value, int | float):
        raise TypeError(f"{ast.unparse(node)} is no number")
    return value


def _call(name: str, argument: ast.expr, values: Mapping[str, object], stated: Mapping[str, object]) -> Any:
    key = argument.id if isinstance(argument, ast.Name) else ""
    value = values.get(key)
    if name == "has":
        return stated.get(key) is not None
    if name == "or_zero":
        return (value or 0) if key in stated else value
    if name == "first":
        return value[0] if isinstance(value, list) and value else value
    if name == "last":
        return value[-1] if isinstance(value, list) and value else value
    if name == "count":
        return len(value) if isinstance(value, list | str) else None
    raise SyntaxError(f"not understood in a family's expression: {name}(...)")
