"""Models whose layers differ: a ``config.json`` read by its family's file into a pattern of blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tianji.errors import FormatError, UnsupportedModelError
from tianji.workload.blocks import BlockParts, LayerBlock, PartSizes, parts_of
from tianji.workload.family_files import WORDS, FamilyFile, Keys, deal_layers
from tianji.workload.model import Model, MoE
from tianji.workload.ops import Matmul

LARGEST = 10**7
MOST_LAYERS = 10_000
"""The rules of a family deal every layer by itself."""
LARGEST_SIZE = 10**10
"""Of a size or a number of parameters of one part."""
MOST_PARAMETERS = 10**16
"""Ten thousand times the largest model: sums of bytes stay far inside 64 bits."""


def read_patterned(family: FamilyFile, data: Mapping[str, object], name: str, where: str, remark: str = "") -> Model:
    """Return the model that the content of a ``config.json`` describes.

    Raises FormatError for a key that is missing or makes no sense, UnsupportedModelError for a variant that is not understood.
    """
    keys = Keys.of(family, data, where)
    _refuse_variants(family, keys)
    sizes = {word: keys.value(expression) for word, expression in family.model.items()}
    hidden, num_layers = _count(sizes, "hidden_size", where), _count(sizes, "num_layers", where)
    num_mtp_layers = _number(sizes, "num_mtp_layers", where)
    for word, layers in (("num_layers", num_layers), ("num_mtp_layers", num_mtp_layers)):
        if not 0 <= layers <= MOST_LAYERS:
            raise FormatError(f"{where}: {word}: expected at most {MOST_LAYERS:,}, got {layers:,}")
    names = list(zip(*(deal_layers(family.layers[part], keys, num_layers) for part in ("mixer", "mlp")), strict=True))
    distinct = list(dict.fromkeys(names))
    blocks = tuple(_block(family, keys, mixer, mlp, sizes) for mixer, mlp in distinct)
    norm_bias = bool(sizes.get("norm_bias"))
    parts = [parts_of(block, hidden, norm_bias) for block in blocks]
    attention = [a for p in parts for _, a in p.layer.attention if a.v_dim]
    scans = [s for p in parts for s in p.layer.scans]
    heads = max([a.num_heads for a in attention], default=0) or max((s.num_heads for s in scans), default=1)
    dense = [p.mlp for p in parts if p.mlp and not p.layer.experts]
    model = Model(
        name=name,
        family=str(data.get("model_type", family.name)),
        hidden_size=hidden,
        num_layers=num_layers,
        num_attention_heads=heads,
        num_key_value_heads=max([a.num_key_value_heads for a in attention], default=heads),
        head_dim=max([a.qk_dim for a in attention], default=0) or hidden // heads,
        intermediate_size=max((_width(p.matmuls) for p in dense), default=hidden),
        vocab_size=_count(sizes, "vocab_size", where),
        tied_embeddings=bool(sizes.get("tied")),
        moe=_experts(parts),
        num_mtp_layers=num_mtp_layers,
        max_position_embeddings=keys.whole("max_position_embeddings"),
        norm_bias=norm_bias,
        source=where,
        blocks=blocks,
        pattern=tuple(distinct.index(pair) for pair in names),
        embedding_extra=_number(sizes, "embedding_extra", where),
        head_extra=_number(sizes, "head_extra", where) - (0 if sizes.get("final_norm", True) else hidden),
        remark=remark,
    )
    if model.num_parameters > MOST_PARAMETERS:
        raise FormatError(f"{where}: {model.num_parameters:.3g} parameters; expected at most {MOST_PARAMETERS:.0e}")
    return model


def _refuse_variants(family: FamilyFile, keys: Keys) -> None:
    for key, wanted in family.must_be.items():
        value = keys.stated.get(key)
        if value not in (None, wanted):
            raise UnsupportedModelError(
                f"{keys.where}: {key} = {value!r:.60} is a variant of {family.name} that is not understood; only {wanted!r} is"
            )


def _count(sizes: Mapping[str, Any], word: str, where: str) -> int:
    value = sizes.get(word)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
        raise FormatError(f"{where}: {word}: expected a whole number from 1 to {LARGEST:,}, got {value!r:.40}")
    return value


def _number(sizes: Mapping[str, Any], word: str, where: str) -> int:
    value = sizes.get(word) or 0
    if not isinstance(value, int):
        raise FormatError(f"{where}: {word}: expected a whole number, got {value!r:.40}")
    return value


def _block(family: FamilyFile, keys: Keys, mixer: str, mlp: str, sizes: Mapping[str, Any]) -> LayerBlock:
    specs = (_spec(family.mixers, mixer, keys), _spec(family.mlps, mlp, keys))
    norms = _number(sizes, "norms", keys.where)
    extra, streams = _number(sizes, "layer_extra", keys.where), _number(sizes, "residual_streams", keys.where) or 1
    return LayerBlock(*specs, norms if all(specs) else norms // 2, extra, streams)


def _spec(known: Mapping[str, Mapping[str, object]], name: str, keys: Keys) -> PartSizes | None:
    if name == "none":
        return None
    numbers, words = [], []
    for field, expression in known[name].items():
        if field == "kind":
            continue
        if field in WORDS:
            words.append((field, _word(expression, keys)))
            continue
        value = keys.value(expression)
        if not isinstance(value, int) or not 0 <= value <= LARGEST_SIZE:
            state = "missing or null" if value is None else f"{value!r:.40}"
            raise FormatError(f"{keys.where}: {expression}: expected a whole number, got {state}")
        numbers.append((field, int(value)))
    return PartSizes(str(known[name]["kind"]), tuple(numbers), tuple(words))


def _word(choice: object, keys: Keys) -> str:
    if isinstance(choice, Mapping):
        choice = choice["then"] if keys.value(choice["when"]) else choice["else"]
    return str(choice)


def _width(matmuls: Sequence[Matmul]) -> int:
    return max(m.k for m in matmuls if m.cut == "row")


def _experts(parts: Sequence[BlockParts]) -> MoE | None:
    experts = next((p.layer.experts for p in parts if p.layer.experts), None)
    if experts is None:
        return None
    return MoE(
        num_experts=experts.num_experts,
        top_k=experts.top_k,
        intermediate_size=_width(experts.matmuls),
        num_groups=experts.routing[0],
        groups_per_token=experts.routing[1],
    )


INERT = frozenset(
    {
        "_attn_implementation_autoset", "activation_function", "architectures", "attention_dropout", "attn_implementation",
        "attn_logit_softcapping", "attn_pdrop", "auto_map", "aux_loss_alpha", "bos_token_id", "cache_implementation",
        "chunk_size", "chunk_size_feed_forward", "dtype", "embd_pdrop", "eod_token_id", "eos_token_id", "ep_size",
        "final_logit_softcapping", "head_dim", "hidden_act", "hidden_activation", "hidden_dropout", "id2label",
        "im_end_id", "im_start_id", "initializer_range", "is_encoder_decoder", "label2id", "layer_norm_eps",
        "layer_norm_epsilon", "layernorm_epsilon", "max_position_embeddings", "model_type", "norm_eps", "norm_epsilon",
        "norm_topk_prob", "num_key_value_heads", "num_logits_to_keep", "output_attentions", "output_hidden_states",
        "output_router_logits", "pad_token_id", "partial_rotary_factor", "pretraining_tp", "problem_type", "qk_head_dim",
        "quantization_config", "query_pre_attn_scalar", "rescale_prenorm_residual", "resid_pdrop", "residual_in_fp32",
        "return_dict", "rms_norm_eps", "rope_interleave", "rope_parameters", "rope_scaling", "rope_theta", "rotary_dim",
        "routed_scaling_factor", "router_aux_loss_coef", "router_jitter_noise", "scoring_func", "sep_token_id", "seq_aux",
        "tie_word_embeddings", "tokenizer_class", "topk_method", "torch_dtype", "transformers_version", "unk_token_id",
        "use_cache",
    }
)  # fmt: skip
"""Keys on which no shape and no count hangs, or that repeat what other keys say."""


def unread_keys(family: FamilyFile, data: Mapping[str, object]) -> str:
    """Return a remark that names the keys of a file which are neither read nor known to be without effect on a shape.

    Only keys with a number above 1, a list or an object count: a switch that is off, a text or null adds no layer.
    """
    read = family.keys() | INERT
    loud = [
        key
        for key, value in data.items()
        if key not in read and not key.startswith("_") and not (value is None or isinstance(value, str | bool | float))
        and value not in (0, 1, [], {}) and not key.endswith(("_token_id", "_token_index", "_coef", "_eps", "_id", "_config"))
    ]  # fmt: skip
    return f"not read: {', '.join(sorted(loud))}" if loud else ""
