"""Family files: which mixer and MLP each layer of a family's models has, and which keys of ``config.json`` give the sizes.

One TOML file for each family in ``data/families/``. It takes over another with ``like``; what it says itself comes on top:

* ``model_types``, ``architectures``: the files that it reads;
* ``[defaults]``: what a left-out key means to the maker's own configuration class; ``[aliases]``: other spellings of a key;
* ``[model]``: sizes of the whole; ``[mixers.NAME]``, ``[mlps.NAME]``: a kind of ``workload.parts`` with its sizes;
* ``[layers]``: a rule for each of ``mixer`` and ``mlp`` that names one of them for every layer.

Sizes are expressions over keys (:mod:`tianji.workload.expressions`), rules are explained at :func:`deal_layers`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tianji.errors import FormatError
from tianji.workload.expressions import evaluate, names_in

WORDS = ("qk_norm", "gate")
"""Fields of a mixer that are words, not sizes."""
Rule = Any
"""A name, or a table of :func:`deal_layers`."""


@dataclass(frozen=True, slots=True)
class FamilyFile:
    """One family as its file and those that it is like say."""

    name: str
    model_types: tuple[str, ...]
    architectures: tuple[str, ...]
    defaults: Mapping[str, object]
    aliases: Mapping[str, tuple[str, ...]]
    model: Mapping[str, object]
    mixers: Mapping[str, Mapping[str, object]]
    mlps: Mapping[str, Mapping[str, object]]
    layers: Mapping[str, Rule]
    must_be: Mapping[str, object]
    """Keys that change the shape in a way not modelled, with the only value that is understood."""

    def keys(self) -> frozenset[str]:
        """Return all keys of a ``config.json`` that the family reads."""
        texts = [str(v) for table in (self.model, *self.mixers.values(), *self.mlps.values()) for v in _leaves(table)]
        read = {name for text in texts for name in _names(text)} | set(self.defaults) | set(self.must_be)
        read |= {key for rule in self.layers.values() for key in _rule_keys(rule)}
        return frozenset(read | {spelling for many in self.aliases.values() for spelling in many} | set(self.aliases))


def _leaves(table: Mapping[str, object]) -> Iterator[object]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from (value["when"],) if "when" in value else ()
        elif name not in ("kind", *WORDS):
            yield value


def _names(text: str) -> frozenset[str]:
    return names_in(text.lower() if text in ("True", "False") else text)


def _rule_keys(rule: Rule) -> Iterator[str]:
    if not isinstance(rule, Mapping):
        return
    for name in ("list", "letters"):
        if name in rule:
            yield rule[name]
    if "indices" in rule:
        yield rule["indices"].partition(".")[0]
    for name in ("when", "first", "last", "every", "offset"):
        if name in rule:
            yield from _names(str(rule[name]))
    for name in ("then", "else"):
        yield from _rule_keys(rule.get(name))


@cache
def load_families() -> dict[str, FamilyFile]:
    """Return all families by ``model_type``, in the order of their files' names."""
    tables = {
        entry.name.removesuffix(".toml"): tomllib.loads(entry.read_text(encoding="utf-8"))
        for entry in sorted((files("tianji.workload") / "data" / "families").iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".toml")
    }
    known: dict[str, FamilyFile] = {}
    for name, table in tables.items():
        family = _make(name, _complete(name, tables))
        for model_type in table["model_types"]:
            if model_type in known:
                raise FormatError(f"two family files read model_type {model_type}: {known[model_type].name} and {name}")
            known[model_type] = family
    return known


