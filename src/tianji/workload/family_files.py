"""Family files: which mixer and MLP each layer of a family's models has, and which keys of ``config.json`` give the sizes.

One TOML file for each family in ``data/families/``. It takes over another with ``like``; what it says itself comes on top:

* ``model_types``, ``architectures``: the files that it reads; ``ignored``: keys of them with which the family's code does
  nothing, though another's would;
* ``[defaults]``: what a left-out key means to the maker's own configuration class; ``[aliases]``: other spellings of a key;
* ``[model]``: sizes of the whole; ``[mixers.NAME]``, ``[mlps.NAME]``: a kind of ``workload.parts`` with its sizes;
* ``tasks``: ends of classes' names that a family which reads the whole file has heads for; its expressions ask for
  ``architectures__task`` and ``architectures__labels``;
* ``other_architectures``: classes of other families that build files of these types, too;
* ``other_types``: a ``model_type`` of another family under which files with these architectures are published, too;
* ``[before]``: for a mixer the mixer and the MLP of a layer that comes before each of its layers, and the mixer that has the
  weights of an earlier such layer; the first ``before_own`` of ``[model]`` have their own (Zamba's shared transformer);
* ``note``: what the answer says of every model of the family;
* ``[same_class]``: for a ``model_type`` the one whose configuration class its makers use;
* ``layer_overrides``: the key of an object that gives, for the number of a layer, the keys that are otherwise there;
* ``[each]``: names whose value differs from layer to layer, with the key that lists them;
* ``[layers]``: a rule for each of ``mixer`` and ``mlp`` that names one of them for every layer.

Sizes are expressions over keys (:mod:`tianji.workload.expressions`), rules are explained in :mod:`tianji.workload.rules`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from tianji.errors import FormatError
from tianji.plain_toml import parse_toml
from tianji.workload.expressions import names_in

WORDS = ("qk_norm", "gate")
"""Fields of a mixer that are words, not sizes."""
SWITCHES = frozenset(
    {"qkv_bias", "output_bias", "bias", "gated", "sinks", "shared_keys", "values_are_keys", "shared_gate", "router_bias",
     "conv_bias", "bidirectional", "latent_gate", "receptance", "low_rank", "norm", "tied", "norm_bias", "final_norm",
     "embedding_norm"}
)  # fmt: skip
"""Fields that are on or off."""
BLOCK_FIELDS = ("hidden_size", "tokens", "num_norms", "side", "is_shared")
"""Fields of a mixer that are the layer's: its width and its tokens, where they are not the model's, its norms, small matrices
beside it (an MLP may have some, too), and whether its weights are those of an earlier layer."""
OF_ONE_FAMILY = ("model_types", "architectures", "same_class", "other_types", "other_architectures")
"""What a file does not take over from the one that it is like."""
Rule = Any
"""A name, or a table of :func:`tianji.workload.rules.deal_layers`."""


@dataclass(frozen=True)
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
    is_whole: bool = False
    """The family reads the whole file, also where a part of it describes a language model."""
    each: Mapping[str, str] = field(default_factory=dict)
    """For a name the key that lists its value for each layer; of an object NAME__INNER."""
    before: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    """For a mixer the mixer and the MLP of a layer before each of its layers, and the mixer with an earlier one's weights."""
    note: str = ""
    """What the answer says of every model of the family."""
    layer_overrides: str = ""
    """The key of an object that gives, for the number of a layer, the keys that are otherwise there; empty without."""
    ignored: tuple[str, ...] = ()
    """Keys with which the family's code does nothing."""
    other_types: tuple[str, ...] = ()
    """Further ``model_type`` of published files, which are of this family where their architecture is."""
    other_architectures: tuple[str, ...] = ()
    """Classes of other families that build files of these types, too."""
    tasks: tuple[str, ...] = ()
    """Ends of classes' names (``Model``, ``ForSequenceClassification``) whose heads the family's own expressions count."""
    same_class: Mapping[str, str] = field(default_factory=dict)
    """For a ``model_type`` the one whose configuration class its makers use."""

    def keys(self) -> frozenset[str]:
        """Return all keys of a ``config.json`` that the family reads."""
        return self._keys

    @cached_property
    def _keys(self) -> frozenset[str]:
        read = {name for text in self._texts for name in names_in(text)} | set(self.defaults) | set(self.must_be)
        read |= {key for rule in self.layers.values() for key in _rule_keys(rule)} | {"max_position_embeddings"}
        read |= {self.layer_overrides} - {""}
        read |= set(self.each.values()) | {name.partition("__")[0] for name in read if "__" in name}
        return frozenset(read | {spelling for many in self.aliases.values() for spelling in many} | set(self.aliases))

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        tables = (self.model, *self.dealt("mixer").values(), *self.dealt("mlp").values())
        return tuple(_text(v) for table in tables for v in _leaves(table))

    def dealt(self, part: str) -> Mapping[str, Mapping[str, object]]:
        """Return the mixers or the MLPs that the rule of a part can give a layer; others are there for families like this."""
        known = self.mixers if part == "mixer" else self.mlps
        names = set(_rule_names(self.layers[part])) | {name for names in self.before.values() for name in names}
        return {name: table for name, table in known.items() if name in names}

    @cached_property
    def part_keys(self) -> frozenset[str]:
        """Keys that give a size of a mixer or an MLP."""
        tables = (*self.mixers.values(), *self.mlps.values())
        return frozenset(name for table in tables for v in _leaves(table) for name in names_in(_text(v)))

    @cached_property
    def sizes(self) -> frozenset[str]:
        """Keys that must be whole numbers, switches or null, with their other spellings."""
        read = {name for text in self._texts for name in names_in(text)} | {"max_position_embeddings"}
        return frozenset(read | {s for key in read for s in self.aliases.get(key, ())})

    @cached_property
    def switches(self) -> frozenset[str]:
        """Of these, those that are true or false."""
        tables = (self.model, *self.mixers.values(), *self.mlps.values())
        bare = [_text(v) for table in tables for field, v in table.items() if field in SWITCHES]
        fields = {text.removeprefix("not ") for text in bare if text.removeprefix("not ").isidentifier()}
        return frozenset(fields | {key for key, value in self.defaults.items() if isinstance(value, bool)}) & self.sizes

    @cached_property
    def conditions(self) -> frozenset[str]:
        """Of these, those that an expression asks whether they are true, or that switch a field together with others."""
        tables = (self.model, *self.mixers.values(), *self.mlps.values())
        fields = [_text(v) for table in tables for field, v in table.items() if field in SWITCHES]
        asked = [text for text in self._texts if " if " in text or "not " in text or " and " in text or "* (" in text]
        whens = [str(v["when"]) for table in tables for v in table.values() if isinstance(v, Mapping) and "when" in v]
        return frozenset(name for text in (*fields, *asked, *whens) for name in names_in(text))

    @cached_property
    def texts(self) -> frozenset[str]:
        """Of these, those that may be a text."""
        counted = {
            name
            for text in self._texts
            if "count(" in text or "==" in text or " in (" in text
            for name in names_in(text)
        }
        return frozenset(counted | {key for key, value in self.defaults.items() if isinstance(value, str)})

    @cached_property
    def fractions(self) -> frozenset[str]:
        """Of these, those that may be fractions: an expression cuts what they come to."""
        return frozenset(name for text in self._texts if "int(" in text for name in names_in(text))


