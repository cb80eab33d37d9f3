"""Files from outside, read with a bound: whatever stands at a path, reading it ends, and a message says what was expected.

A pipe or a device may never end, so only files are read; a file larger than ``most`` is not what the caller expects.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from tianji.errors import FormatError
from tianji.units import MB, show

LARGEST_FILE = 5 * MB
"""A file that a person or Tianji itself wrote has a hundredth of it."""

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""Half of a character beyond the first 65,536, as JSON may write it."""


def read_bytes(path: str | os.PathLike[str], expected: str, most: float = LARGEST_FILE) -> bytes:
    """Return the content of a file of at most ``most`` bytes.

    Raises FormatError, which ends with "expected " and ``expected``, for what is missing, no file, or larger.
    """
    try:
        # Without waiting: a pipe without a writer would not even open.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise FormatError(
                    f"{_short(path)}: cannot be read: a pipe or a device, not a file; expected {expected}"
                )
            raw = file.read(int(most) + 1)
    except FileNotFoundError:
        raise FormatError(f"{_short(path)}: cannot be read: no such file; expected {expected}") from None
    except IsADirectoryError:
        raise FormatError(f"{_short(path)}: cannot be read: a folder; expected {expected}") from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise FormatError(f"{_short(path)}: cannot be read ({reason}); expected {expected}") from None
    if len(raw) > most:
        size = show(Path(path).stat().st_size, "bytes")
        raise FormatError(f"{path}: {size} is too big; expected {expected}, of at most {show(most, 'bytes')}")
    return raw


def read_text(path: str | os.PathLike[str], expected: str, most: float = LARGEST_FILE) -> str:
    """Return the text of a file in UTF-8; a mark of the byte order at its start is left out.

    Raises FormatError as :func:`read_bytes` does, and, with the line, for bytes that are not UTF-8.
    """
    raw = read_bytes(path, expected, most)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FormatError(f"{path}, line {line}: not UTF-8 text; expected {expected}") from None


def read_object(path: str | os.PathLike[str], expected: str, most: float = LARGEST_FILE) -> Mapping[str, object]:
    """Return the JSON object of a file.

    Raises FormatError as :func:`read_text` and :func:`parse_object` do.
    """
    return parse_object(read_text(path, expected, most), str(path), expected)


def parse_object(text: str, where: str, expected: str, *, constants: bool = False) -> Mapping[str, object]:
    """Return the JSON object in a text; with ``constants`` NaN and Infinity are numbers.

    Raises FormatError, with line and column, for broken or cut JSON, for numbers that are none, for half of a character in
    a text, and for any other value.
    """
    try:
        data = json.loads(text, parse_constant=None if constants else _refuse_constant)
    except json.JSONDecodeError as error:
        left = text[error.pos :].rstrip()
        is_word = any(word.startswith(left) for word in ("true", "false", "null", "-"))
        is_cut = is_word or error.msg.startswith("Unterminated")
        end = " (the file ends there: is it complete?)" if is_cut else ""
        place = f"line {error.lineno}, column {error.colno}"
        raise FormatError(f"{where}: not valid JSON at {place}: {error.msg}{end}; expected {expected}") from None
    except RecursionError:
        raise FormatError(f"{where}: JSON nested too deeply; expected {expected}") from None
    except ValueError as error:  # a constant, or a number of thousands of digits
        raise FormatError(f"{where}: not valid JSON: {error}; expected {expected}") from None
    if _HALF.search(text):  # an escape, of which only json's own writer knows whether its other half follows
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise FormatError(
                f"{where}: a text holds half of a character (a lone \\ud8..); expected {expected}"
            ) from None
    if not isinstance(data, dict):
        kind = {list: "a list", str: "a text", type(None): "null", bool: "a truth value"}.get(type(data), "a number")
        raise FormatError(f"{where}: got {kind}; expected {expected}, a JSON object")
    return data


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not a number")


def _short(path: str | os.PathLike[str]) -> str:
    return os.fsdecode(path)[:300]
