"""What spreads a sweep: a function over independent pieces of work, with the answers in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Mapper(Protocol):
    """Calls a function on each item, here or elsewhere; the built-in ``map`` is one.

    Function, items and answers must be able to travel to another process.
    """

    def __call__(self, function: Callable[[T], R], items: Iterable[T], /) -> Iterator[R]:
        """Yield the function's answer for each item, in the order of the items."""
