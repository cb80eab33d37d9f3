"""Where a block of a shell script ends: ``done`` of a loop, ``esac`` of a choice, ``}`` of a function."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tianji.errors import FormatError

_OPENERS = {"done": ("for", "while", "until", "select"), "esac": ("case",), "}": ("{",)}
_LEADERS = frozenset({"then", "else", "do", "!", "{", "time", "elif", "if", "while", "until"})
"""Words after which a command begins."""
_WORD = re.compile(r"[^\s;&|()<>'\"`#\\$]+")


def scan_words(text: str, at: int) -> Iterator[tuple[str, int, bool]]:
    """Yield plain words and separators from a place on, each with its start and whether a command begins there."""
    begins = True
    while at < len(text):
        char = text[at]
        if char in "'\"`":
            at, begins = _skip_quote(text, at), False
        elif char == "\\":
            at += 2
        elif char == "#" and (at == 0 or text[at - 1] in " \t\n;"):
            at = _line_end(text, at)
        elif char == "$":
            at, begins = _skip_dollar(text, at), False
        elif text.startswith("<<", at) and not text.startswith("<<<", at) and (here := _here_end(text, at)):
            at = here
        elif char in "\n;&|()":
            both = text[at : at + 2]
            token = both if both in (";;", "&&", "||", ";&") else char
            yield token, at, False
            at, begins = at + len(token), True
        elif char in " \t<>":
            at += 1
        else:
            word = _WORD.match(text, at)
            if not word:
                at += 1
                continue
            is_assignment = re.match(r"\w+\+?=", word[0])
            yield word[0], at, begins
            at = word.end()
            begins = begins and (word[0] in _LEADERS or bool(is_assignment))


def find_end(text: str, at: int, closer: str, where: str) -> int:
    """Return where the word that closes a block begins, of which the opening word lies before ``at``.

    Raises FormatError where it is never closed.
    """
    depth = 1
    for word, start, begins in scan_words(text, at):
        if begins and word in _OPENERS[closer]:
            depth += 1
        elif begins and word == closer:
            depth -= 1
            if depth == 0:
                return start
    line = text.count("\n", 0, at) + 1
    raise FormatError(f"{where}: the block opened in line {line} is never closed by {closer}; is the file complete?")


def split_clauses(text: str) -> Iterator[tuple[str, str]]:
    """Yield the patterns and the commands of each clause between ``in`` and ``esac``."""
    at, depth, pattern_start, body_start = 0, 0, 0, -1
    pattern = ""
    for word, start, begins in scan_words(text, at):
        if body_start < 0:
            if word == ")":
                pattern, body_start = text[pattern_start:start].strip().removeprefix("(").strip(), start + 1
            continue
        if begins and word == "case":
            depth += 1
        elif begins and word == "esac":
            depth -= 1
        elif word in (";;", ";&") and depth == 0:
            yield pattern, text[body_start:start]
            pattern_start, body_start = start + 2, -1
    if body_start >= 0:
        yield pattern, text[body_start:]


def _skip_quote(text: str, at: int) -> int:
    quote, end = text[at], at + 1
    while end < len(text) and text[end] != quote:
        if quote == '"' and text[end] == "$":
            end = _skip_dollar(text, end)
            continue
        end += 2 if text[end] == "\\" and quote != "'" else 1
    return end + 1


def _skip_dollar(text: str, at: int) -> int:
    """Return the place behind ``${...}``, ``$(...)`` or ``$NAME``."""
    pairs = {"{": "}", "(": ")"}
    opener = text[at + 1 : at + 2]
    if opener == "'":
        return at + 1
    if opener not in pairs:
        return at + 2
    depth, end = 0, at + 1
    while end < len(text):
        if text[end] == "\\":
            end += 1
        elif text[end] == opener:
            depth += 1
        elif text[end] == pairs[opener]:
            depth -= 1
            if depth == 0:
                return end + 1
        end += 1
    return end


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _here_end(text: str, at: int) -> int:
    here = re.compile(r"<<-?\s*(['\"]?)(\w+)\1").match(text, at)
    if not here:
        return 0
    end = re.compile(rf"^\t*{re.escape(here[2])}$", re.MULTILINE).search(text, _line_end(text, at))
    return end.end() if end else len(text)
