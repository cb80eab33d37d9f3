"""Records: frozen dataclasses as plain JSON values, and back, checked by the annotations of their fields.

What comes from a file is untrusted: a key too many, a key too few, a value of another type or out of its bounds ends in a
FormatError that says where it stands and what was expected.
"""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from tianji.errors import FormatError

T = TypeVar("T")

Bounds = Mapping[str, tuple[float, float]]
"""Least and most of a number by ``Class.field``, by ``Class`` for all others of a class."""

ANY_NUMBER = (0.0, 1e30)
"""Bounds of a number that no table names: nothing in a record is negative or endless."""
MAX_TEXT = 20_000


def encode(value: object) -> Any:
    """Return a record as plain values for JSON; every field is written, defaults too.

    Raises FormatError for a value that a file cannot hold (an array, a number that is not finite).
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if value is None or isinstance(value, (bool, str, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise FormatError(f"a file holds plain numbers and texts, got {value!r:.60} of type {type(value).__name__}")


def decode(kind: type[T], data: object, where: str, bounds: Bounds) -> T:
    """Return the record of a dataclass that plain values describe; keys may be left out where the field has a default.

    Raises FormatError with the place of the first thing that is wrong.
    """
    if not isinstance(data, Mapping):
        raise FormatError(f"{where}: expected an object with the keys of a {kind.__name__.lower()}, got {shown(data)}")
    hints, known = _hints(cast(type, kind)), {f.name: f for f in fields(cast(Any, kind))}
    for key in data:
        if key not in known:
            raise FormatError(f"{where}: unknown key {shown(key)}{_nearest(str(key), known)}")
    values: dict[str, Any] = {}
    for name, field in known.items():
        if name in data:
            limits = bounds.get(f"{kind.__name__}.{name}", bounds.get(kind.__name__, ANY_NUMBER))
            values[name] = _decode_value(hints[name], data[name], f"{where}.{name}", bounds, limits)
        elif not _has_default(field):
            raise FormatError(f"{where}: the key {name!r} is missing{_slip(name, data, known)}")
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _decode_value(hint: Any, data: object, where: str, bounds: Bounds, limits: tuple[float, float]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        inner = next(a for a in arguments if a is not type(None))
        return None if data is None else _decode_value(inner, data, where, bounds, limits)
    if origin is tuple:
        return _decode_tuple(arguments, data, where, bounds, limits)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(data, Mapping):
            raise FormatError(f"{where}: expected an object, got {shown(data)}")
        return {
            str(k): _decode_value(arguments[1], v, f"{where}.{str(k)[:40]}", bounds, limits) for k, v in data.items()
        }
    if is_dataclass(hint):
        return decode(cast(type, hint), data, where, bounds)
    return _decode_plain(hint, data, where, limits)


def _decode_tuple(
    arguments: tuple[Any, ...], data: object, where: str, bounds: Bounds, limits: tuple[float, float]
) -> tuple[Any, ...]:
    if not isinstance(data, (list, tuple)):
        raise FormatError(f"{where}: expected a list, got {shown(data)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        arguments = (arguments[0],) * len(data)
    if len(data) != len(arguments):
        raise FormatError(f"{where}: expected {len(arguments)} values, got {len(data)}")
    pairs = enumerate(zip(arguments, data, strict=True))
    return tuple(_decode_value(kind, item, f"{where}[{i}]", bounds, limits) for i, (kind, item) in pairs)


def _decode_plain(kind: type, data: object, where: str, limits: tuple[float, float]) -> Any:
    if kind is bool or kind is str:
        if not isinstance(data, kind):
            expected = "true or false" if kind is bool else "a text"
            raise FormatError(f"{where}: expected {expected}, got {shown(data)}")
        if isinstance(data, str) and len(data) > MAX_TEXT:
            raise FormatError(f"{where}: a text of {len(data):,} characters; at most {MAX_TEXT:,} are read")
        return data
    expected = "a whole number" if kind is int else "a number"
    if isinstance(data, bool) or not isinstance(data, (int, float)) or (kind is int and not isinstance(data, int)):
        raise FormatError(f"{where}: expected {expected}, got {shown(data)}")
    least, most = limits
    if not least <= data <= most:
        raise FormatError(f"{where}: expected {expected} from {least:,.10g} to {most:,.10g}, got {shown(data)}")
    return kind(data)


def shown(value: object) -> str:
    """Return a value as a message shows it: short."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a number of {value.bit_length():,} bits"
    words = {None: "null", True: "true", False: "false"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _nearest(key: str, known: Mapping[str, object]) -> str:
    near = get_close_matches(key.lower()[:60], sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(known))}"


def _slip(name: str, data: Mapping[Any, object], known: Mapping[str, object]) -> str:
    near = get_close_matches(name, [str(k)[:60] for k in data if k not in known], n=1, cutoff=0.6)
    return f"; is {near[0]!r} a slip for it?" if near else ""
