"""Quoting: any text, made safe for a shell, for YAML and TOML, and for a comment."""

from __future__ import annotations

import re
import shlex

_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def quote_shell(text: str) -> str:
    r"""Return a text as one word of a shell.

    >>> print(quote_shell("it's"), quote_shell("a/b-1"))
    'it'"'"'s' a/b-1

    A null character ends a word in every shell, so it is left out.
    """
    return shlex.quote(text.replace("\0", ""))


def quote_double(text: str) -> str:
    r"""Return a text in double quotes, with escapes that YAML and TOML share.

    >>> print(quote_double('say "hi"\n'))
    "say \"hi\"\n"
    """
    return '"' + "".join(_SHORT.get(c) or _escape(c) for c in text) + '"'


def _escape(char: str) -> str:
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:  # half of a surrogate pair is no character
        return "\\uFFFD"
    if (char.isascii() and char.isprintable()) or (char.isprintable() and char.isalnum() and code < 0x10000):
        return char
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def quote_key(text: str) -> str:
    """Return a text as a key of YAML or TOML: bare where both allow it."""
    is_bare = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", text) and text.lower() not in _YAML_WORDS
    return text if is_bare else quote_double(text)


_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def clean_comment(text: str) -> str:
    r"""Return a text as one line that cannot leave its comment.

    >>> clean_comment("one\n two")
    'one two'
    """
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
