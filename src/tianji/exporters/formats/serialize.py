"""Trees of arguments as YAML, TOML and JSON documents, comments beside the values where the format has comments."""

from __future__ import annotations

import json
import math
import textwrap
from typing import Any

from tianji.exporters.formats.arguments import Scalar, Tree, Value
from tianji.exporters.formats.quoting import clean_comment, quote_double, quote_key

WIDTH = 40
"""Column where a comment stands beside its value."""
COMMENT_WIDTH = 118


def to_yaml(tree: Tree, header: str = "") -> str:
    """Return a document as YAML 1.1, the version that Kubernetes and PyYAML read."""
    return header + "\n".join(_yaml_lines(tree, "")) + "\n"


def to_toml(tree: Tree, header: str = "") -> str:
    """Return a document as TOML: plain values first, then one table for each mapping."""
    return header + "\n".join(_toml_lines(tree, ())).strip() + "\n"


def to_json(tree: Tree) -> str:
    """Return a document as JSON; comments are lost, the format has none."""
    return json.dumps(to_plain(tree), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def to_plain(value: Value) -> Any:
    """Return a tree as dictionaries and lists.

    >>> from tianji.exporters.formats.arguments import Argument
    >>> to_plain((Argument("a", (Argument("b", [1, 2]),)),))
    {'a': {'b': [1, 2]}}
    """
    if isinstance(value, tuple):
        return {item.name: to_plain(item.value) for item in value}
    if isinstance(value, list):
        return [to_plain(item) for item in value]
    return value


def comment_lines(*texts: str) -> str:
    """Return texts as comment lines of shells, YAML, TOML and Python, wrapped where they are long."""
    lines: list[str] = []
    for text in texts:
        lines += textwrap.wrap(clean_comment(text), COMMENT_WIDTH, subsequent_indent="  ") or [""]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _beside(line: str, comment: str) -> str:
    return f"{line:<{WIDTH}}  # {clean_comment(comment)}" if comment else line


def _scalar(value: Scalar) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    return str(value) if isinstance(value, int) else quote_double(value)


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} is not a number that a document holds")
    text = repr(value)
    mantissa, e, power = text.partition("e")
    # YAML 1.1 takes 1e-05 for a text: a number has a point and a signed exponent.
    return (
        f"{mantissa if '.' in mantissa else mantissa + '.0'}e{power if power[0] in '+-' else '+' + power}"
        if e
        else text
    )


def _flow(value: Value) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    assert not isinstance(value, tuple)
    return _scalar(value)


def _is_flat(value: Value) -> bool:
    if isinstance(value, list):
        return all(_is_flat(item) for item in value)
    return not isinstance(value, tuple)


def _yaml_lines(tree: Tree, indent: str) -> list[str]:
    lines: list[str] = []
    for item in tree:
        key = f"{indent}{quote_key(item.name)}:"
        value = item.value
        if isinstance(value, str) and _is_block(value):
            lines.append(_beside(f"{key} |2", item.comment))
            lines += [f"{indent}  {line}" if line else "" for line in value.rstrip("\n").split("\n")]
        elif _is_flat(value):
            lines.append(_beside(f"{key} {_flow(value)}", item.comment))
        elif isinstance(value, tuple):
            lines.append(_beside(f"{key}{'' if value else ' {}'}", item.comment))
            lines += _yaml_lines(value, indent + "  ")
        else:
            assert isinstance(value, list)
            lines.append(_beside(key, item.comment))
            lines += _yaml_items(value, indent + "  ")
    return lines


def _yaml_items(items: list[Value], indent: str) -> list[str]:
    lines: list[str] = []
    for item in items:
        if isinstance(item, tuple) and item:
            inner = _yaml_lines(item, indent + "  ")
            lines += [f"{indent}- {inner[0][len(indent) + 2 :]}", *inner[1:]]
        else:
            lines.append(f"{indent}- {'{}' if item == () else _flow(item)}")
    return lines


def _is_block(text: str) -> bool:
    """Return whether a text of several lines can stand as it is, unquoted."""
    plain = all(c == "\n" or (c.isprintable() and ord(c) < 0xD800) for c in text)
    return "\n" in text and plain and text.endswith("\n") and not text.endswith("\n\n") and bool(text.strip())


def _toml_lines(tree: Tree, path: tuple[str, ...]) -> list[str]:
    lines = [
        _beside(f"{quote_key(item.name)} = {_flow(item.value)}", item.comment)
        for item in tree
        if _is_flat(item.value) and item.value is not None
    ]
    for item in tree:
        if isinstance(item.value, tuple):
            inner = (*path, quote_key(item.name))
            lines += ["", _beside(f"[{'.'.join(inner)}]", item.comment), *_toml_lines(item.value, inner)]
    return lines
