"""Read the ``config.json`` of a Hugging Face model, as it is, into a :class:`Model`.

Keys that change neither a shape nor a count (rotary bases, dropout, token ids, dtype, quantization, ...) are ignored
knowingly. What would change the shape and is not understood is refused, never guessed.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload.config_file import load_json
from tianji.workload.families import BASE_WORDS, FAMILIES, Family
from tianji.workload.family_files import load_families
from tianji.workload.fields import Fields
from tianji.workload.model import MLA, Model, MoE
from tianji.workload.patterned import read_patterned, unread_keys

MOST_KEYS = 2000
"""Published files have 20 to 100 keys."""

STRUCTURES = {
    "kv_lora_rank": "multi-head latent attention",
    "attention_kv_lora_dim": "multi-head latent attention",
    "num_experts": "a mixture of experts",
    "num_local_experts": "a mixture of experts",
    "n_routed_experts": "a mixture of experts",
    "num_routed_experts": "a mixture of experts",
    "moe_num_experts": "a mixture of experts",
    "index_topk": "attention to selected tokens (an indexer)",
    "linear_num_key_heads": "linear attention layers",
    "linear_attn_config": "linear attention layers",
    "mamba_d_state": "state-space layers",
    "ssm_state_size": "state-space layers",
    "hybrid_override_pattern": "layers of several kinds",
    "cross_attention_layers": "cross-attention layers",
    "block_configs": "layers of several shapes",
    "altup_num_inputs": "alternating updates",
}
"""Keys that announce a structure; a family that does not own such a key does not have that structure."""

IGNORED = frozenset({"num_key_value_groups", "qk_head_dim", "max_sequence_length", "rope_head_dim"})
"""Keys of published files that resemble one of ours without being it."""

TEXT_PARTS = ("text_config", "llm_config", "language_config")
TOWERS = ("vision_config", "audio_config", "speech_config")

ENCODERS = ("bert", "t5", "bart", "electra", "vit", "clip", "whisper", "wav2vec", "roberta", "deberta", "esm", "siglip")


def load_config(path: str | Path) -> Model:
    """Return the model that a ``config.json`` describes; a folder stands for the file of that name in it.

    Raises FormatError for a file that cannot be read and UnsupportedModelError for an architecture that is not
    understood.
    """
    file, data = load_json(Path(path))
    name = file.resolve().parent.name if file.name == "config.json" else file.stem
    return read_config(data, name or "model", where=str(file))


def read_config(data: Mapping[str, object], name: str, where: str = "config.json") -> Model:
    """Return the model that the content of a ``config.json`` describes.

    >>> model = read_config({"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
    ...                      "intermediate_size": 16, "vocab_size": 10}, "tiny")
    >>> model.num_parameters  # two tables 2 * 80, attention 4 * 64, MLP 3 * 128, three norms 3 * 8
    824

    Raises FormatError and UnsupportedModelError like :func:`load_config`.
    """
    if len(data) > MOST_KEYS:
        raise FormatError(f"{where}: {len(data):,} keys; the config.json of a model has fewer than {MOST_KEYS:,}")
    data, source = _text_part(data, where)
    patterned = load_families().get(str(data.get("model_type")))
    if patterned is not None:
        _check_architectures(data, str(data.get("model_type")), patterned.architectures, where)
        remark = "; ".join(filter(None, (source, unread_keys(patterned, data))))
        return read_patterned(patterned, data, name, where, remark)
    kind, family = _find_family(data, where)
    fields = Fields(data, where, family.spellings, family.defaults)
    _refuse_foreign(fields, kind, family)
    fields.check_spelling(family.words, IGNORED)
    return _read(fields, name, kind, family, source)


# --- the family ---------------------------------------------------------------------------------------------
def _text_part(data: Mapping[str, object], where: str) -> tuple[Mapping[str, object], str]:
    """Return the language model's part of a vision-language config, and a remark that says so."""
    kind = data.get("model_type")
    if isinstance(kind, str) and (kind in FAMILIES or (kind in load_families() and not _has_text_part(data))):
        towers = [key for key in TOWERS if isinstance(data.get(key), dict)]
        return data, f"left out: {', '.join(towers)}" if towers else ""
    for key in TEXT_PARTS:
        part = data.get(key)
        if isinstance(part, dict):
            inner = part.get("model_type")
            if not isinstance(inner, str) or (inner not in FAMILIES and inner not in load_families()):
                _refuse(data, where, f" (its {key} has model_type {_quote(inner)})")
            if "tie_word_embeddings" in data:
                part = {"tie_word_embeddings": data["tie_word_embeddings"]} | part
            return part, f"the {key} of a {_quote(kind)} config: towers for images or sound are left out"
    return data, ""


