"""Holds a document to its type: each key is there, none is more, and every value is what the type says."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict


def mismatches(value: Any, hint: Any, where: str = "document") -> Iterator[str]:
    """Yield each place where a value is not what a type says."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return
    if is_typeddict(hint):
        yield from _object(value, get_type_hints(hint), where)
    elif origin in (Union, types.UnionType):
        if all(any(True for _ in mismatches(value, each, where)) for each in arguments):
            yield from min((list(mismatches(value, each, where)) for each in arguments), key=len)
    elif origin is Literal:
        if value not in arguments:
            yield f"{where}: {value!r} is none of {arguments}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{where}: {value!r} is no list"
        for place, inner in enumerate(value if isinstance(value, list) else ()):
            yield from mismatches(inner, arguments[0], f"{where}[{place}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{where}: {value!r} is no object"
        for key, inner in (value if isinstance(value, dict) else {}).items():
            yield from mismatches(inner, arguments[1], f"{where}.{key}")
    elif not _is(value, hint):
        yield f"{where}: {value!r} is no {hint}"


def _object(value: Any, keys: dict[str, Any], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no object"
        return
    yield from (f"{where}: no key {key}" for key in keys if key not in value)
    yield from (f"{where}: key {key} is in no type" for key in value if key not in keys)
    for key in value.keys() & keys:
        yield from mismatches(value[key], keys[key], f"{where}.{key}")


def _is(value: Any, hint: Any) -> bool:
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def ranges(value: Any, where: str = "document") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every object that has a nominal value, with its place."""
    if isinstance(value, dict):
        if "nominal" in value:
            yield where, value
        for key, inner in value.items():
            yield from ranges(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from ranges(inner, f"{where}[{place}]")
