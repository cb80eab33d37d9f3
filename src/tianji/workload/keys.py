"""The keys of one ``config.json`` as a family reads them: checked, with what the file leaves out filled in and remembered."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from tianji.errors import FormatError
from tianji.workload.expressions import evaluate, names_in
from tianji.workload.family_files import FamilyFile
from tianji.workload.heads import class_words

LARGEST = 10**7
"""Largest width or count that is taken for a real figure; the widest published layer has about 10**5."""
LARGEST_BY_KEY = {"num_hidden_layers": 10_000, "vocab_size": 10**9, "max_position_embeddings": 10**9}

NOT_MISSPELT = frozenset(
    {"num_key_value_groups", "qk_head_dim", "max_sequence_length", "rope_head_dim", "dense_layers"}
)
"""Keys of published files that resemble one of ours without being it."""
ALWAYS_NAMED = frozenset(
    {"attention_k_eq_v", "enable_moe_block", "first_k_dense_replace", "interleave_moe_layer_step", "moe_latent_size",
     "n_routed_experts", "n_shared_experts", "num_experts", "num_key_value_heads", "num_kv_shared_layers", "num_local_experts",
     "num_nextn_predict_layers", "num_shared_experts", "shared_expert_intermediate_size", "tie_word_embeddings",
     "use_double_wide_mlp"}
)  # fmt: skip
"""Keys on which much hangs: where a file leaves one out, the answer says what is made of it, none and no among others."""
QUIET = frozenset({"head_dim", "max_position_embeddings", "mtp_num_hidden_layers", "num_nextn_predict_layers"})
"""Keys that most files of classes that are not known leave out, and that then mean nothing of their own."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one file as a family reads them."""

    values: Mapping[str, object]
    """With defaults filled in and other spellings put under the usual one."""
    stated: Mapping[str, object]
    where: str
    used: set[str] = field(default_factory=set)
    """Keys that an expression has read so far."""
    of_class: frozenset[str] = frozenset()
    """Keys that the configuration class of the file's ``model_type`` has; empty where no class is known."""

    @classmethod
    def of(cls, family: FamilyFile, data: Mapping[str, object], where: str, defaults: Mapping[str, object]) -> Keys:
        """Return the keys of a file, those of an object in it as ``object__key``.

        ``defaults`` is what a left-out key means to the class of the file's ``model_type``; the family's own come below.
        Raises FormatError when two spellings of one key disagree, and for a value that no size or switch can have.
        """
        stated = dict(data)
        for key, part in data.items():
            if isinstance(part, Mapping):
                stated |= {f"{key}__{inner}": value for inner, value in part.items()}
        stated |= class_words(data)
        values = {**family.defaults, **defaults, **stated}
        for key, spellings in family.aliases.items():
            present = [s for s in (key, *spellings) if stated.get(s) is not None]
            if any(stated[s] != stated[present[0]] for s in present[1:]):
                both = " and ".join(f"{s} = {_short(stated[s])}" for s in present)
                raise FormatError(f"{where}: {both} contradict each other; keep the one that is right")
            if present:
                values[key] = stated[key] = stated[present[0]]
            elif values.get(key) is None:
                values[key] = next((values[s] for s in spellings if values.get(s) is not None), None)
        keys = cls(values, stated, where, of_class=frozenset(defaults))
        keys._check(family)
        return keys

    def of_layer(self, each: Mapping[str, str], index: int, overrides: str = "") -> Keys:
        """Return the keys as one layer has them: those that a list states for each layer, or an object for some.

        Raises FormatError for a list that is too short.
        """
        values = dict(self.values)
        listed = self.values.get(overrides)
        for number, own in listed.items() if isinstance(listed, Mapping) else ():
            if str(number).isdecimal() and int(number) == index and isinstance(own, Mapping):
                values |= own
        for name, key in each.items():
            listed = self.values.get(key)
            if not isinstance(listed, list):
                continue
            if len(listed) <= index:
                raise FormatError(f"{self.where}: {key}: expected an entry for each layer, got {len(listed)}")
            entry = listed[index]
            values[name] = entry
            if isinstance(entry, Mapping):
                values |= {f"{name}__{k}": v for k, v in _flat(entry).items()}
        return Keys(values, self.stated, self.where, self.used, self.of_class)

    def _check(self, family: FamilyFile) -> None:
        for key in family.sizes & set(self.stated):
            value = self.stated[key]
            if value is None or isinstance(value, list | Mapping) or (isinstance(value, str) and key in family.texts):
                continue
            if isinstance(value, bool) and key in family.conditions:
                continue
            if key in family.switches:
                if not isinstance(value, bool):
                    raise FormatError(f"{self.where}: {key}: expected true or false, got {_short(value)}")
                continue
            largest = LARGEST_BY_KEY.get(key, LARGEST)
            fraction = isinstance(value, float) and key in family.fractions and abs(value) <= largest
            if not fraction and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= largest):
                raise FormatError(
                    f"{self.where}: {key}: expected a whole number from 0 to {largest:,}, got {_short(value)}"
                )

    def value(self, expression: object) -> Any:
        """Return what an expression comes to.

        Raises FormatError that names the key which is missing or is no number.
        """
        text = str(expression).lower() if isinstance(expression, bool) else str(expression)
        names = names_in(text)
        try:
            return evaluate(text, _Watched(self.values, self.used), self.stated)
        except ValueError as error:
            stated = ", ".join(
                f"{key} {_short(self.values.get(key))}" for key in sorted(names) if self.values.get(key) is not None
            )
            raise FormatError(
                f"{self.where}: {error} ({stated}); correct one, or state what is computed from them"
            ) from None
        except (TypeError, ZeroDivisionError, OverflowError):
            lacking = [key for key in sorted(names) if self.values.get(key) is None]
            if lacking:
                raise self.missing(lacking) from None
            bad = [f"{k} = {_short(self.values.get(k))}" for k in sorted(names)]
            raise FormatError(
                f"{self.where}: {', '.join(bad)}: expected a whole number for each of {', '.join(sorted(names))}"
            ) from None

    def whole(self, expression: object, absent: int = 0) -> int:
        """Return the whole number that an expression comes to, or ``absent`` where the file leaves it out.

        Raises FormatError for anything that is no whole number.
        """
        value: object = self.value(expression)
        if value is None:
            return absent
        if not isinstance(value, int):
            raise FormatError(f"{self.where}: {expression}: expected a whole number, got {_short(value)}")
        return int(value)

    def missing(self, names: Iterable[str]) -> FormatError:
        """Return the error for keys that the family needs, with the nearest key of the file."""
        keys = list(names)
        near = get_close_matches(keys[0], [key for key in self.stated if key not in keys], n=1, cutoff=0.7)
        nearest = f"; the nearest key in it is {near[0]!r}" if near else ""
        state = "null" if any(key in self.stated for key in keys) else "missing"
        named = " or ".join(map(repr, keys))
        return FormatError(f"{self.where}: {named} is {state}, but the architecture needs it{nearest}")

    def need(self, expression: object) -> None:
        """Refuse a file that leaves out all keys of an expression, where no class and no default says what that means.

        Raises FormatError.
        """
        names = [name for name in names_in(str(expression)) if "__" not in name]
        if names and not self.of_class and all(n not in self.stated and self.values.get(n) is None for n in names):
            raise self.missing(sorted(names))

    def filled(self) -> str:
        """Return a remark on what the file leaves out: what the family's class fills in, or none; empty without any."""
        left = {key: self.values.get(key) for key in sorted(self.used) if key not in self.stated}
        sizes = [
            f"{key} {_said(value)}"
            for key, value in left.items()
            if (isinstance(value, int | str) and value not in (0, 1, "") and key != "max_position_embeddings")
            or (key in ALWAYS_NAMED and (key in self.of_class or (not self.of_class and value is not None)))
        ]
        unknown = (
            [] if self.of_class else [k for k, v in left.items() if v is None and k not in QUIET and "__" not in k]
        )
        owner = "the family's class" if self.of_class else "the family"
        remarks = (
            f"left out, so as {owner} has it: {', '.join(sizes)}" if sizes else "",
            f"left out, and taken as not there: {', '.join(unknown)}" if unknown else "",
        )
        return "; ".join(filter(None, remarks))


