"""Models by the names that launch scripts use: ``Qwen/Qwen3-30B-A3B-Instruct-2507`` is the catalog's ``qwen3-30b-a3b``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Any

from tianji.catalog import list_models, load_model
from tianji.catalog.models import list_aliases
from tianji.workload import Model
from tianji.workload.huggingface import read_config

_ENDINGS = re.compile(
    r"-(instruct|base|chat|it|hf|thinking|fp8|bf16|int4|int8|awq|gptq|mcore|tp\d+|pp\d+|ep\d+|\d{4}|v0\.1|torch-dist|megatron|"
    r"sft|128k|1m|source|preview|new|merged|mg|ckpt|0\d)$"
)
"""What a name may end in without being another shape."""
_WRITTEN = (
    (r"^(meta|mistralai|nvidia|unsloth|openai)-", ""), (r"^(llama|glm|gemma)(?=\d)", r"\1-"), (r"^qwen-?(\d)", r"qwen\1"),
    (r"^qwen25", "qwen2.5"), (r"^qwen3-5", "qwen3.5"), (r"^llama-(\d)(\d)(?=-)", r"llama-\1.\2"), (r"--+", "-"),
    (r"^deepseek-?v?(\d)", r"deepseek-v\1"), (r"^glm-(\d)(\d)(?=$|-)", r"glm-\1.\2"), (r"(?<=\d)-?point-?(?=\d)", "."),
)  # fmt: skip
"""Spellings, and what the catalog writes for them."""


def find_named_model(name: str) -> tuple[Model, str] | None:
    """Return the model that a name or a path means and a remark on it; None for a name that is not known.

    >>> find_named_model("/data/Qwen3-235B-A22B-Instruct-2507")[0].name
    'qwen3-235b-a22b'
    """
    known, aliases = _read_table()
    listed = set(list_models())
    for part in reversed(PurePosixPath(name).parts or (name,)):
        for spelling in _spellings(part):
            remark = ""
            if spelling in aliases:
                shown, spelling = spelling, aliases[spelling]
                remark = f"{shown}: its language part has the shape of {spelling}" if _has_tower(shown) else ""
            if spelling in listed:
                return load_model(spelling), remark
            if spelling in known:
                return known[spelling], remark
    return None


def find_begun(name: str) -> Model | None:
    """Return the one model of the catalog whose name begins with a text: ``qwen3_235b`` is ``qwen3-235b-a22b``.

    >>> find_begun("qwen3_235b").name
    'qwen3-235b-a22b'
    """
    for spelling in _spellings(name):
        begun = [m for m in list_models() if m.startswith(f"{spelling}-") and re.search(r"\d", spelling)]
        if len(begun) == 1:
            return load_model(begun[0])
    return None


def find_in_file_name(stem: str) -> Model | None:
    """Return the model that the name of a file speaks of: ``pretrain_qwen3_14b_4k_fsdp2_A3``."""
    words = re.sub(r"^(pre_?train|tune|train|run|sft|full|lora|finetune|ds_tune)[_-]", "", stem.lower()).split("_")
    words = [w for w in re.split(r"[_]", "_".join(words)) if w]
    for count in range(min(len(words), 6), 0, -1):
        name = "-".join(words[:count])
        entry = find_named_model(name)
        if entry:
            return entry[0]
        if count > 1 and (model := find_begun(name)):
            return model
    return None


def find_like(stated: Mapping[str, int]) -> Model | None:
    """Return the catalog's model with layers of several kinds that has the stated sizes; None where no single one has."""
    fitting = [m for m in _patterned() if all(_sizes(m)[name] == size for name, size in stated.items())]
    return fitting[0] if len(fitting) == 1 else None


def _sizes(m: Model) -> dict[str, int]:
    return {
        "hidden": m.hidden_size, "layers": m.num_layers, "heads": m.num_attention_heads, "groups": m.num_key_value_heads,
        "ffn": m.intermediate_size, "experts": m.moe.num_experts if m.moe else 0,
    }  # fmt: skip


@cache
def _patterned() -> tuple[Model, ...]:
    return tuple(m for m in map(load_model, list_models()) if m.blocks)


def _has_tower(name: str) -> bool:
    return any(word in name for word in ("-vl", "omni", "internvl"))


def _spellings(part: str) -> Iterator[str]:
    text = re.sub(r"[_\s]+", "-", part.lower()).removesuffix(".yaml").removesuffix(".sh")
    for pattern, written in _WRITTEN:
        text = re.sub(pattern, written, text)
    while True:
        yield text
        shorter = _ENDINGS.sub("", text)
        if shorter == text:
            break
        text = shorter


@cache
def _read_table() -> tuple[dict[str, Model], dict[str, str]]:
    text = (files("tianji.exporters.launch_reader") / "data" / "models.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)
    aliases: dict[str, str] = list_aliases() | table.pop("aliases")
    models: dict[str, Model] = {}
    for family in table.values():
        for name, sizes in family["sizes"].items():
            config = {k: None if v == "null" else v for k, v in sizes.items()} | {"model_type": family["model_type"]}
            models[name] = replace(read_config(config, name, f"shape of {name}"), source="config.json of its maker")
    return models, aliases
