"""Answers kept for the last arguments, which are told apart by identity: what holds arrays does not compare."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class _Same:
    """An argument that equals itself alone. It is kept with its answer, so that no other object can get its identity."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


def remember(last: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep the answers of a function to so many arguments, the last ones that were asked about.

    Arguments are given by place, and neither they nor an answer may be changed afterwards.
    """

    def keep(compute: Callable[P, R]) -> Callable[P, R]:
        @lru_cache(maxsize=last)
        def answer(*same: _Same) -> Any:
            return compute(*(one.value for one in same))  # type: ignore[call-arg]

        @wraps(compute)
        def ask(*arguments: P.args, **named: P.kwargs) -> R:
            if named:
                return compute(*arguments, **named)
            kept: R = answer(*map(_Same, arguments))
            return kept

        return ask

    return keep
