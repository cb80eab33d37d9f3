"""Read the ``config.json`` of a Hugging Face model, as it is, into a :class:`Model`.

Keys that change neither a shape nor a count (rotary bases, dropout, token ids, dtype, quantization, ...) are ignored
knowingly. What would change the shape and is not understood is refused or named, never guessed.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import NoReturn

from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload.class_facts import class_defaults, keys_known, text_type
from tianji.workload.config_file import load_json
from tianji.workload.description import read_description
from tianji.workload.family_files import FamilyFile, load_families
from tianji.workload.foreign_keys import INERT, refuse_foreign, unread_keys
from tianji.workload.heads import TaskHead, head_of, split_class
from tianji.workload.keys import Keys, check_spelling
from tianji.workload.mathematics import read_mathematics
from tianji.workload.model import Model
from tianji.workload.patterned import read_patterned, stated_width
from tianji.workload.plain import as_plain
from tianji.workload.text_part import find_text_part

MOST_KEYS = 2000
"""Published files have 20 to 100 keys."""
SIZES = ("hidden_size", "num_hidden_layers")
"""What no file leaves out, unless it describes a part of a larger model."""


def load_config(path: str | Path) -> Model:
    """Return the model that a ``config.json`` describes; a folder stands for the file of that name in it.

    A ``.toml`` file is a description as ``tianji model trace`` writes it.

    Raises FormatError for a file that cannot be read and UnsupportedModelError for an architecture that is not
    understood.
    """
    if Path(path).suffix == ".toml":
        return read_description(Path(path))
    file, data = load_json(Path(path))
    name = file.resolve().parent.name if file.name == "config.json" else file.stem
    return read_config(data, name or "model", where=str(file))


def read_config(data: Mapping[str, object], name: str, where: str = "config.json", *, as_blocks: bool = False) -> Model:
    """Return the model that the content of a ``config.json`` describes; ``as_blocks`` also where fields would say it.

    >>> model = read_config({"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    ...                      "intermediate_size": 16, "vocab_size": 10}, "tiny")
    >>> model.num_parameters  # two tables 2 * 80, attention 4 * 64, MLP 3 * 128, three norms 3 * 8
    824

    Raises FormatError and UnsupportedModelError like :func:`load_config`.
    """
    if len(data) > MOST_KEYS:
        raise FormatError(f"{where}: {len(data):,} keys; the config.json of a model has fewer than {MOST_KEYS:,}")
    _check_names(data, where)
    part = find_text_part(data)
    _refuse_encoder(data, part.data, where)
    kind, family = _find_family(part.data, where, part.key)
    head = _find_head(data, part.data, kind, family, where, is_part=bool(part.key))
    refuse_foreign(part.data, kind, family, where)
    of_class = family.same_class.get(kind, kind)
    check_spelling(family, part.data, keys_known(of_class) | INERT, where)
    defaults = {**class_defaults(text_type(of_class)), **class_defaults(of_class)}
    if not part.key:
        sizes = {spelling for key in SIZES for spelling in (key, *family.aliases.get(key, ()))}
        defaults = {
            key: value for key, value in defaults.items() if key not in sizes or family.each or "_class_name" in data
        }
    keys = Keys.of(family, part.data, where, defaults)
    blocks = read_patterned(family, keys, name)
    whole = blocks if as_blocks else as_plain(blocks, stated_width(keys))
    model = whole if family.tasks else head.on(whole)
    _check_lists(part.data, model, where)
    unread = unread_keys(family, part.data)
    remark = "; ".join(filter(None, (part.remark, head.remark, family.note, loops_of(model), keys.filled(), unread)))
    mathematics = read_mathematics(part.data, has_experts=model.num_moe_layers > 0)
    return replace(model, family=kind, remark=remark, mathematics=mathematics)


# --- the family ---------------------------------------------------------------------------------------------
def _check_names(data: Mapping[str, object], where: str) -> None:
    kind, names = data.get("model_type"), data.get("architectures")
    if kind is not None and not isinstance(kind, str):
        raise FormatError(f"{where}: model_type: expected a text like 'llama', got {_quote(kind)}")
    diffusers = "_diffusers_version" in data or "_class_name" in data
    if names is not None and not diffusers and not (isinstance(names, list) and all(isinstance(n, str) for n in names)):
        expected = "a list of texts like ['LlamaForCausalLM']"
        raise FormatError(f"{where}: architectures: expected {expected}, got {_quote(names)}")
    known = load_families()
    if diffusers and not any(data.get(key) in known for key in ("_class_name", "model_type")):
        raise UnsupportedModelError(
            f"{where}: a part of a diffusion pipeline ({_quote(data.get('_class_name'))}) that is not understood; of these "
            f"the transformers of Flux, Wan and Qwen-Image are"
        )


def _refuse_encoder(data: Mapping[str, object], part: Mapping[str, object], where: str) -> None:
    """Refuse an encoder and a decoder whose family reads one of them alone."""
    family = load_families().get(str(part.get("model_type")))
    if data.get("is_encoder_decoder") is True and not (family and family.is_whole):
        _refuse(data, where, " (it has an encoder)")


def _find_family(data: Mapping[str, object], where: str, key: str) -> tuple[str, FamilyFile]:
    """Return the ``model_type`` and its family; a file without one is known by its architecture."""
    kind, names = data.get("model_type"), data.get("architectures")
    families = load_families()
    if kind not in families and data.get("_class_name") in families:
        kind = data["_class_name"]
    if isinstance(kind, str) and isinstance(names, list):
        for model_type, family in families.items():
            if kind in family.other_types and set(names) & set(family.architectures):
                return model_type, family
    if isinstance(kind, str) and kind in families:
        return kind, families[kind]
    if kind is None and isinstance(names, list) and names:
        fitting = [model_type for model_type, family in families.items() if names[0] in family.architectures]
        stem = _plain_name(split_class(names[0])[0])
        named = [model_type for model_type in fitting if _plain_name(model_type.removesuffix("_text")) == stem]
        for model_type in (*named, *fitting):
            return model_type, families[model_type]
    if (
        kind is None
        and not names
        and not any(word in data for word in ("hidden_size", "num_hidden_layers", "vocab_size"))
    ):
        raise FormatError(
            f"{where}: no model_type and no hidden_size in it; expected the config.json of a language model"
        )
    _refuse(data, where, f" (its {key} has model_type {_quote(kind)})" if key else "")


def _find_head(
    data: Mapping[str, object], part: Mapping[str, object], kind: str, family: FamilyFile, where: str, *, is_part: bool
) -> TaskHead:
    """Return the head of the first architecture that is of the family; a text part's own, or that of any class of its whole."""
    names = part.get("architectures") if is_part else None
    if not (isinstance(names, list) and names and names[0] in family.architectures):
        names = data.get("architectures")
    if not isinstance(names, list) or not names:
        return TaskHead("")
    for name in names:
        if name in family.architectures or name in family.other_architectures:
            return TaskHead(name)
        is_counted = not family.is_whole or split_class(name)[1] in family.tasks
        head = head_of(name, data) if is_counted else None
        if head and (is_part or _plain_name(split_class(name)[0]) in _stems(kind, family)):
            return head
    known = " or ".join(family.architectures)
    _refuse(data, where, f" ({kind} models are {known})")


def _stems(kind: str, family: FamilyFile) -> set[str]:
    stems = {_plain_name(split_class(name)[0]) for name in family.architectures}
    kinds = {kind, kind.removesuffix("_text"), kind.removesuffix("_text") + "_text"}
    return stems | {_plain_name(word) for word in kinds}


def _check_lists(data: Mapping[str, object], model: Model, where: str) -> None:
    listed = data.get("layer_types")
    own = sum(not model.blocks[i].is_shared for i in model.pattern) if model.blocks else model.num_layers
    if isinstance(listed, list) and len(listed) < own:
        raise FormatError(f"{where}: layer_types has {len(listed)} entries, but the model has {own} layers")


def loops_of(model: Model) -> str:
    """Return a remark on layers that are passed several times; empty where there are none."""
    passes = sum(model.blocks[i].is_shared for i in model.pattern)
    own = model.num_layers - passes
    return (
        f"{own} layers, passed {model.num_layers} times: {passes} passes use the weights of earlier ones"
        if passes
        else ""
    )


def _plain_name(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(".", "")


def _refuse(data: Mapping[str, object], where: str, detail: str = "") -> NoReturn:
    """Raise UnsupportedModelError that says what was not understood and what to do."""
    kind, names = data.get("model_type"), data.get("architectures")
    what = f"model_type {_quote(kind)}, architectures {_quote(names)}{detail}"
    known = sorted(load_families(), key=str.lower)
    near = get_close_matches(str(kind), known, n=2, cutoff=0.75)
    nearest = f"; names like it, should it be misspelt: {' or '.join(near)}" if near else ""
    raise UnsupportedModelError(
        f"{where}: this architecture is not understood: {what}{nearest}. `tianji model trace` reads any model that "
        f"transformers can build; docs/models.md lists the {len(known)} model types that are read and says how to add one"
    )


def _quote(value: object) -> str:
    return reprlib.repr(value)
