"""The language model's part of a ``config.json`` that describes more: towers for images or sound, a talker beside the thinker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tianji.workload.class_facts import text_type
from tianji.workload.family_files import load_families, tower_types

TEXT_PARTS = ("text_config", "llm_config", "language_config", "thinker_config", "decoder_config")
OWN_SIZES = ("hidden_size", "d_model", "embed_dim", "depth", "num_hidden_layers", "n_embd", "model_type")


@dataclass(frozen=True, slots=True)
class TextPart:
    """The keys that are read, and what is said of the others."""

    data: Mapping[str, object]
    remark: str = ""
    key: str = ""
    """The key that holds the part; empty where the whole file is read."""


def find_text_part(data: Mapping[str, object], key: str = "") -> TextPart:
    """Return the part of a file that a family reads: all of it, or what lies under one of ``TEXT_PARTS``."""
    kind = data.get("model_type")
    parts = [name for name in TEXT_PARTS if isinstance(data.get(name), Mapping)]
    readable = isinstance(kind, str) and kind in load_families()
    if not parts or (readable and ("hidden_size" in data or load_families()[str(kind)].is_whole)):
        whole = readable and load_families()[str(kind)].is_whole
        towers = [] if whole else _towers(data, "")
        return TextPart(data, f"left out: {', '.join(towers)}" if towers else "", key)
    name = parts[0]
    inner = dict(data[name])  # type: ignore[call-overload]
    if not isinstance(inner.get("model_type"), str) and isinstance(kind, str) and text_type(kind):
        inner["model_type"] = text_type(kind)
    if "tie_word_embeddings" in data and not (_builds_text(data, inner) and "tie_word_embeddings" in inner):
        inner["tie_word_embeddings"] = data["tie_word_embeddings"]
    towers = _towers(data, name)
    named = f" ({', '.join(towers)})" if towers else ""
    found = find_text_part(inner, name)
    remark = f"the {name} of a {kind!r:.60} config: towers for images or sound{named} are left out"
    if kind in tower_types():
        remark += " (`tianji model tower` sets them before it)"
    return TextPart(found.data, "; ".join(filter(None, (remark, found.remark))), found.key)


def _builds_text(data: Mapping[str, object], inner: Mapping[str, object]) -> bool:
    """Return whether the file's class is that of the text part alone: such a class asks the part whether its tables are one."""
    names, family = data.get("architectures"), load_families().get(str(inner.get("model_type")))
    first = names[0] if isinstance(names, list) and names else ""
    return str(first).endswith("ForCausalLM") and family is not None and first in family.architectures


def _towers(data: Mapping[str, object], but: str) -> list[str]:
    """Return the objects of a file that describe layers of their own."""
    return [
        key
        for key, value in data.items()
        if key.endswith("_config")
        and key != but
        and isinstance(value, Mapping)
        and any(size in value for size in OWN_SIZES)
    ]
