"""Answers kept for the arguments that were asked about, which are told apart by identity: what holds arrays does not compare."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class Answers:
    """Answers by the identity of what was asked about: the ``last`` ones, or all.

    What was asked about is kept with its answer, so that no other object can get its identity. Neither may be changed afterwards.
    """

    __slots__ = ("kept", "last")

    def __init__(self, last: int | None = None) -> None:
        self.last = last
        self.kept: dict[tuple[int, ...], tuple[tuple[Any, ...], Any]] = {}

    def find(self, about: tuple[Any, ...], compute: Callable[[], R]) -> R:
        """Return ``compute()``, worked out for the first who asks about these objects."""
        key = tuple(map(id, about))
        known = self.kept.get(key)
        if known is None:
            known = about, compute()
            while self.last is not None and len(self.kept) >= self.last:
                self.kept.pop(next(iter(self.kept)), None)
            self.kept[key] = known
        elif self.last is not None:
            self.kept[key] = self.kept.pop(key, known)
        answer: R = known[1]
        return answer


def remember(last: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Keep the answers of a function to so many arguments, the last ones that were asked about. They are given by place."""

    def keep(compute: Callable[P, R]) -> Callable[P, R]:
        answers = Answers(last)

        @wraps(compute)
        def ask(*arguments: P.args, **named: P.kwargs) -> R:
            return compute(*arguments, **named) if named else answers.find(arguments, partial(compute, *arguments))

        return ask

    return keep
