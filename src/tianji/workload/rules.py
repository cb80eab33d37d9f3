"""Rules of family files: which mixer and which MLP each layer has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tianji.errors import FormatError
from tianji.workload.expressions import names_in
from tianji.workload.family_files import Rule
from tianji.workload.keys import Keys


def deal_layers(rule: Rule, keys: Keys, num_layers: int) -> list[str]:
    """Return the name that a rule gives each layer, from the first on.

    * a name: every layer;
    * ``{ list = KEY, names = {...} }``: the key lists a word or number for each layer; ``letters`` the same for a text;
    * ``{ cycle = KEY, names = {...} }``: the key lists words that repeat, from the first layer on;
    * ``{ first = N, is = NAME, else = RULE }``: the first N layers; ``last`` the last ones;
    * ``{ split = N, before = RULE, after = RULE }``: the first N layers by one rule, the others by another;
    * ``{ every = N, offset = M, is = NAME, else = RULE }``: layers whose number is M modulo N (left out: the last of each N);
    * ``{ indices = KEY, base = 0, is = NAME, else = RULE }``: the key lists the layers, or a text does with commas;
    * ``{ needs = KEYS }``: the file must state one of them;
    * ``{ when = EXPRESSION, then = RULE, else = RULE }``.

    A key that holds no list, or no text, gives way to ``else``. Raises FormatError for a list of another length and for
    a word that is not named.
    """
    if isinstance(rule, str):
        return [rule] * num_layers
    if "needs" in rule:
        raise keys.missing(sorted(names_in(rule["needs"])))
    if "when" in rule:
        keys.need(rule["when"])
        return deal_layers(rule["then"] if keys.value(rule["when"]) else rule["else"], keys, num_layers)
    for form in ("list", "letters"):
        if form in rule:
            return _listed(rule, form, keys, num_layers)
    if "split" in rule:
        count = min(keys.whole(rule["split"]), num_layers)
        return deal_layers(rule["before"], keys, count) + deal_layers(rule["after"], keys, num_layers - count)
    if "cycle" in rule:
        return _cycled(rule, keys, num_layers)
    names, chosen = deal_layers(rule["else"], keys, num_layers), _chosen(rule, keys, num_layers)
    return [rule["is"] if i in chosen else name for i, name in enumerate(names)]


def _listed(rule: Mapping[str, Any], form: str, keys: Keys, num_layers: int) -> list[str]:
    key = rule[form]
    listed = keys.values.get(key)
    if listed is None and "else" not in rule:
        raise keys.missing([key])
    if "else" in rule and not isinstance(listed, list if form == "list" else str):
        return _with_last(rule, keys, deal_layers(rule["else"], keys, num_layers))
    if not isinstance(listed, list | str) or len(listed) < num_layers:
        raise FormatError(
            f"{keys.where}: {key}: expected an entry for each of the {num_layers} layers, got {listed!r:.60}"
        )
    unknown = sorted({str(x) for x in listed[:num_layers]} - set(rule["names"]))
    if unknown:
        raise FormatError(f"{keys.where}: {key} names {', '.join(unknown)}; understood: {', '.join(rule['names'])}")
    return _with_last(rule, keys, [rule["names"][str(x)] for x in listed[:num_layers]])


def _with_last(rule: Mapping[str, Any], keys: Keys, names: list[str]) -> list[str]:
    """Return the names with those that the last layers have instead."""
    if "last" not in rule:
        return names
    kept = len(names) - keys.whole(rule["last"])
    return [name if i < kept else rule["last_names"].get(name, name) for i, name in enumerate(names)]


def _cycled(rule: Mapping[str, Any], keys: Keys, num_layers: int) -> list[str]:
    listed, known = keys.values.get(rule["cycle"]), rule["names"]
    if listed is None:
        raise keys.missing([rule["cycle"]])
    if not isinstance(listed, list) or not listed or not all(isinstance(x, str) and x in known for x in listed):
        raise FormatError(
            f"{keys.where}: {rule['cycle']}: expected a list of {' and '.join(known)}, got {listed!r:.60}"
        )
    return [known[listed[i % len(listed)]] for i in range(num_layers)]


def _chosen(rule: Mapping[str, Any], keys: Keys, num_layers: int) -> frozenset[int]:
    if "first" in rule:
        keys.need(rule["first"])
        leading = keys.whole(rule["first"])
        if rule["is"] == "dense" and leading >= num_layers:
            raise FormatError(
                f"{keys.where}: the first {leading} layers are dense, but there are only {num_layers} layers"
            )
        return frozenset(range(min(leading, num_layers)))
    if "last" in rule:
        return frozenset(range(max(num_layers - keys.whole(rule["last"]), 0), num_layers))
    if "every" in rule:
        step = keys.whole(rule["every"]) or 1
        offset = keys.whole(rule.get("offset", "-1"))
        return frozenset(i for i in range(num_layers) if i % step == offset % step)
    listed: object = keys.values
    for name in rule["indices"].split("."):
        listed = listed.get(name) if isinstance(listed, Mapping) else None
    if isinstance(listed, str):
        listed = [int(word) for word in listed.split(",") if word.strip().isdecimal()]
    return (
        frozenset(i - rule.get("base", 0) for i in listed if isinstance(i, int))
        if isinstance(listed, list)
        else frozenset()
    )
