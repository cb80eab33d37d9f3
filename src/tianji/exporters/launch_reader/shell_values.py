"""What the tests of a shell script come to, where its text alone decides."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from tianji.exporters.launch_reader.shell_arithmetic import calculate

_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-gt": operator.gt,
    "-ge": operator.ge,
    "-lt": operator.lt,
    "-le": operator.le,
}
_SUCCEED = frozenset({"true", ":", "cd", "mkdir", "echo", "set", "unset", "source", ".", "printf", "export", "shift"})
"""Commands that a script can count on."""
_CLOSED_BY = {"[": "]", "[[": "]]"}
_PATTERN = set("*?[")


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
    return _decide_all(inner)


def _decide_all(words: list[str]) -> bool | None:
    """Decide parts joined by or, and, not; a part that decides by itself needs no other."""
    for joints, wanted in ((("||", "-o"), True), (("&&", "-a"), False)):
        for i, word in enumerate(words):
            if word in joints and 0 < i < len(words) - 1:
                parts = [_decide_all(words[:i]), _decide_all(words[i + 1 :])]
                return wanted if wanted in parts else None if None in parts else not wanted
    if words and words[0] == "!":
        holds = _decide_all(words[1:])
        return None if holds is None else not holds
    return _decide(words)


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
        case [left, "=" | "==" | "!=" as sign, right] if not set(right) & _PATTERN:
            return (left == right) is (sign != "!=")
        case [left, "=~", right] if not set(right) & set("^$.*+?()[]{}|\\"):
            return right in left
        case [left, sign, right] if sign in _COMPARED:
            a, b = calculate(left), calculate(right)
            return None if a is None or b is None else _COMPARED[sign](a, b)
    return None
