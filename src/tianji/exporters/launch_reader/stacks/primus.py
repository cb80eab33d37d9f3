"""Primus over torchtitan and Megatron Bridge: its YAML, in which a model's file lies below the run's own changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tianji.exporters.launch_reader.options import Options, settle_switches
from tianji.exporters.launch_reader.stacks import bridge
from tianji.exporters.launch_reader.stacks.options_of import make_swift, primus_default

DEEPEST = 6
"""Sections within sections that are laid over each other."""


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


def fill_primus(tree: Mapping[str, Any], settings: Mapping[str, str], depth: int = 0) -> dict[str, Any]:
    """Return sections in which ``${NAME:default}`` is filled in."""
    return {
        key: fill_primus(value, settings, depth + 1)
        if isinstance(value, Mapping) and depth < DEEPEST
        else primus_default(value, settings)
        if isinstance(value, str)
        else value
        for key, value in tree.items()
    }


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
    options = make_swift(settle_switches(values), where)
    options.stack = "primus"
    options.has("--peft", "--hf-path", "--flavor", "--recipe", "--max-length")
    options.remarks.append(
        f"what the file does not set of {flavor or 'its recipe'} is taken as Megatron has it by itself"
    )
    return options
