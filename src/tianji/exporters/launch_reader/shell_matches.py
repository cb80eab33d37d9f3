"""``[[ TEXT =~ PATTERN ]]``: whether a pattern matches, and what its brackets take (``BASH_REMATCH``)."""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST_PATTERN, LONGEST_TEXT = 200, 80
MOST_REPEATS = 3
"""Parts of a pattern that repeat: a pattern with more, or with a group that repeats, may try without end."""
_CLASSES = {
    "digit": "0-9", "alpha": "a-zA-Z", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s", "blank": r" \t",
    "xdigit": "0-9a-fA-F", "word": r"\w",
}  # fmt: skip
_ENDS = ("&&", "||", "]]")
HOLDS, FAILS = ("-n", "1"), ("-z", "1")


def settle_match(words: Sequence[str]) -> tuple[list[str], list[str] | None]:
    """Return a test with its first match decided, and what the brackets of its pattern took; None where nothing was decided.

    >>> settle_match(["[[", "--tp=8", "=~", "^--", "(", "[a-z]+", ")", "=", "(", ".*", ")", "$", "]]"])
    (['[[', '-n', '1', ']]'], ['--tp=8', 'tp', '8'])
    """
    at = words.index("=~") if "=~" in words else 0
    if at < 2 or words[0] != "[[":
        return list(words), None
    end = next((i for i in range(at + 1, len(words)) if words[i] in _ENDS), len(words))
    taken = match(words[at - 1], "".join(words[at + 1 : end]))
    if taken is None:
        return list(words), None
    return [*words[: at - 1], *(HOLDS if taken else FAILS), *words[end:]], taken


def match(text: str, pattern: str) -> list[str] | None:
    """Return the whole match and its groups, an empty list where a pattern does not match, None where that is not decided."""
    if "${" in text or "${" in pattern or len(text) > LONGEST_TEXT or len(pattern) > LONGEST_PATTERN:
        return None
    plain = re.sub(r"\[:(\w+):\]", lambda m: _CLASSES.get(m[1], m[0]), pattern)
    bare = re.sub(r"\\.|\[[^\]]*\]", "x", plain)
    if len(re.findall(r"[+*{?]", bare)) > MOST_REPEATS or re.search(r"\)[+*{]", bare):
        return None
    try:
        taken = re.search(plain, text)
    except (re.error, RecursionError, OverflowError):
        return None
    return [] if taken is None else [taken[0], *(group or "" for group in taken.groups())]
