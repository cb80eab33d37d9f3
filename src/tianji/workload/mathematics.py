"""What a ``config.json`` says of a model's mathematics beside its shape: positions, norms, router, initialisation.

Nothing of it changes time or memory; all of it changes what is trained, so exports carry it over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LARGEST = 10.0**14
"""Of any number of a configuration: beyond it a number is a slip."""
OTHERS = (
    "final_logit_softcapping", "attn_logit_softcapping", "query_pre_attn_scalar", "swiglu_limit", "rope_local_base_freq",
    "embedding_multiplier", "attention_multiplier", "residual_multiplier", "logits_scaling", "scale_emb", "scale_depth",
    "dim_model_base", "logit_scale", "use_qk_norm_before_rope", "attention_temperature_tuning", "attn_scale", "no_rope_layers",
    "use_sinks", "hidden_activation", "clip_qkv", "router_z_loss_coef", "z_loss_coef", "mup_base_width",
)  # fmt: skip
"""Keys that change the mathematics and have no field here: an export names them."""
SCALINGS = {
    "factor": "rope_factor", "original_max_position_embeddings": "rope_original", "low_freq_factor": "rope_low",
    "high_freq_factor": "rope_high", "beta_fast": "rope_beta_fast", "beta_slow": "rope_beta_slow", "mscale": "rope_mscale",
    "mscale_all_dim": "rope_mscale_all",
}  # fmt: skip
"""Keys of ``rope_scaling`` and the fields here."""


@dataclass(frozen=True, slots=True)
class Mathematics:
    """What is trained beside the shape; 0, an empty text and null are what the file does not state.

    ``rope_share`` is the part of a head that is rotated. ``router_normalises``: the weights of a token's experts sum to one.
    """

    rope_theta: float = 0.0
    rope_share: float = 1.0
    rope_scaling: str = ""
    rope_factor: float = 0.0
    rope_original: int = 0
    rope_low: float = 0.0
    rope_high: float = 0.0
    rope_beta_fast: float = 0.0
    rope_beta_slow: float = 0.0
    rope_mscale: float = 0.0
    rope_mscale_all: float = 0.0
    norm_epsilon: float = 0.0
    initializer_range: float = 0.0
    activation: str = ""
    router_scores: str = ""
    router_normalises: bool | None = None
    router_scale: float = 0.0
    balance: str = ""
    """The loss that balances experts: ``aux_loss``, ``seq_aux_loss`` or ``none``."""
    balance_weight: float = 0.0
    others: tuple[str, ...] = ()
    """What changes the mathematics and has no field: ``key = value``."""


UNSTATED = Mathematics()
"""Of a model whose file says nothing."""


def read_mathematics(data: Mapping[str, object], *, has_experts: bool) -> Mathematics:
    """Return the mathematics that the keys of a ``config.json`` state.

    >>> read = read_mathematics({"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4}}, has_experts=False)
    >>> read.rope_theta, read.rope_scaling, read.rope_factor
    (1000000.0, 'yarn', 4.0)
    """
    scaling = _mapping(data, "rope_scaling") or _mapping(data, "rope_parameters")
    kind = _text(scaling, "rope_type") or _text(scaling, "type")
    kind = "" if kind in ("default", "mrope") else kind
    fields: dict[str, Any] = {}
    if kind:
        for key, name in SCALINGS.items():
            value = _number(scaling, key)
            fields[name] = int(value) if name == "rope_original" else value
    share = (
        _number(data, "partial_rotary_factor")
        or _number(data, "rotary_pct")
        or _number(scaling, "partial_rotary_factor")
    )
    router = _read_router(data) if has_experts else {}
    return Mathematics(
        rope_theta=_number(data, "rope_theta") or _number(scaling, "rope_theta") or _number(data, "rotary_emb_base"),
        rope_share=share or 1.0,
        rope_scaling=kind,
        norm_epsilon=next(
            (
                v
                for k in ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps")
                if (v := _number(data, k))
            ),
            0.0,
        ),
        initializer_range=_number(data, "initializer_range"),
        activation=_text(data, "hidden_act") or _text(data, "hidden_activation") or _text(data, "activation_function"),
        others=tuple(f"{k} = {_shown(data[k])}" for k in OTHERS if data.get(k) not in (None, False, 1, 1.0, [], "")),
        **router,
        **fields,
    )


def _read_router(data: Mapping[str, object]) -> dict[str, Any]:
    weight = _number(data, "router_aux_loss_coef") or _number(data, "aux_loss_alpha")
    balance = ("seq_aux_loss" if data.get("seq_aux") is True else "aux_loss") if weight else ""
    normalises = data.get("norm_topk_prob")
    return {
        "router_scores": _text(data, "scoring_func") or ("sigmoid" if data.get("topk_method") == "noaux_tc" else ""),
        "router_normalises": normalises if isinstance(normalises, bool) else None,
        "router_scale": _number(data, "routed_scaling_factor"),
        "balance": balance,
        "balance_weight": weight,
    }


def _mapping(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _text(data: Mapping[str, object], key: str) -> str:
    value = data.get(key)
    return value.lower()[:40] if isinstance(value, str) else ""


def _number(data: Mapping[str, object], key: str) -> float:
    value = data.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < LARGEST:
        return 0.0
    return float(value)


def _shown(value: object) -> str:
    return f"{value}"[:60]
