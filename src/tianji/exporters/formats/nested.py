"""Parts of a nested document of unknown shape: what is not there, or of another type, is empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def child(part: Any, key: str) -> Mapping[str, Any]:
    """Return the mapping under a key.

    >>> child({"spec": {"a": 1}}, "spec"), child({"spec": 3}, "spec"), child(None, "spec")
    ({'a': 1}, {}, {})
    """
    value = part.get(key) if isinstance(part, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def items(part: Any, key: str) -> list[Mapping[str, Any]]:
    """Return the mappings of the list under a key.

    >>> items({"tasks": [{"name": "a"}, 3]}, "tasks")
    [{'name': 'a'}]
    """
    value = part.get(key) if isinstance(part, Mapping) else None
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def count(part: Any, key: str) -> int | None:
    """Return the whole number under a key, None where there is none.

    >>> count({"replicas": 2}, "replicas"), count({"replicas": True}, "replicas")
    (2, None)
    """
    value = part.get(key) if isinstance(part, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
