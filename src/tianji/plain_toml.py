"""TOML read at the speed of JSON where it is plain, as nearly all files of the catalog and all that Tianji writes are.

A plain file has lines ``key = value`` under headers ``[table.of."its name"]`` and ``[[list of tables]]``: texts in double quotes
without escapes, decimal numbers, booleans, lists, and tables in braces. One expression says that grammar. Such a file becomes one
JSON text, which Python's parser in C reads in a fraction of the time that :mod:`tomllib` takes. Everything else is tomllib's: any
other file, and all errors, so that messages are its own.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
"""Control characters, of which JSON and TOML allow others."""
_TOKEN = re.compile(r"""((?<![\[.])"{3}(?:[^"\\]|\\\n)*+"{3}(?![ \t]*[=.])|"[^"\\\n]*+"|'[^'\n]*+'|\#[^\n]*+)""")
"""A text, or a comment; a key is no text of several lines."""
_JOINED = re.compile(r"\\\n[ \t\n]*+")
"""The end of a line that goes on in the next one, in a text of several lines."""

# Below, each text stands as one quotation mark, and comments are gone.
_DEPTH = 8
"""Lists and tables in braces within each other, at most."""
_S, _GAP = r"[ \t]*+", r"[ \t\n]*+"
_KEY = '(?:[A-Za-z0-9_-]++|")'
_KEYS = rf"{_KEY}(?:\.{_KEY})*+"
_VALUE = r'(?:"|true|false|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)'
_PAIR = rf"{_KEY}{_S}={_S}{_VALUE}{_S}"
_INNERMOST = re.compile(
    rf"(?<!\n)\[{_GAP}(?:{_VALUE}{_GAP}(?:,{_GAP}{_VALUE}{_GAP})*+(?:,{_GAP})?)?\]|\{{{_S}(?:{_PAIR}(?:,{_S}{_PAIR})*+)?\}}"
)
_LINES = re.compile(rf"(?:{_S}(?:{_PAIR}|(?:\[{_KEYS}\]|\[\[{_KEYS}\]\]){_S})?\n)*+")

_BARE_KEY = re.compile(rf"([A-Za-z0-9_-]++){_S}=")
_QUOTED_KEY = re.compile(rf'"{_S}=')
_LAST_COMMA = re.compile(rf",({_GAP}\])")
_HEADER = re.compile(rf"^{_S}(\[\[?)({_KEYS})\]\]?{_S}$", re.MULTILINE)
_NEXT_PAIR = re.compile(r'\n[ \t\n]*+(?=(?:\x01[A-Za-z0-9_-]++\x01|"):)')

_Part = tuple[bool, list[str], dict[str, Any]]
"""Whether a header adds to a list of tables, its keys, and what stands under it."""


class _NotPlain(ValueError):
    """A file that tomllib has to read."""


def parse_toml(text: str) -> dict[str, Any]:
    r"""Return what ``tomllib.loads`` returns, and raise what it raises.

    >>> parse_toml('[a]\nsize = 3\n[a."b c"]\nx = { y = [1.5, "#"] }  # why\n')
    {'a': {'size': 3, 'b c': {'x': {'y': [1.5, '#']}}}}
    """
    try:
        return _nest(_split(text))
    except ValueError:
        return tomllib.loads(text)


def _split(text: str) -> list[_Part]:
    """Return what stands under each header of a plain file; first what stands before all headers.

    Raises ValueError for a file that is not plain.
    """
    if _CONTROL.search(text) or "'''" in text:
        raise _NotPlain
    pieces = _TOKEN.split(text)
    texts = [token for token in pieces[1::2] if token[0] != "#"]
    pieces[1::2] = ["" if token[0] == "#" else '"' for token in pieces[1::2]]
    bare = "\n" + "".join(pieces) + "\n"
    if not _is_plain(bare):
        raise _NotPlain
    # Marks that are added stand as \x01 until the texts are back in their places.
    pieces = _BARE_KEY.split(_QUOTED_KEY.sub('":', bare))
    pieces[1::2] = [f"\x01{key}\x01:" for key in pieces[1::2]]
    bare = _LAST_COMMA.sub(r"\1", _HEADER.sub(_write_header, "".join(pieces)))
    bare = _NEXT_PAIR.sub("\n,", f"[[false,[],{{\n{bare}}}]]").replace("{\n,", "{\n")
    between = bare.split('"')
    whole = [""] * (len(between) + len(texts))
    whole[::2], whole[1::2] = between, map(_quote, texts)
    parts: list[_Part] = json.loads("".join(whole).replace("\x01", '"'), object_pairs_hook=_as_table)
    return parts


def _is_plain(bare: str) -> bool:
    """Return whether a text without texts and comments keeps the grammar, values in brackets and braces from inside out."""
    for _ in range(_DEPTH):
        bare, changes = _INNERMOST.subn('"', bare)
        if not changes:
            break
    return _LINES.fullmatch(bare) is not None


def _write_header(header: re.Match[str]) -> str:
    keys = ",".join(key if key == '"' else f"\x01{key}\x01" for key in header[2].split("."))
    return f"}}],[{'true' if header[1] == '[[' else 'false'},[{keys}],{{"


def _quote(text: str) -> str:
    """Return a text as JSON has it."""
    if text[0] == "'":
        return json.dumps(text[1:-1], ensure_ascii=False)
    if text.startswith('"""'):
        return json.dumps(_JOINED.sub("", text[3:-3].removeprefix("\n")), ensure_ascii=False)
    return text


def _as_table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise _NotPlain  # a key stands twice
    return table


def _nest(parts: list[_Part]) -> dict[str, Any]:
    """Return the tables in their places.

    Raises ValueError where a header asks for what stands otherwise already: what TOML makes of it, tomllib knows.
    """
    whole = parts[0][2]
    opened = {id(whole)}  # what headers made, by identity: values in braces and brackets are closed
    implied: set[int] = set()
    for is_list, (*way, last), content in parts[1:]:
        at = whole
        for key in way:
            if key not in at:
                at[key] = {}
                opened.add(id(at[key]))
                implied.add(id(at[key]))
            inner = at[key]
            if id(inner) not in opened:
                raise _NotPlain
            at = inner[-1] if isinstance(inner, list) else inner
        known = at.get(last)
        if is_list:
            if known is None:
                known = at[last] = []
                opened.add(id(known))
            if not isinstance(known, list) or id(known) not in opened:
                raise _NotPlain
            known.append(content)
        elif known is None:
            at[last] = content
        elif id(known) in implied and not known.keys() & content.keys():
            implied.remove(id(known))
            known |= content
            continue
        else:
            raise _NotPlain
        opened.add(id(content))
    return whole
