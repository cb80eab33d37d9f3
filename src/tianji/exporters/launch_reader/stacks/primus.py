"""Primus over torchtitan and Megatron Bridge: its YAML, in which a model's file lies below the run's own changes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tianji.exporters.formats.kinds import find_kind
from tianji.exporters.launch_reader.commands import Command
from tianji.exporters.launch_reader.files_beside import DEEPEST, fill_texts, load_body
from tianji.exporters.launch_reader.options import Options, group_options, settle_switches
from tianji.exporters.launch_reader.shell_script import Script
from tianji.exporters.launch_reader.shell_sources import find_source
from tianji.exporters.launch_reader.stacks import bridge
from tianji.exporters.launch_reader.stacks.options_of import (
    make_swift,
    primus_default,
    primus_framework,
    primus_option,
    primus_trainer,
    read_primus,
    start_options,
)
from tianji.input_files import read_text


def merge(base: Mapping[str, Any], changes: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """Return sections with those of ``changes`` laid over them.

    >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
    {'a': {'b': 3, 'c': 2}}
    """
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        is_section = isinstance(below, Mapping) and isinstance(value, Mapping) and depth < DEEPEST
        merged[key] = merge(below, value, depth + 1) if is_section else value  # type: ignore[arg-type]
    return merged


def fill_primus(tree: Mapping[str, Any], settings: Mapping[str, str]) -> dict[str, Any]:
    """Return sections in which ``${NAME:default}`` is filled in."""
    return fill_texts(tree, partial(primus_default, settings=settings))


def read_primus_bridge(tree: Mapping[str, Any], settings: Mapping[str, str], where: str) -> Options:
    """Return the options of a YAML over Megatron Bridge: of its recipe where that is known, else of the model that it names.

    Raises UnsupportedModelError for a model that is not in the catalog.
    """
    filled = fill_primus(tree, settings)
    plain = {k: v for k, v in filled.items() if not isinstance(v, Mapping | list) and v is not None}
    words = [f"model.{k}={str(v).lower() if isinstance(v, bool) else v}" for k, v in plain.items()]
    flavor = str(filled.get("flavor", ""))
    if bridge.find_recipe(flavor):
        options = bridge.read_recipe(flavor, words, settings, where)
        options.stack = "primus"
        return options
    values = {f"--{k.replace('_', '-')}": [str(v).lower() if isinstance(v, bool) else str(v)] for k, v in plain.items()}
    values["--model"] = [settings.get("model", str(filled.get("hf_path", "")))]
    values["--max-length"] = values.pop("--seq-length", ["2048"])
    values["--tuner-type"] = ["lora" if str(filled.get("peft", "none")).lower() == "lora" else "full"]
    options = make_swift(values, where)
    options.stack = "primus"
    options.has("--peft", "--hf-path", "--flavor", "--recipe", "--max-length")
    options.remarks.append(
        f"what the file does not set of {flavor or 'its recipe'} is taken as Megatron has it by itself"
    )
    return options


def read_primus_command(command: Command, script: Script, file: Path, settings: Mapping[str, str]) -> Options | None:
    """Return the options of a command of Primus, whose YAML stands in ``--config`` or in the variable EXP; else None."""
    words = group_options(command.words)
    for name in (*words.get("--config", ()), *words.get("--exp", ()), script.variables.get("EXP", "")):
        place = find_source(name, file) if name.endswith((".yaml", ".yml")) else None
        if place is None:
            continue
        body = load_body(read_text(place, "a configuration"), place)
        if find_kind(body) == "primus" and primus_framework(body) == "megatron":
            known = {**script.variables, **settings}
            options = read_primus(body, find_primus_model(body, place, known), known, str(file))
            own = {primus_option(k): v for k, v in words.items() if k not in ("--config", "--exp")}
            given = settle_switches(own)
            dropped = own.keys() - given.keys()
            kept = {k: v for k, v in options.values.items() if k not in dropped}
            started = start_options(command, script)
            if any(not v[:1] or not v[0].isdigit() or v == ["1"] for v in [started.get("--nproc-per-node", ["1"])]):
                started["--nproc-per-node"] = ["8"]
                options.remarks.append("8 chips in each node, as Primus takes them")
            options.values = kept | given | started
            return options
    return None


def find_primus_model(body: Mapping[str, Any], file: Path, settings: Mapping[str, str]) -> dict[str, Any]:
    """Return the model's own file of Primus with those that it extends, where it lies in the repository around."""
    name = primus_default(str(primus_trainer(body).get("model", "")), settings)
    merged: dict[str, Any] = {}
    waiting, framework = [name], re.sub(r"\W", "", primus_framework(body))[:40]
    for _ in range(8):
        if not waiting:
            break
        place = find_source(f"primus/configs/models/{framework}/{waiting.pop(0)}", file) if len(name) < 200 else None
        if place is None:
            continue
        part = load_body(read_text(place, "a model of Primus"), place)
        waiting += [str(n) for n in part.get("extends", ()) if isinstance(n, str)]
        merged = {**{k: v for k, v in part.items() if k != "extends"}, **merged}
    return merged
