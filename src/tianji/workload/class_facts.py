"""What the families' own configuration classes say: the meaning of a left-out key, and the keys that they know.

``data/classes.json`` is written by ``docs/generators/model_classes.py`` from transformers, whose version it names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "data" / "classes.json"


@cache
def _facts() -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return facts


def class_defaults(model_type: str) -> Mapping[str, object]:
    """Return what each key that is left out means to the class of a ``model_type``; empty where no class is known."""
    defaults: dict[str, object] = _facts()["types"].get(model_type, {}).get("defaults", {})
    return defaults


def keys_known(model_type: str) -> frozenset[str]:
    """Return the keys that the class of a ``model_type`` has and its family file does not read; inert ones are left out."""
    return frozenset(_facts()["types"].get(model_type, {}).get("knows", ()))


def text_type(model_type: str) -> str:
    """Return the ``model_type`` of the text part of a model for images or sound that states none; empty if not known."""
    kind: str = _facts()["text_types"].get(model_type, "")
    return kind
