"""A model described in a file of its own, ``model.toml``: blocks, their sizes, and which layer has which.

``tianji model trace`` writes it from the modules of a class; it can be written by hand too. Values are plain numbers and words,
so the file is parsed and never executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from tianji.errors import FormatError
from tianji.input_files import read_text
from tianji.plain_toml import parse_toml
from tianji.workload.blocks import LayerBlock, PartSizes, parts_of
from tianji.workload.model import Model

FORMAT = "tianji model"
NUMBERS = (
    "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim", "vocab_size", "embedding_extra", "head_extra",
    "max_position_embeddings", "learned_positions", "num_mtp_layers", "embedding_size", "stem_width", "stem_tokens", "head_width",
)  # fmt: skip
SWITCHES = ("tied_embeddings", "norm_bias", "embedding_norm")
LARGEST = 10**13
MOST_LAYERS = 10_000


def write_description(model: Model) -> str:
    """Return a model of blocks as the text of its file."""
    lines = [f"format = {json.dumps(FORMAT)}", "version = 1"]
    lines += [f"{key} = {json.dumps(getattr(model, key))}" for key in ("name", "family", "source", "remark")]
    lines += [f"{key} = {getattr(model, key)}" for key in NUMBERS]
    lines += [f"{key} = {json.dumps(getattr(model, key))}" for key in SWITCHES]
    if model.outputs is not None:
        lines.append(f"outputs = {model.outputs}")
    runs = [[block, len(list(same))] for block, same in groupby(model.pattern)]
    lines.append(f"pattern = {json.dumps(runs)} # of each run of layers: its block, and how many layers it has")
    for block in model.blocks:
        lines += ["", "[[blocks]]"]
        lines += [
            f"{key} = {getattr(block, key)}"
            for key in ("num_norms", "extra", "hidden_size", "tokens", "residual_streams", "side")
        ]
        if block.is_shared:
            lines.append("is_shared = true")
        for name, part in (("mixer", block.mixer), ("mlp", block.mlp)):
            if part:
                sizes = ", ".join(f"{key} = {int(value)}" for key, value in (*part.sizes,))
                words = ", ".join(f"{key} = {json.dumps(value)}" for key, value in part.words)
                lines.append(
                    f"{name} = {{ kind = {json.dumps(part.kind)}, sizes = {{ {sizes} }}, words = {{ {words} }} }}"
                )
    return "\n".join(lines) + "\n"


def read_description(path: Path) -> Model:
    """Return the model that a description says.

    Raises FormatError for a file that cannot be read, is no description, or says a size that makes no sense.
    """
    where = str(path)
    try:
        table = parse_toml(read_text(path, "the description of a model"))
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{where}: not a TOML file: {error}") from None
    if table.get("format") != FORMAT or table.get("version") != 1:
        raise FormatError(
            f"{where}: not the description of a model: expected format = {FORMAT!r} and version = 1; "
            "`tianji model trace config.json --out model.toml` writes one"
        )
    numbers: dict[str, Any] = {key: _number(table, key, where) for key in NUMBERS}
    blocks = tuple(_block(entry, where) for entry in _tables(table, "blocks", where))
    pattern = _pattern(table.get("pattern"), len(blocks), where)
    outputs = _number(table, "outputs", where) if "outputs" in table else None
    switches: dict[str, Any] = {key: table.get(key, False) for key in SWITCHES}
    if wrong := [key for key, value in switches.items() if not isinstance(value, bool)]:
        raise FormatError(f"{where}: {wrong[0]}: expected true or false, got {switches[wrong[0]]!r:.40}")
    if not numbers["hidden_size"]:
        raise FormatError(f"{where}: hidden_size: expected a whole number from 1")
    for block in blocks:
        parts_of(block, numbers["hidden_size"], switches["norm_bias"])
    texts: dict[str, Any] = {key: str(table.get(key, "")) for key in ("name", "family", "remark")}
    return Model(
        **texts, **numbers, num_layers=len(pattern), intermediate_size=numbers["hidden_size"], **switches,
        outputs=outputs, blocks=blocks, pattern=pattern, source=str(table.get("source") or where),
    )  # fmt: skip


def _number(table: Mapping[str, Any], key: str, where: str) -> int:
    value = table.get(key, 0)
    least = -LARGEST if key.endswith("_extra") else 0
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
        raise FormatError(f"{where}: {key}: expected a whole number from {least:,} to {LARGEST:,}, got {value!r:.40}")
    return value


def _tables(table: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    value = table.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(entry, Mapping) for entry in value):
        raise FormatError(f"{where}: {key}: expected at least one [[{key}]]")
    return value


def _block(entry: Mapping[str, Any], where: str) -> LayerBlock:
    sizes = {key: _number(entry, key, where) for key in ("num_norms", "extra", "hidden_size", "tokens", "side")}
    streams = _number(entry, "residual_streams", where) or 1
    return LayerBlock(
        _part(entry.get("mixer"), where),
        _part(entry.get("mlp"), where),
        residual_streams=streams,
        is_shared=entry.get("is_shared") is True,
        **sizes,
    )


def _part(entry: object, where: str) -> PartSizes | None:
    if entry is None:
        return None
    if not isinstance(entry, Mapping) or not isinstance(entry.get("kind"), str):
        raise FormatError(f"{where}: blocks: expected a mixer or an mlp with a kind, got {entry!r:.60}")
    sizes, words = entry.get("sizes", {}), entry.get("words", {})
    if not isinstance(sizes, Mapping) or not isinstance(words, Mapping):
        raise FormatError(f"{where}: blocks: sizes and words are tables")
    numbers = tuple((key, _number(sizes, key, where)) for key in sizes)
    return PartSizes(entry["kind"], numbers, tuple((key, str(value)) for key, value in words.items()))


def _pattern(runs: object, num_blocks: int, where: str) -> tuple[int, ...]:
    pattern: list[int] = []
    for run in runs if isinstance(runs, list) else []:
        good = isinstance(run, list) and len(run) == 2 and all(type(x) is int for x in run)
        if not good or not 0 <= run[0] < num_blocks or not 1 <= run[1] <= MOST_LAYERS:
            raise FormatError(
                f"{where}: pattern: expected [block, layers] with a block below {num_blocks}, got {run!r:.40}"
            )
        pattern += [run[0]] * run[1]
    if not 1 <= len(pattern) <= MOST_LAYERS:
        raise FormatError(f"{where}: pattern: expected from 1 to {MOST_LAYERS:,} layers, got {len(pattern):,}")
    return tuple(pattern)
