"""What the few commands print whose output follows from a script alone: ``echo``, ``printf``, ``seq``, parts of paths."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from tianji.exporters.launch_reader.shell_arithmetic import calculate

LONGEST_SEQUENCE = 10_000


def print_words(words: Sequence[str]) -> str | None:
    r"""Return what a command prints, None where the words alone do not say it.

    >>> print_words(["seq", "1", "3"]), print_words(["basename", "/a/b.sh", ".sh"]), print_words(["date"])
    ('1\n2\n3\n', 'b\n', None)
    """
    match list(words):
        case ["echo", *rest]:
            ends = "" if rest[:1] == ["-n"] else "\n"
            return " ".join(w for i, w in enumerate(rest) if not (i == 0 and w in ("-n", "-e"))) + ends
        case ["printf", pattern, *rest] if pattern != "-v":
            return format_words(pattern, rest)
        case ["seq", *numbers] if 1 <= len(numbers) <= 3:
            return _count(numbers)
        case ["dirname", *rest]:
            return (posixpath.dirname(rest[-1]) or ".") + "\n" if rest else None
        case ["basename", *rest] if rest:
            names = [w for w in rest if w != "--"]
            name = posixpath.basename(names[0])
            return (name.removesuffix(names[1]) if len(names) > 1 else name) + "\n"
        case ["readlink" | "realpath", *rest] if rest:
            return rest[-1] + "\n"
        case ["expr", *rest]:
            number = calculate(" ".join(rest))
            return None if number is None else f"{number}\n"
    return None


def format_words(pattern: str, words: Sequence[str]) -> str | None:
    """Return what ``printf`` makes of a pattern and words; the pattern is used again until no word is left.

    >>> format_words("[%s]", ["1, 0"]), format_words("%d,", ["1", "2"])
    ('[1, 0]', '1,2,')
    """
    pattern = pattern.replace("\\n", "\n").replace("\\t", "\t")
    count = len(re.findall(r"%[sd]", pattern))
    if re.search(r"%(?![sd%])", pattern) or len(words) * len(pattern) > 10**6:
        return None
    rest, done = list(words), ""
    while True:
        for part in re.split(r"(%[sd%])", pattern):
            done += "%" if part == "%%" else (rest.pop(0) if rest else "") if part in ("%s", "%d") else part
        if not rest or not count:
            return done


def _count(numbers: Sequence[str]) -> str | None:
    values = [calculate(n) for n in numbers]
    if None in values:
        return None
    whole = [v or 0 for v in values]
    first, step, last = (1, 1, whole[0]) if len(whole) == 1 else (whole[0], 1, whole[1]) if len(whole) == 2 else whole
    if step == 0 or abs(last - first) // abs(step) > LONGEST_SEQUENCE:
        return None
    return "".join(f"{n}\n" for n in range(first, last + (1 if step > 0 else -1), step))