def _find_family(data: Mapping[str, object], where: str) -> tuple[str, Family]:
    kind, names = data.get("model_type"), data.get("architectures")
    if kind is not None and not isinstance(kind, str):
        raise FormatError(f"{where}: model_type: expected a text like 'llama', got {_quote(kind)}")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        expected = "a list of texts like ['LlamaForCausalLM']"
        raise FormatError(f"{where}: architectures: expected {expected}, got {_quote(names)}")
    if "_diffusers_version" in data or "_class_name" in data:
        raise UnsupportedModelError(
            f"{where}: a part of a diffusion pipeline ({_quote(data.get('_class_name'))}), not a language model; only "
            f"decoder-only language models can be planned"
        )
    if data.get("is_encoder_decoder") is True:
        _refuse(data, where, " (it has an encoder)")
    if kind is None:
        for word, family in FAMILIES.items():
            if names and names[0] in family.architectures:
                return word, family
        if not names and "model_type" not in data and not any(word in data for word in BASE_WORDS):
            raise FormatError(
                f"{where}: no model_type and no hidden_size in it; expected the config.json of a language model"
            )
        _refuse(data, where)
    if kind not in FAMILIES:
        _refuse(data, where)
    family = FAMILIES[kind]
    _check_architectures(data, kind, family.architectures, where)
    return kind, family


def _check_architectures(data: Mapping[str, object], kind: str, known: Sequence[str], where: str) -> None:
    names = data.get("architectures")
    if isinstance(names, list) and names and not any(name in known for name in names):
        _refuse(data, where, f" ({kind} models are {' or '.join(known)})")


def _has_text_part(data: Mapping[str, object]) -> bool:
    return any(isinstance(data.get(key), dict) for key in TEXT_PARTS)


def _refuse(data: Mapping[str, object], where: str, detail: str = "") -> NoReturn:
    """Raise UnsupportedModelError that says what was not understood and what to do."""
    kind, names = data.get("model_type"), data.get("architectures")
    what = f"model_type {_quote(kind)}, architectures {_quote(names)}{detail}"
    text = f"{kind} {names}".lower()
    encoder = any(word in text for word in ENCODERS) and "causallm" not in text
    reason = (
        "looks like an encoder (only decoder-only language models can be planned)" if encoder else "is not understood"
    )
    known = sorted({*FAMILIES, *load_families()}, key=str.lower)
    near = get_close_matches(str(kind), known, n=2, cutoff=0.6)
    nearest = f"; nearest known: {' or '.join(near)}" if near else ""
    raise UnsupportedModelError(
        f"{where}: this architecture {reason}: {what}{nearest}. Known model types: "
        f"{', '.join(known)}. If the model has exactly the shape of one of these, copy the "
        f"file and set model_type and architectures to that family's (docs/models.md says how to add a family)"
    )


def _refuse_foreign(fields: Fields, kind: str, family: Family) -> None:
    """Refuse keys that announce a structure which the family does not have, or a variant that is not modelled."""
    own = {key for word in family.words for key in fields.keys_of(word)}
    for key, structure in STRUCTURES.items():
        value = fields.data.get(key)
        if key not in own and value not in (None, False, 0, 1, [], {}):
            raise UnsupportedModelError(
                f"{fields.where}: {key} = {_quote(value)} announces {structure}, which the family {kind} does not "
                f"have; set model_type to the family that the model really is of, or remove the key if it does nothing"
            )
    for key, wanted in family.must_be.items():
        value = fields.data.get(key)
        if value not in (None, wanted):
            raise UnsupportedModelError(
                f"{fields.where}: {key} = {_quote(value)} is a variant of {kind} that is not understood; only "
                f"{json.dumps(wanted)} is"
            )


