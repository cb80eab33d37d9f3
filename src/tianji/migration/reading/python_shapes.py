"""Shapes of Python's syntax tree that a reader of repositories asks about."""

from __future__ import annotations

import ast

from tianji.migration.reading.device_texts import classify_text

_RANKS = frozenset({"rank", "local_rank", "gpu", "gpu_id", "device_id", "LOCAL_RANK"})
_SETTINGS = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.With, ast.Delete)


def is_setting(node: ast.stmt) -> bool:
    """Return whether a statement only assigns or imports."""
    if isinstance(node, ast.If):
        return not is_main(node.test) and all(map(is_setting, [*node.body, *node.orelse]))
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, _SETTINGS)


def assigns(node: ast.stmt) -> bool:
    """Return whether a statement assigns."""
    return isinstance(node, ast.Assign | ast.AnnAssign)


def is_variable(node: ast.AST) -> bool:
    """Return whether an expression is the name of a variable of the environment that concerns CUDA."""
    return (
        isinstance(node, ast.Constant) and isinstance(node.value, str) and classify_text(node.value).startswith("env:")
    )


def makes_contiguous(node: ast.If | ast.IfExp) -> bool:
    """Return whether a branch does nothing but lay tensors out anew."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    values = [item.value if isinstance(item, ast.Assign) else None for item in node.body]
    return all(
        isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "contiguous"
        for value in values
    )


def is_text(node: ast.AST, text: str) -> bool:
    """Return whether an expression is a text."""
    return isinstance(node, ast.Constant) and node.value == text


def texts_in(node: ast.expr) -> list[ast.Constant]:
    """Return the texts of an expression, or of the display that it is."""
    nodes = node.elts if isinstance(node, ast.Tuple | ast.List | ast.Set) else [node]
    return [item for item in nodes if isinstance(item, ast.Constant) and isinstance(item.value, str)]


def names_rank(node: ast.expr) -> bool:
    """Return whether an expression is a rank as it stands, which as a device means CUDA."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in _RANKS


def is_main(test: ast.expr) -> bool:
    """Return whether a condition asks whether the file is run."""
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and is_text(test.comparators[0], "__main__")
    )
