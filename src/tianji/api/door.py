"""The door of Python: what an exported function does with arguments of a wrong type, and how its errors name arguments.

The rooms below name what a user gave as the command line spells it (``--from-megatron``). Here that becomes the argument
(``from_megatron=``), for all functions in one place; a command in backquotes stays as it is typed.
"""

from __future__ import annotations

import inspect
import numbers
import os
import re
import types
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from tianji.errors import FormatError, TianjiError

P = ParamSpec("P")
T = TypeVar("T")

LONGEST = 80
"""Letters of a wrong argument that a message repeats."""
_WORDS: dict[Any, str] = {
    str: "a text", int: "a whole number", float: "a number", bool: "True or False", type(None): "None",
    os.PathLike: "a path", Mapping: "a mapping", Iterable: "a list",
}  # fmt: skip
_COMMANDS = re.compile(r"(`[^`]*`)")
_VALUE = r"(?:[\w./-]*[\dA-Z=/.][\w=./-]*|job|replica|cost|energy|deadline|cpu|local|ray|mindspore)\b"
_OPTION = re.compile(rf"--(?P<name>[a-z][a-z-]*)(?:[ =](?P<value>{_VALUE})(?: or (?P<other>{_VALUE}))?)?")
"""An option, with the value behind it: what has a digit, a capital, a stop or ``=``, or a word that options take."""


def python_door(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function whose errors speak of its arguments, and which refuses values of another type by name.

    Raises FormatError for a value of a type that the annotation of its argument does not allow.
    """

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        check_arguments(function, *args, **kwargs)
        try:
            return function(*args, **kwargs)
        except TianjiError as error:
            error.args = tuple(name_arguments(str(part)) for part in error.args)
            raise

    return checked


def check_arguments(function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    """Raise FormatError for the first argument whose value is of another type than its annotation says."""
    signature, hints = _annotations(function)
    for name, value in signature.bind(*args, **kwargs).arguments.items():
        hint, kind = hints.get(name, Any), signature.parameters[name].kind
        values = (
            value if kind is inspect.Parameter.VAR_POSITIONAL
            else value.values() if kind is inspect.Parameter.VAR_KEYWORD
            else (value,)
        )  # fmt: skip
        for each in values:
            if not is_of(each, hint):
                shown = repr(each)
                shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} and so on"
                of_type = "" if each is None else f" of type {type(each).__name__}"
                raise FormatError(f"{name}: expected {describe(hint)}, got {shown}{of_type}")


@cache
def _annotations(function: Callable[..., Any]) -> tuple[inspect.Signature, dict[str, Any]]:
    return inspect.signature(function), get_type_hints(function)


def is_of(value: object, hint: Any) -> bool:
    """Return whether a value is of an annotated type; the elements of a collection count, those of an iterator do not.

    >>> is_of(3, int | None), is_of(True, int), is_of(3, float), is_of({"h800": 2}, Mapping[str, float]), is_of([3], list[str])
    (True, False, True, True, False)
    """
    if hint in (Any, object) or isinstance(hint, TypeVar):
        return True
    if hint in (None, type(None)):
        return value is None
    if hint in (int, float):
        kind = numbers.Integral if hint is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(is_of(value, part) for part in parts)
    if origin is None:
        return not isinstance(hint, type) or isinstance(value, hint)
    if not isinstance(origin, type) or not isinstance(value, origin):
        return not isinstance(origin, type)
    if isinstance(value, Mapping) and issubclass(origin, Mapping):
        return all(is_of(key, parts[0]) and is_of(each, parts[1]) for key, each in value.items())
    if (
        isinstance(value, Collection)
        and issubclass(origin, Iterable)
        and parts
        and not isinstance(value, (str, Mapping))
    ):
        return all(is_of(each, parts[0]) for each in value)
    return True


def describe(hint: Any) -> str:
    """Return an annotated type in words.

    >>> describe(str | os.PathLike[str] | None), describe(Mapping[str, float])
    ('a text, a path or None', 'a mapping')
    """
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    words = []
    for part in parts:
        kind = get_origin(part) or part
        name = getattr(kind, "__name__", str(kind))
        words.append(_WORDS.get(kind, f"{'an' if name[0] in 'AEIO' else 'a'} {name}"))
    words = list(dict.fromkeys(words))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def name_arguments(message: str) -> str:
    """Return a message whose options are spelt as arguments; what stands in backquotes stays.

    >>> name_arguments("--replica-chips counts only with --loss replica; see `tianji plan --help`")
    'replica_chips= counts only with loss="replica"; see `tianji plan --help`'
    >>> name_arguments("give --tokens, like --tokens 15T, or --chips 64, or --rent h800=USD")
    'give tokens=, like tokens="15T", or chips=64, or rent={"h800": USD}'
    """
    parts = _COMMANDS.split(message)
    return "".join(part if part.startswith("`tianji") else _OPTION.sub(_as_argument, part) for part in parts)


def _as_argument(match: re.Match[str]) -> str:
    name, value = match["name"].replace("-", "_"), match["value"]
    name += "_" if name in ("from", "with") else ""
    if value is None:
        return name if match.string[match.end() : match.end() + 1] == ":" else f"{name}="
    other = "" if match["other"] is None else f" or {_as_value(match['other'])}"
    return f"{name}={_as_value(value)}{other}"


def _as_value(text: str) -> str:
    key, equals, figure = text.partition("=")
    return f'{{"{key}": {figure}}}' if equals else text if text.isdigit() else f'"{text}"'