# --- the shape ----------------------------------------------------------------------------------------------
def _read(fields: Fields, name: str, kind: str, family: Family, source: str) -> Model:
    hidden, layers = fields.require("hidden_size"), fields.require("num_layers")
    heads = fields.require("num_attention_heads")
    key_value_heads = fields.count("num_key_value_heads") or heads
    moe = _read_moe(fields, layers, family)
    positions = fields.count("max_position_embeddings") or 0
    traits: dict[str, Any] = dict(family.traits)
    for key, names in family.flags.items():
        traits |= dict.fromkeys(names, fields.flag(key))
    if family.sandwich_norm_key and fields.flag(family.sandwich_norm_key):
        traits["num_norms"] = 4
    if family.learned_positions is not None:
        traits["learned_positions"] = fields.require("max_position_embeddings") + family.learned_positions
    window, sliding = _read_window(fields, layers, family)
    mla = _read_mla(fields) if family.mla else None
    if not mla and heads % key_value_heads:
        raise FormatError(
            f"{fields.where}: {heads} attention heads do not divide into {key_value_heads} key-value heads"
        )
    return Model(
        name=name,
        family=kind,
        hidden_size=hidden,
        num_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads if mla else key_value_heads,
        head_dim=mla.v_head_dim if mla else _read_head_dim(fields, hidden, heads),
        intermediate_size=_read_width(fields, hidden, layers, family, moe),
        vocab_size=fields.require("vocab_size"),
        tied_embeddings=fields.flag("tie_word_embeddings"),
        mla=mla,
        moe=moe,
        num_mtp_layers=fields.count("num_mtp_layers", least=0) or 0,
        sliding_window=window,
        num_sliding_layers=sliding,
        max_position_embeddings=positions,
        source=f"{fields.where} ({source})" if source else fields.where,
        **traits,
    )


def _read_head_dim(fields: Fields, hidden: int, heads: int) -> int:
    stated = fields.count("head_dim")
    if stated is None and hidden % heads:
        raise FormatError(
            f"{fields.where}: hidden_size {hidden} does not divide by {heads} attention heads; correct one, or state "
            f"head_dim"
        )
    return stated or hidden // heads


def _read_width(fields: Fields, hidden: int, layers: int, family: Family, moe: MoE | None) -> int:
    """Return the width of the dense MLP; a model without dense layers may leave it out."""
    stated = fields.count("intermediate_size")
    if stated is None and family.mlp_ratio:
        return family.mlp_ratio * hidden
    if stated is None and moe and not moe.num_leading_dense and moe.layer_step == 1:
        return moe.intermediate_size
    return stated or fields.require("intermediate_size")


def _read_mla(fields: Fields) -> MLA:
    if not any(key in fields.data for key in fields.keys_of("q_lora_rank")):
        fields.require("q_lora_rank")  # null means a full query projection, a missing key may mean anything
    return MLA(
        q_lora_rank=fields.count("q_lora_rank") or 0,
        kv_lora_rank=fields.require("kv_lora_rank"),
        qk_nope_head_dim=fields.require("qk_nope_head_dim"),
        qk_rope_head_dim=fields.require("qk_rope_head_dim"),
        v_head_dim=fields.require("v_head_dim"),
    )


