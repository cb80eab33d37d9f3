"""Rules of a framework's release over its own options: loaded from ``data``, asked by exports, by readers of scripts and checks.

A table is one TOML file for each framework. ``[[rules]]`` has ``when``, an expression over options
(:mod:`tianji.workload.expressions`; ``--fp8-format`` is ``fp8_format``, a switch is true), ``says``, ``fix``, the ``source`` and
the ``effect``:

* ``stops``: its own check ends the run before the first step;
* ``differs``: it runs, and otherwise than the options say;
* ``unsupported``: its documentation excludes the combination, though no check of its code does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from tianji.errors import FormatError
from tianji.plain_toml import parse_toml
from tianji.workload.expressions import evaluate, names_in

EFFECTS = ("stops", "differs", "unsupported")
KEYS = frozenset({"when", "says", "fix", "source", "effect"})
SETTLED = "auto"
"""Where Hugging Face's Trainer puts its own value into a file of DeepSpeed."""
LONGEST = 500
"""Letters of the sections around a value."""
PARSER = "megatron/training/arguments.py"
"""Where Megatron-LM checks what its command line says."""
PLAN = "plan"
"""Key of what `tianji plan` takes in place of ``fix``."""


@dataclass(frozen=True, slots=True)
class ReleaseRule:
    """One combination of options that a release refuses or runs otherwise."""

    when: str
    says: str
    fix: str
    source: str
    effect: str
    plan: str = ""
    """What `tianji plan` is told to avoid it."""

    @property
    def is_of_parser(self) -> bool:
        """Only Megatron-LM's own reading of its command line has the check, not its library, which other stacks configure."""
        return all(place.strip().startswith(PARSER) for place in self.source.split(";"))


@dataclass(frozen=True, slots=True)
class RuleTable:
    """The rules of one framework's release; ``like`` names the tables whose rules it takes over."""

    name: str
    framework: str
    release: str
    defaults: Mapping[str, Any]
    rules: tuple[ReleaseRule, ...]

    def broken(
        self, options: Mapping[str, Sequence[str] | None], facts: Mapping[str, Any] = MappingProxyType({})
    ) -> Iterator[ReleaseRule]:
        """Yield the rules that options break; an option that hangs on the environment decides nothing.

        Args:
            options: The words behind each option, under its name with dashes; none for a switch.
            facts: What is known beside them, of a model that is named (``num_experts``).
        """
        named = {n[2:].replace("-", "_"): read_value(words or ()) for n, words in options.items() if n.startswith("--")}
        return self.broken_by({**facts, **named})

    def broken_by(self, stated: Mapping[str, Any]) -> Iterator[ReleaseRule]:
        """Yield the rules that values break, under the names that the rules have for them."""
        values = {**self.defaults, **stated}
        unknown = {name for name, value in values.items() if value is UNKNOWN}
        for rule in self.rules:
            if unknown and unknown & names_in(rule.when):
                continue
            try:
                holds = evaluate(rule.when, values, values)
            except (TypeError, ValueError, ZeroDivisionError):
                continue  # a size that the options do not give
            if holds:
                yield rule


UNKNOWN = object()
"""Of a value that a script takes from its environment."""


def read_value(words: Sequence[str]) -> Any:
    """Return an option's value as an expression meets it: true for a switch, a whole number, or a text.

    >>> read_value(()), read_value(("8",)), read_value(("mxfp8",)), read_value(("mlp", "moe"))
    (True, 8, 'mxfp8', 'mlp moe')
    """
    text = " ".join(words)
    if "${" in text:
        return UNKNOWN
    if not words:
        return True
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text


def flatten_values(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested sections as rules name them, with their sections before them.

    >>> flatten_values({"zero_optimization": {"stage": 3}, "bf16": {"enabled": True}})
    {'zero_optimization_stage': 3, 'bf16_enabled': True}
    """
    values: dict[str, Any] = {}
    for key, value in tree.items():
        name = prefix + re.sub(r"\W", "_", str(key))
        if isinstance(value, Mapping):
            values |= flatten_values(value, f"{name}_") if len(prefix) < LONGEST else {}
        elif isinstance(value, str):
            word = value.strip().lower()
            switch = {"true": True, "false": False, SETTLED: UNKNOWN}.get(word)
            values[name] = read_value((value,)) if switch is None else switch
        elif isinstance(value, bool | int | float):
            values[name] = value
    return values


@cache
def load_rules(name: str) -> RuleTable:
    """Return the table of a framework, with the rules of those that it is like.

    Raises FormatError for a table that lacks a key.
    """
    text = (files("tianji.exporters.rules") / "data" / f"{name}.toml").read_text(encoding="utf-8")
    table = parse_toml(text)
    defaults: dict[str, Any] = {}
    rules: list[ReleaseRule] = []
    for base in table.get("like", ()):
        defaults |= load_rules(base).defaults
        rules += load_rules(base).rules
    for i, row in enumerate(table["rules"]):
        if set(row) - {PLAN} != KEYS or row["effect"] not in EFFECTS:
            raise FormatError(f"rules of {name}, {i + 1}: expected {', '.join(sorted(KEYS))}, got {', '.join(row)}")
        rules.append(ReleaseRule(**row))
    defaults |= table.get("defaults", {})
    return RuleTable(name, table["framework"], table["release"], defaults, tuple(rules))