def _said(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _flat(entry: Mapping[str, object]) -> dict[str, object]:
    whole: dict[str, object] = {}
    for key, value in entry.items():
        if isinstance(value, Mapping):
            whole |= {f"{key}__{inner}": v for inner, v in value.items()}
        else:
            whole[key] = value
    return whole


class _Watched(dict[str, object]):
    """Values that remember which of them were asked for."""

    def __init__(self, values: Mapping[str, object], used: set[str]) -> None:
        super().__init__(values)
        self._used = used

    def get(self, key: str, default: object = None) -> object:
        self._used.add(key)
        return super().get(key, default)


def check_spelling(family: FamilyFile, data: Mapping[str, object], known: frozenset[str], where: str) -> None:
    """Refuse a key that looks like a misspelt one of the family's: it would silently be taken for left out.

    ``known`` are keys that mean something of their own. Raises FormatError naming both.
    """
    read = family.keys()
    absent = sorted(read.difference(data))
    for key in data:
        if key in read or key in known or key in NOT_MISSPELT or "__" in key or key.startswith("_"):
            continue
        near = get_close_matches(key, absent, n=1, cutoff=0.92)
        if near and not any(spelling in data for spelling in (near[0], *family.aliases.get(near[0], ()))):
            raise FormatError(f"{where}: unknown key {_short(key)}; did you mean {near[0]!r}? Correct it")


def _short(value: object) -> str:
    return reprlib.repr(value)