def _read_moe(fields: Fields, layers: int, family: Family) -> MoE | None:
    if not family.moe or (family.moe_optional and fields.count("num_experts") is None):
        return None
    experts, top_k, width = fields.require("num_experts"), fields.require("top_k"), fields.require("expert_size")
    if top_k > experts:
        raise FormatError(f"{fields.where}: each token goes to {top_k} experts, but there are only {experts}")
    shared = fields.count("shared_size", least=0)
    if shared is None:
        shared = (fields.count("num_shared_experts", least=0) or 0) * width
    leading, step = _pattern(_moe_layers(fields, layers), fields.where)
    groups, chosen = fields.count("num_groups") or 1, fields.count("groups_per_token") or 1
    if chosen > groups or experts % groups:
        raise FormatError(
            f"{fields.where}: experts from {chosen} of {groups} groups; expected no more than there are, and groups that "
            f"divide the {experts} experts"
        )
    return MoE(
        num_experts=experts,
        top_k=top_k,
        intermediate_size=width,
        shared_intermediate_size=shared,
        num_leading_dense=leading,
        layer_step=step,
        shared_expert_gate=family.shared_expert_gate and shared > 0,
        router_bias=family.router_bias,
        num_groups=groups,
        groups_per_token=chosen,
    )


def _moe_layers(fields: Fields, layers: int) -> list[bool]:
    """Return for each layer whether its MLP is a mixture of experts."""
    leading = fields.count("num_leading_dense", least=0) or 0
    if leading >= layers:
        raise FormatError(f"{fields.where}: the first {leading} layers are dense, but there are only {layers} layers")
    dense = set(fields.counts("dense_layers") or ())
    if any(layer >= layers for layer in dense):
        raise FormatError(f"{fields.where}: layer {max(dense)} is said to be dense, but there are only {layers} layers")
    step = fields.count("sparse_step") or 1
    frequency = fields.value("moe_layer_freq")
    if isinstance(frequency, list):
        listed = fields.counts("moe_layer_freq") or []
        if len(listed) != layers or max(listed) > 1:
            raise FormatError(f"{fields.where}: moe_layer_freq: expected 0 or 1 for each of the {layers} layers")
        return [entry == 1 for entry in listed]
    every = fields.count("moe_layer_freq") or 1
    return [i >= leading and i not in dense and (i + 1) % step == 0 and i % every == 0 for i in range(layers)]


def _pattern(moe: list[bool], where: str) -> tuple[int, int]:
    """Return ``(leading, step)``: after the leading dense layers every step-th layer is a mixture of experts."""
    where_moe = [i for i, is_moe in enumerate(moe) if is_moe]
    if where_moe:
        first = where_moe[0]
        step = (where_moe[1] if len(where_moe) > 1 else len(moe)) - first
        leading = first - step + 1
        if leading >= 0 and moe == [i >= leading and (i - leading + 1) % step == 0 for i in range(len(moe))]:
            return leading, step
    raise UnsupportedModelError(
        f"{where}: the layers with experts are {_quote(where_moe)}; only one in every so many layers, after some "
        f"leading dense ones, is understood"
    )


def _read_window(fields: Fields, layers: int, family: Family) -> tuple[int, int]:
    """Return the sliding window and the number of layers that it bounds."""
    kinds = fields.words("layer_types")
    if kinds is not None:
        _check_kinds(fields.where, kinds, layers)
    window = fields.count("sliding_window", least=0) or 0
    switched_off = (family.window_switched or "use_sliding_window" in fields.data) and not fields.flag(
        "use_sliding_window"
    )
    if not window or switched_off:
        return 0, 0
    if kinds is not None:
        bounded = kinds.count("sliding_attention")
    elif family.window == "alternate":
        bounded = layers - layers // 2
    elif family.window == "upper":
        bounded = max(layers - (fields.count("max_window_layers", least=0) or 0), 0)
    else:
        bounded = layers
    return (window, bounded) if bounded else (0, 0)


def _check_kinds(where: str, kinds: list[str], layers: int) -> None:
    other = set(kinds) - {"full_attention", "sliding_attention"}
    if other:
        raise UnsupportedModelError(
            f"{where}: layer_types names {_quote(sorted(other))}; only full_attention and sliding_attention are "
            f"understood"
        )
    if len(kinds) != layers:
        raise FormatError(f"{where}: layer_types has {len(kinds)} entries, but the model has {layers} layers")


def _quote(value: object) -> str:
    return reprlib.repr(value)
