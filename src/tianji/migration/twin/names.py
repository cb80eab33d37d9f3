"""Names of weights: those of Hugging Face's Llama, Mistral and Qwen classes, as the trainer has them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tianji.backends.first_weights import EPSILON_KEY, RATES_KEY, weight_shapes
from tianji.errors import FormatError
from tianji.migration.twin.weight_files import Read
from tianji.workload import Model

_WHOLE = {
    "model.embed_tokens.weight": "embedding.weight",
    "model.norm.weight": "norm.weight",
    "lm_head.weight": "head.weight",
}
_LAYER = {
    "input_layernorm": "attention_norm",
    "post_attention_layernorm": "mlp_norm",
    "self_attn.q_proj": "attention.wq",
    "self_attn.k_proj": "attention.wk",
    "self_attn.v_proj": "attention.wv",
    "self_attn.o_proj": "attention.wo",
    "self_attn.q_norm": "attention.q_norm",
    "self_attn.k_norm": "attention.k_norm",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.down_proj": "mlp.down",
}
_WRAPPERS = re.compile(r"^(?:_orig_mod\.|module\.|base_model\.model\.)+")
_OF_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.(weight|bias)")
_SKIPPED = re.compile(r"rotary_emb\.inv_freq$|^settings\.")


def trainer_name(name: str) -> str:
    """Return the trainer's name of a weight, or the name itself.

    >>> trainer_name("module.model.layers.3.self_attn.q_proj.bias"), trainer_name("norm.weight")
    ('layers.3.attention.wq.bias', 'norm.weight')
    """
    plain = _WRAPPERS.sub("", name)
    if plain in _WHOLE:
        return _WHOLE[plain]
    match = _OF_LAYER.fullmatch(plain)
    return f"layers.{match[1]}.{_LAYER[match[2]]}.{match[3]}" if match and match[2] in _LAYER else plain


def match_weights(readers: Mapping[str, Read], model: Model, where: str) -> tuple[dict[str, Read], tuple[str, ...]]:
    """Return what reads each weight of a model, by the trainer's names, and the names of a file that nothing takes.

    Layers beyond the model's are left in silence: a shortened twin has the first ones. Raises FormatError for a missing weight.
    """
    by_name = {trainer_name(name): (name, read) for name, read in readers.items() if not _SKIPPED.search(name)}
    wanted = weight_shapes(model)
    for name, shape in wanted.items():
        if name not in by_name:
            shown = ", ".join(list(readers)[:3])
            raise FormatError(f"{where}: no weight for {name} {shape} of {model.name}; it has {shown} ...")
    rest = [own for name, (own, _) in by_name.items() if name not in wanted and not _is_beyond(name, model)]
    return {name: by_name[name][1] for name in wanted}, tuple(rest)


def _is_beyond(name: str, model: Model) -> bool:
    match = re.match(r"layers\.(\d+)\.", name)
    is_tied_head = name == "head.weight" and model.tied_embeddings
    return is_tied_head or name in (EPSILON_KEY, RATES_KEY) or (match is not None and int(match[1]) >= model.num_layers)