def _complete(name: str, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    table = dict(tables[name])
    if "like" not in table:
        return table
    base = str(table.pop("like"))
    inherited = {k: v for k, v in _complete(base, tables).items() if k not in ("model_types", "architectures")}
    return _lay_over(inherited, table)


def _lay_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A rule, and a part whose kind is stated, take the place of what is below; other tables are completed by it."""
    whole = dict(below)
    for key, value in above.items():
        old = whole.get(key)
        if (
            isinstance(value, Mapping)
            and isinstance(old, Mapping)
            and "kind" not in value
            and key not in ("mixer", "mlp")
        ):
            whole[key] = _lay_over(old, value)
        else:
            whole[key] = value
    return whole


def _make(name: str, table: Mapping[str, Any]) -> FamilyFile:
    aliases = {key: tuple(spellings) for key, spellings in table.get("aliases", {}).items()}
    parts = {key: table.get(key, {}) for key in ("defaults", "model", "mixers", "mlps", "layers", "must_be")}
    return FamilyFile(name, tuple(table["model_types"]), tuple(table["architectures"]), aliases=aliases, **parts)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one file as a family reads them."""

    values: Mapping[str, object]
    """With defaults filled in and other spellings put under the usual one."""
    stated: Mapping[str, object]
    where: str

    @classmethod
    def of(cls, family: FamilyFile, data: Mapping[str, object], where: str) -> Keys:
        """Return the keys of a file, those of an object in it as ``object__key``.

        Raises FormatError when two spellings of one key disagree.
        """
        stated = dict(data)
        for key, part in data.items():
            if isinstance(part, Mapping):
                stated |= {f"{key}__{inner}": value for inner, value in part.items()}
        values = {**family.defaults, **stated}
        for key, spellings in family.aliases.items():
            present = [s for s in (key, *spellings) if data.get(s) is not None]
            if any(data[s] != data[present[0]] for s in present[1:]):
                both = " and ".join(f"{s} = {data[s]!r:.40}" for s in present)
                raise FormatError(f"{where}: {both} contradict each other; keep the one that is right")
            if present:
                values[key] = stated[key] = data[present[0]]
        return cls(values, stated, where)

    def value(self, expression: object) -> Any:
        """Return what an expression comes to.

        Raises FormatError that names the key which is missing or is no number.
        """
        text = str(expression).lower() if isinstance(expression, bool) else str(expression)
        try:
            return evaluate(text, self.values, self.stated)
        except (TypeError, ZeroDivisionError):
            read = sorted(names_in(text))
            bad = [f"{k} = {self.values.get(k)!r:.40}" for k in read if not isinstance(self.values.get(k), int)]
            raise FormatError(
                f"{self.where}: {', '.join(bad) or text}: expected a whole number for each of {', '.join(read)}"
            ) from None

    def whole(self, expression: object, absent: int = 0) -> int:
        """Return the whole number that an expression comes to, or ``absent`` where the file leaves it out.

        Raises FormatError for anything that is no whole number.
        """
        value: object = self.value(expression)
        if value is None:
            return absent
        if not isinstance(value, int):
            raise FormatError(f"{self.where}: {expression}: expected a whole number, got {value!r:.40}")
        return value


def deal_layers(rule: Rule, keys: Keys, num_layers: int) -> list[str]:
    """Return the name that a rule gives each layer, from the first on.

    * a name: every layer;
    * ``{ list = KEY, names = {...} }``: the key lists a word or number for each layer; ``letters`` the same for a text;
    * ``{ first = N, is = NAME, else = RULE }``: the first N layers; ``last`` the last ones;
    * ``{ every = N, offset = M, is = NAME, else = RULE }``: layers whose number is M modulo N (left out: the last of each N);
    * ``{ indices = KEY, base = 0, is = NAME, else = RULE }``: the key lists the layers;
    * ``{ when = EXPRESSION, then = RULE, else = RULE }``.

    A list or a text that the file leaves out gives way to ``else``. Raises FormatError for a list of another length and for
    a word that is not named.
    """
    if isinstance(rule, str):
        return [rule] * num_layers
    if "when" in rule:
        return deal_layers(rule["then"] if keys.value(rule["when"]) else rule["else"], keys, num_layers)
    for form in ("list", "letters"):
        if form in rule:
            return _listed(rule, form, keys, num_layers)
    names, chosen = deal_layers(rule["else"], keys, num_layers), _chosen(rule, keys, num_layers)
    return [rule["is"] if i in chosen else name for i, name in enumerate(names)]


def _listed(rule: Mapping[str, Any], form: str, keys: Keys, num_layers: int) -> list[str]:
    key = rule[form]
    listed = keys.values.get(key)
    if listed is None and "else" in rule:
        return deal_layers(rule["else"], keys, num_layers)
    if not isinstance(listed, list | str) or len(listed) < num_layers:
        raise FormatError(
            f"{keys.where}: {key}: expected an entry for each of the {num_layers} layers, got {listed!r:.60}"
        )
    unknown = sorted({str(x) for x in listed[:num_layers]} - set(rule["names"]))
    if unknown:
        raise FormatError(f"{keys.where}: {key} names {', '.join(unknown)}; understood: {', '.join(rule['names'])}")
    names = [rule["names"][str(x)] for x in listed[:num_layers]]
    if "last" in rule:
        kept = num_layers - keys.whole(rule["last"])
        names = [name if i < kept else rule["last_names"].get(name, name) for i, name in enumerate(names)]
    return names


def _chosen(rule: Mapping[str, Any], keys: Keys, num_layers: int) -> frozenset[int]:
    if "first" in rule:
        return frozenset(range(min(keys.whole(rule["first"]), num_layers)))
    if "last" in rule:
        return frozenset(range(max(num_layers - keys.whole(rule["last"]), 0), num_layers))
    if "every" in rule:
        step = keys.whole(rule["every"]) or 1
        offset = keys.whole(rule.get("offset", "-1"))
        return frozenset(i for i in range(num_layers) if i % step == offset % step)
    listed: object = keys.values
    for name in rule["indices"].split("."):
        listed = listed.get(name) if isinstance(listed, Mapping) else None
    return (
        frozenset(i - rule.get("base", 0) for i in listed if isinstance(i, int))
        if isinstance(listed, list)
        else frozenset()
    )
