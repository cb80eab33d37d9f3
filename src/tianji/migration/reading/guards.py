"""Tell which branch of a condition runs on which device."""

from __future__ import annotations

import ast

from tianji.migration.facts import Guard

_CUDA = ("is_cuda_available", "is_torch_cuda_available", "use_cuda", "has_cuda", "is_nvidia", "is_cuda", "_is_cuda")
_OTHER = ("xpu", "mps", "hpu", "npu", "mlu", "musa", "hip", "rocm", "tpu")
_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "RuntimeError", "AttributeError"})


def guard_of_body(test: ast.expr, outer: Guard) -> tuple[Guard, Guard]:
    """Return the guards of a condition's body and of its else branch."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner, other = guard_of_body(test.operand, outer)
        return other, inner
    kind = _kind_of(test)
    return (kind, outer) if kind is not Guard.NONE else (outer, outer)


def _kind_of(test: ast.expr) -> Guard:
    if isinstance(test, ast.BoolOp):
        kinds = [_kind_of(value) for value in test.values]
        if isinstance(test.op, ast.And):
            return next((kind for kind in kinds if kind is not Guard.NONE), Guard.NONE)
        return kinds[0] if all(kind is kinds[0] for kind in kinds) else Guard.NONE
    if isinstance(test, ast.Call):
        return _kind_of_name(test.func)
    if isinstance(test, ast.Name | ast.Attribute):
        return _kind_of_name(test)
    if isinstance(test, ast.Compare) and len(test.comparators) == 1 and isinstance(test.ops[0], ast.Eq | ast.In):
        words = [node.value for node in (test.left, test.comparators[0]) if isinstance(node, ast.Constant)]
        if any(isinstance(word, str) and word.split(":")[0] == "cuda" for word in words):
            return Guard.CUDA_BRANCH
        if any(isinstance(word, str) and word in _OTHER for word in words):
            return Guard.OTHER_DEVICE
    return Guard.NONE


def _kind_of_name(node: ast.expr) -> Guard:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        names.append(node.id)
    if not names:
        return Guard.NONE
    last, before = names[0], names[1] if len(names) > 1 else ""
    if (last == "is_available" and before == "cuda") or last in _CUDA:
        return Guard.CUDA_BRANCH
    if last == "is_available" and before in _OTHER:
        return Guard.OTHER_DEVICE
    if last.lstrip("_").removeprefix("is_").removeprefix("has_") in _OTHER and last not in _OTHER:
        return Guard.OTHER_DEVICE
    if last.startswith("is_") and last.endswith("available"):
        if any(f"_{word}_" in last for word in _OTHER):
            return Guard.OTHER_DEVICE
        return Guard.OPTIONAL_IMPORT
    return Guard.NONE


def is_optional_import(node: ast.Try) -> bool:
    """Return whether a ``try`` imports something and goes on without it."""
    if not any(isinstance(item, ast.Import | ast.ImportFrom) for item in node.body):
        return False
    for handler in node.handlers:
        if any(isinstance(item, ast.Raise) for item in handler.body):
            continue
        if handler.type is None:
            return True
        kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        if any(isinstance(kind, ast.Name) and kind.id in _IMPORT_ERRORS for kind in kinds):
            return True
    return False