def _leaves(table: Mapping[str, object]) -> Iterator[object]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from (value["when"],) if "when" in value else ()
        elif name not in ("kind", *WORDS):
            yield value


def part_names(table: Mapping[str, object]) -> frozenset[str]:
    """Return the keys that give the sizes of one mixer or MLP."""
    return frozenset(name for v in _leaves(table) for name in names_in(_text(v)))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rule_keys(rule: Rule) -> Iterator[str]:
    if not isinstance(rule, Mapping):
        return
    for name in ("list", "letters", "cycle"):
        if name in rule:
            yield rule[name]
    if "indices" in rule:
        yield rule["indices"].partition(".")[0]
    for name in ("when", "first", "last", "every", "offset", "needs", "split"):
        if name in rule:
            yield from names_in(_text(rule[name]))
    for name in ("then", "else", "before", "after"):
        yield from _rule_keys(rule.get(name))


def _rule_names(rule: Rule) -> Iterator[str]:
    if not isinstance(rule, Mapping):
        yield str(rule)
        return
    for name in ("is", "then", "else", "before", "after"):
        if name in rule:
            yield from _rule_names(rule[name])
    for name in ("names", "last_names"):
        yield from map(str, rule.get(name, {}).values())


def load_tables(folder: str) -> dict[str, dict[str, Any]]:
    """Return the files of a folder of ``data`` by their names, in the order of those."""
    return {
        entry.name.removesuffix(".toml"): parse_toml(entry.read_text(encoding="utf-8"))
        for entry in sorted((Path(__file__).parent / "data" / folder).iterdir(), key=lambda e: e.name)
        if entry.name.endswith(".toml")
    }


@cache
def tower_types() -> frozenset[str]:
    """Return the ``model_type`` of the files whose tower is known."""
    return frozenset(kind for table in load_tables("towers").values() for kind in table["model_types"])


@cache
def load_families() -> dict[str, FamilyFile]:
    """Return all families by ``model_type``, in the order of their files' names."""
    tables = load_tables("families")
    known: dict[str, FamilyFile] = {}
    for name, table in tables.items():
        family = make_family(name, complete_table(name, tables))
        for model_type in table["model_types"]:
            if model_type in known:
                raise FormatError(f"two family files read model_type {model_type}: {known[model_type].name} and {name}")
            known[model_type] = family
    return known


def complete_table(name: str, tables: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a file says, on top of the file that it is ``like``."""
    table = dict(tables[name])
    if "like" not in table:
        return table
    base = str(table.pop("like"))
    inherited = {key: value for key, value in complete_table(base, tables).items() if key not in OF_ONE_FAMILY}
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


def make_family(name: str, table: Mapping[str, Any]) -> FamilyFile:
    """Return the family that a completed table says."""
    aliases = {key: tuple(spellings) for key, spellings in table.get("aliases", {}).items()}
    parts = {key: table.get(key, {}) for key in ("defaults", "model", "mixers", "mlps", "layers", "must_be")}
    return FamilyFile(
        name,
        tuple(table["model_types"]),
        tuple(table["architectures"]),
        aliases=aliases,
        is_whole=bool(table.get("is_whole")),
        each=table.get("each", {}),
        before={mixer: tuple(names) for mixer, names in table.get("before", {}).items()},
        note=str(table.get("note", "")),
        layer_overrides=str(table.get("layer_overrides", "")),
        ignored=tuple(table.get("ignored", ())),
        same_class=table.get("same_class", {}),
        other_architectures=tuple(table.get("other_architectures", ())),
        other_types=tuple(table.get("other_types", ())),
        tasks=tuple(table.get("tasks", ())),
        **parts,
    )
