"""Writes docs/json.md: every key of every JSON document, from the types that the documents are built by.

Usage: .venv/bin/python docs/generators/json_documents.py
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import types
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from tianji.report.present import VIEWS

PAGE = Path(__file__).parents[1] / "json.md"
INTRO = """# JSON documents

With `--json` a command prints one document on stdout.
The names here are a promise to scripts: `tests/report/documents` holds every document to this page.
This page is generated from the types by `docs/generators/json_documents.py`.

* `document` names the document.
* Figures are in SI units, and keys carry the unit: `_s` is seconds, `_bytes` bytes, `_w` watts, `_usd` dollars. Days are `days`.
* A share, a rate of errors or a ratio is a plain number: `mfu` 0.54 is 54 %.
* A range is an object with `low`, `nominal` and `high`, and nothing else. `step_time_s` is the `nominal` of `step_time_range_s`.
* What does not apply, or is not known, is null. No key is ever missing.
* Exclusive parts (`breakdown_s`, `memory_bytes`) add up to the totals beside them.
"""
NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}


@cache
def document_types() -> dict[str, Any]:
    """Return the type of every document that has one, by its name."""
    hints = {}
    for name, place in VIEWS.items():
        module, function = place.split(":")
        hint = get_type_hints(getattr(import_module(module), function))["document"]
        if is_typeddict(hint):
            hints[name] = hint
    return hints


def write_page() -> str:
    """Return the page."""
    documents = document_types()
    parts, listed = [INTRO], dict.fromkeys(documents.values())
    for name, kind in documents.items():
        parts.append(f"## {name}\n\n{describe(kind)}\n\n{table(kind)}")
    parts.append("## Parts\n\nObjects that stand in documents, by the names that the tables above use.\n")
    queue = [part for kind in documents.values() for part in parts_of(kind)]
    while queue:
        kind = queue.pop(0)
        if kind not in listed:
            listed[kind] = None
            parts.append(f"### {short(kind)}\n\n{describe(kind)}\n\n{table(kind)}")
            queue += parts_of(kind)
    return "\n".join(parts)


def describe(kind: Any) -> str:
    """Return what a type is, in the words of its docstring."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split()).replace("``", "`")


def table(kind: Any) -> str:
    """Return the keys of a type with what each holds."""
    notes = dict(notes_of(kind))
    rows = [f"| `{key}` | {format_type(hint)} | {notes.get(key, '')} |" for key, hint in get_type_hints(kind).items()]
    return "\n".join(["| key | holds | what it is |", "|---|---|---|", *rows, ""])


def notes_of(kind: Any) -> Iterator[tuple[str, str]]:
    """Yield the keys of a type and of its bases that have a sentence below them in the source."""
    module = inspect.getmodule(kind)
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    assert isinstance(body, ast.ClassDef)
    for base in body.bases:
        if isinstance(base, ast.Name) and base.id != "TypedDict":
            yield from notes_of(getattr(module, base.id))
    for field, note in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(note, ast.Expr)):
            continue
        if isinstance(note.value, ast.Constant) and isinstance(field.target, ast.Name):
            yield field.target.id, " ".join(str(note.value.value).split()).replace("``", "`").replace("|", "\\|")


def format_type(hint: Any) -> str:
    """Return a type as the page names it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        whole = next((name for name, kind in document_types().items() if kind is hint), None)
        if whole:
            return f"[`{whole}`](#{whole})"
        return f"[{short(hint)}](#{short(hint).lower().replace(' ', '-')})"
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return " or ".join(map(format_type, arguments))
    if origin is list:
        return f"list of {format_type(arguments[0])}"
    if origin is dict:
        return f"{format_type(arguments[1])} by name"
    return NAMES.get(hint, "any value")


def short(kind: Any) -> str:
    """Return the name of a type in words.

    >>> short(type("FullPlanResultDocument", (), {}))
    'full plan result'
    """
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind.__name__)
    return words.strip().removesuffix(" document")


def parts_of(hint: Any) -> list[Any]:
    """Return the types of objects that a type holds, in order."""
    if is_typeddict(hint):
        return [part for inner in get_type_hints(hint).values() for part in _typed(inner)]
    return _typed(hint)


def _typed(hint: Any) -> list[Any]:
    if is_typeddict(hint):
        return [hint]
    return [part for inner in get_args(hint) for part in _typed(inner)]


if __name__ == "__main__":
    PAGE.write_text(write_page(), encoding="utf-8")
