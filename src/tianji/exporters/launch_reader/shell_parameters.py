"""What stands within ``${...}``: defaults, patterns cut off or replaced, slices, lengths, arrays."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate

from tianji.exporters.launch_reader.shell_arithmetic import calculate
from tianji.exporters.launch_reader.shell_script import Script

_ARRAY = re.compile(r"(!?#?)(\w+)\[([^\]]*)\](.*)", re.DOTALL)
_PLAIN = re.compile(r"(\w+|[@*#?!$])(.*)", re.DOTALL)
_DEFAULT = re.compile(r"(:?)([-=?+])(.*)", re.DOTALL)
LONGEST_PATTERN = 200


def expand_parameter(inner: str, script: Script, expand: Callable[[str], str]) -> list[str]:
    """Return the values of ``${inner}``; ``expand`` reads a word within it. What is not known stays as it stands."""
    unknown = [f"${{{inner}}}"]
    if array := _ARRAY.fullmatch(inner):
        return _expand_array(array, script, expand, unknown)
    if inner.startswith("#") and re.fullmatch(r"#\w+", inner):
        text = script.value(inner[1:])
        return unknown if text is None or "${" in text else [str(len(text))]
    if inner.startswith("!") and re.fullmatch(r"!\w+", inner):
        name = script.value(inner[1:])
        value = script.value(name) if name else None
        return unknown if value is None else [value]
    form = _PLAIN.fullmatch(inner)
    if not form:
        return unknown
    name, rest = form[1], form[2]
    if name in ("@", "*"):
        return _slice(script.positional, rest, script, unknown)
    known = script.value(name)
    if not rest:
        return [f"${{{name}}}"] if known is None else [known]
    if default := _DEFAULT.fullmatch(rest):
        return _default(name, known, default, script, expand)
    if known is None or "${" in known:
        return unknown
    return _edit(known, rest, script, expand, unknown)


def _default(
    name: str, known: str | None, form: re.Match[str], script: Script, expand: Callable[[str], str]
) -> list[str]:
    is_set = known is not None and (bool(known) or not (form[1] or name.isdigit()))
    if form[2] == "+":
        return [expand(form[3])] if is_set else []
    if is_set:
        return [known or ""]
    if form[2] == "?":
        return [f"${{{name}}}"]
    value = expand(form[3])
    if form[2] == "=":
        script.assign(name, value)
    return [value]


def _expand_array(form: re.Match[str], script: Script, expand: Callable[[str], str], unknown: list[str]) -> list[str]:
    mark, name, index, rest = form[1], form[2], form[3], form[4]
    known = script.items(name)
    if name not in script.arrays and (known or name in script.maps):
        return _expand_map(form, known, script, expand, unknown)
    items = script.arrays.get(name)
    if items is None:
        items = [script.variables[name]] if name in script.variables else None
    if index in ("@", "*"):
        if mark == "#":
            return [str(len(items or []))]
        if mark == "!":
            return [str(i) for i in range(len(items or []))]
        if items is None:
            return []
        if rest:
            return _slice(items, rest, script, unknown)
        return [script.join(items)] if index == "*" else list(items)
    if items is None:
        return unknown
    place = calculate(expand(index), script.variables)
    if place is None:
        return unknown
    item = items[place] if -len(items) <= place < len(items) else None
    return _expand_item(f"{name}[{place}]", item, mark, rest, script, expand, unknown)


def _expand_map(
    form: re.Match[str], known: dict[str, str], script: Script, expand: Callable[[str], str], unknown: list[str]
) -> list[str]:
    """Return items of an array whose places have names."""
    mark, name, index, rest = form[1], form[2], form[3], form[4]
    if index not in ("@", "*"):
        key = expand(index)
        return _expand_item(f"{name}[{key}]", known.get(key), mark, rest, script, expand, unknown)
    if mark == "#":
        return [str(len(known))]
    words = list(known) if mark == "!" else list(known.values())
    return [script.join(words)] if index == "*" else words


def _expand_item(
    name: str, item: str | None, mark: str, rest: str, script: Script, expand: Callable[[str], str], unknown: list[str]
) -> list[str]:
    """Return one item of an array or of a map; one that is not there is empty."""
    if default := _DEFAULT.fullmatch(rest):
        return _default(name, item, default, script, expand)
    if mark == "#":
        return [str(len(item or ""))]
    return [item or ""] if not rest else _edit(item or "", rest, script, expand, unknown)


def _slice(items: list[str], rest: str, script: Script, unknown: list[str]) -> list[str]:
    if not rest:
        return list(items)
    form = re.fullmatch(r":\s*([^:]+)(?::([^:]+))?", rest)
    start = calculate(form[1], script.variables) if form else None
    if form is None or start is None:
        return unknown
    count = calculate(form[2], script.variables) if form[2] else len(items)
    start = start + len(items) if start < 0 else start
    return unknown if count is None else items[start : start + count]


def _edit(text: str, rest: str, script: Script, expand: Callable[[str], str], unknown: list[str]) -> list[str]:
    """Return a value with a pattern cut off or replaced, a part of it, or in other letters."""
    if rest in (",", ",,", "^", "^^"):
        first = {",": str.lower, "^": str.upper}[rest[0]]
        return [first(text) if len(rest) == 2 else first(text[:1]) + text[1:]]
    if rest.startswith(":"):
        parts = [calculate(p, script.variables) for p in rest[1:].split(":")]
        if None in parts or len(parts) > 2:
            return unknown
        start, count = parts[0] or 0, parts[1] if len(parts) > 1 else None
        whole = text[start:]
        return [whole if count is None else whole[:count]]
    if rest[0] == "/":
        form = re.fullmatch(r"(//?)([#%]?)((?:\\.|[^/])*)(?:/(.*))?", rest, re.DOTALL)
        if not form:
            return unknown
        pattern = _compile(expand(form[3]))
        if pattern is None:
            return unknown
        body = ("^" if form[2] == "#" else "") + pattern + ("$" if form[2] == "%" else "")
        word = expand(form[4] or "")
        return [re.sub(body, lambda _: word, text, count=0 if form[1] == "//" else 1)]
    return _cut(text, rest, expand, unknown)


def _cut(text: str, rest: str, expand: Callable[[str], str], unknown: list[str]) -> list[str]:
    form = re.fullmatch(r"(##?|%%?)(.*)", rest, re.DOTALL)
    pattern = _compile(expand(form[2])) if form else None
    if form is None or pattern is None or len(text) > 10_000:
        return unknown
    places = range(len(text) + 1)
    whole = re.compile(pattern + r"\Z")
    if form[1][0] == "#":
        ends = [i for i in places if whole.match(text[:i])]
        return [text[(ends[-1] if len(form[1]) == 2 else ends[0]) :] if ends else text]
    starts = [i for i in places if whole.match(text[i:])]
    return [text[: (starts[0] if len(form[1]) == 2 else starts[-1])] if starts else text]


def _compile(pattern: str) -> str | None:
    """Return a shell's pattern as a regular expression; None for one whose matching could take without end."""
    if len(pattern) > LONGEST_PATTERN or pattern.count("*") > 3:
        return None
    return translate(pattern.replace("\\/", "/")).removeprefix("(?s:").removesuffix(r")\Z").removesuffix(r")\z")
