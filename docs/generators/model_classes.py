"""Write what the families' own classes say: what a left-out key means, which keys they know, and how many parameters they hold.

Needs the extra ``tianji[hf]``; run by hand when a family is added or transformers is newer, from the folder of the project:

    python -m docs.generators.model_classes
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tianji.workload.class_facts import FILE
from tianji.workload.family_files import FamilyFile, load_families
from tianji.workload.foreign_keys import INERT

ROOT = Path(__file__).parents[2]
COUNTS = ROOT / "tests" / "workload" / "data" / "class_counts.json"
PAGE = ROOT / "docs" / "models.md"
MAPPINGS = (
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
    "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING",
    "MODEL_FOR_CAUSAL_LM_MAPPING",
    "MODEL_FOR_MASKED_LM_MAPPING",
    "MODEL_MAPPING",
)
SCALARS = (bool, int, float, str)
OWN_HEAD = ("blip-2", "instructblip", "instructblipvideo", "kosmos-2", "kosmos-2.5", "llama4")
"""Wholes whose language model is a class with a head of its own: it ties its tables as the text part says."""


def main() -> None:
    """Write the facts, the counts and the list of families."""
    import transformers

    families = load_families()
    made_with = {"transformers": transformers.__version__}
    Path(str(FILE)).write_text(_facts_text(families, made_with), encoding="utf-8")
    load_families.cache_clear()
    counts = {name: count for name, family in sorted(families.items()) if (count := _count(name, family))}
    lines = [f"{json.dumps(name)}: {json.dumps(count)}" for name, count in counts.items()]
    COUNTS.write_text(f'{{\n"made_with": {json.dumps(made_with)},\n"types": {{\n' + ",\n".join(lines) + "\n}\n}\n")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition("<!-- families -->\n")
    after = rest.partition("<!-- end of families -->")[2]
    table = f"<!-- families -->\n{_table(families)}<!-- end of families -->{after}"
    PAGE.write_text(before + table, encoding="utf-8")


def _facts_text(families: Mapping[str, FamilyFile], made_with: Mapping[str, str]) -> str:
    from transformers import CONFIG_MAPPING

    types, text_types, ties = {}, {}, {}
    for name, family in sorted(families.items()):
        if name in CONFIG_MAPPING:
            fields = {field.name: field.default for field in dataclasses.fields(CONFIG_MAPPING[name])}
            read = family.keys()
            spellings = getattr(CONFIG_MAPPING[name], "attribute_map", {})
            fields |= {k: fields[v] for k, v in spellings.items() if v in fields}
            fields |= {v: fields[k] for k, v in spellings.items() if k in fields and v not in fields}
            defaults = {k: v for k, v in fields.items() if k in read and (v is None or isinstance(v, SCALARS))}
            types[name] = {"defaults": defaults, "knows": sorted((set(fields) | _written(name)) - read - INERT)}
    for name in CONFIG_MAPPING:
        inner = (getattr(CONFIG_MAPPING[name], "sub_configs", None) or {}).get("text_config")
        kind = getattr(inner, "model_type", "")
        if kind in families:
            text_types[name] = kind
            ties[name] = ["text"] * 3 if name in OWN_HEAD else _ties(name)
    lines = [f"{json.dumps(name)}: {json.dumps(facts)}" for name, facts in types.items()]
    head = f'"made_with": {json.dumps(made_with)},\n"text_types": {json.dumps(text_types)},\n'
    head += '"ties": {\n' + ",\n".join(f"{json.dumps(n)}: {json.dumps(t)}" for n, t in ties.items()) + "\n},\n"
    return "{\n" + head + '"types": {\n' + ",\n".join(lines) + "\n}\n}\n"


def _ties(name: str) -> list[str]:
    """Return what the class of a whole makes of its own ``tie_word_embeddings``: left out, true, false.

    ``tied``, ``untied``, or ``text``: as the text part says.
    """
    from transformers import CONFIG_MAPPING

    made = []
    for top in ({}, {"tie_word_embeddings": True}, {"tie_word_embeddings": False}):
        whole = {k: v for k, v in CONFIG_MAPPING[name]().to_dict().items() if k != "tie_word_embeddings"}
        found = []
        for tied in (True, False):
            text = {**whole["text_config"], "tie_word_embeddings": tied}
            config = CONFIG_MAPPING[name].from_dict({**whole, "text_config": text, **top})
            found.append(bool(getattr(config, "tie_word_embeddings", False)))
        made.append("text" if found == [True, False] else "tied" if all(found) else "untied")
    return made


def _written(name: str) -> set[str]:
    """Return the keys that a class writes into a file."""
    from transformers import CONFIG_MAPPING

    try:
        return set(json.loads(CONFIG_MAPPING[name]().to_json_string(use_diff=False)))
    except Exception as error:  # a class whose own defaults contradict each other
        print(f"{name}: {type(error).__name__}: {error}"[:160])
        return set()


def _count(name: str, family: FamilyFile) -> dict[str, Any] | None:
    """Return the class's default configuration, as far as the family reads it, and its parameters on the meta device."""
    import torch
    from transformers import CONFIG_MAPPING
    from transformers.models.auto import modeling_auto

    parts = getattr(CONFIG_MAPPING[name], "sub_configs", None) or {} if name in CONFIG_MAPPING else {}
    if name not in CONFIG_MAPPING or {"text_config", "vision_config"} & set(parts):
        return None
    try:
        config = CONFIG_MAPPING[name]()
        classes = (getattr(modeling_auto, mapping).get(type(config), None) for mapping in MAPPINGS)
        chosen = next(cls for cls in classes if cls is not None)
        with torch.device("meta"):
            model = chosen(config)
    except Exception as error:  # a class whose own defaults do not build, or that wants another package
        print(f"{name}: {type(error).__name__}: {error}"[:160])
        return None
    read = family.keys()
    sizes = {key: value for key, value in json.loads(config.to_json_string(use_diff=False)).items() if key in read}
    stem = type(config).__name__.removesuffix("Config").removesuffix("Text")
    own = {"architectures": [chosen.__name__]} if chosen.__name__.startswith(stem) else {}
    return {
        "config": {"model_type": name} | own | sizes,
        "parameters": sum(p.numel() for p in model.parameters()),
        "buffers": sum(b.numel() for n, b in model.named_buffers() if "bias" in n),
    }


def _table(families: Mapping[str, FamilyFile]) -> str:
    types: dict[str, list[str]] = {}
    for name, family in families.items():
        types.setdefault(family.name, []).append(name)
    rows = [f"| `{name}` | {', '.join(f'`{t}`' for t in sorted(kinds))} |" for name, kinds in sorted(types.items())]
    return "| file | `model_type` |\n|---|---|\n" + "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
