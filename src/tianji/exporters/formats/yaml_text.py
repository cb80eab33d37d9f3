"""YAML and JSON as plain values, read and never executed, with a bound on what aliases unfold into."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from tianji.errors import FormatError

LARGEST_DOCUMENT, DEEPEST = 300_000, 64
"""Values of a document, and how deep they lie: more comes of aliases only."""


def parse_documents(text: str, where: str, is_json: bool = False, *, last_counts: bool = False) -> list[Any]:
    """Return the documents of a YAML text, or the one of a JSON text, as they stand.

    Of a key that stands twice the last counts with ``last_counts``, as trainings read their files; a server refuses it.

    Raises FormatError for what is neither, with the place.
    """
    import yaml

    try:
        if is_json:  # what numbers are differs: YAML takes 1e9 for text
            return [json.loads(text)] if text.strip() else []
        return list(yaml.load_all(text, yaml.SafeLoader if last_counts else _make_loader()))
    # PyYAML's constructors raise what they meet behind a wrong tag: !!bool x, !!timestamp x, !!map [].
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or _describe(error)
        raise FormatError(f"{where}: not valid {'JSON' if is_json else 'YAML'}{place}: {problem}") from None


def _describe(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, (LookupError, TypeError, AttributeError)):
        return "a tag that does not fit its value"
    return str(error)[:200] or type(error).__name__


def check_size(value: Any, where: str) -> None:
    """Raise FormatError for values that aliases unfold into more than a configuration holds."""
    count = 0
    parts: list[tuple[Any, int]] = [(value, 0)]
    while parts:
        part, depth = parts.pop()
        count += 1
        if count > LARGEST_DOCUMENT or depth > DEEPEST:
            raise FormatError(f"{where}: its aliases unfold into more than a configuration holds")
        if isinstance(part, Mapping):
            parts += [(inner, depth + 1) for inner in part.values()]
        elif isinstance(part, list):
            parts += [(inner, depth + 1) for inner in part]


@cache
def _make_loader() -> Any:
    """Return YAML's safe loader, which also refuses a key that stands twice: servers do, and one of the two would be lost."""
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
                if key.value in seen and key.value != "<<":
                    raise yaml.constructor.ConstructorError(
                        None, None, f"the key {key.value!r} stands twice", key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Loader
