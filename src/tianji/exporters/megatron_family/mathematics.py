"""What is trained beside the shape, as options of Megatron's family: positions, norms, router, initialisation.

What has no option of the framework is a note that begins with FILL IN, in the script's head.
"""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.megatron_family.dialect import Dialect
from tianji.workload import Model
from tianji.workload.mathematics import Mathematics

LLAMA3 = {"rope_low": 1.0, "rope_high": 4.0, "rope_original": 8192}
"""What Megatron-LM's --use-rope-scaling has fixed (megatron/core/models/common/embeddings/rotary_pos_embedding.py)."""


def mathematics_arguments(model: Model, limits: Limits, dialect: Dialect) -> Tree:
    """Return the options of what is trained beside the shape."""
    m = model.mathematics
    arguments = [*_positions(model, m, limits, dialect), *_scales(m)]
    if model.moe:
        arguments += _router(model, m, limits)
    if m.activation and model.gated_mlp and m.activation not in ("silu", "swish", "swiglu"):
        limits.note(f"FILL IN: its gate is {m.activation}; --swiglu gates by silu.")
    for other in m.others:
        limits.note(f"FILL IN: {other} of the model's config.json has no option here.")
    return tuple(arguments)


def _scales(m: Mathematics) -> list[Argument]:
    arguments: list[Argument] = []
    if m.norm_epsilon:
        arguments.append(Argument("--norm-epsilon", m.norm_epsilon))
    if m.initializer_range:
        arguments.append(Argument("--init-method-std", m.initializer_range, "standard deviation of the first weights"))
    return arguments


def _positions(model: Model, m: Mathematics, limits: Limits, dialect: Dialect) -> list[Argument]:
    if model.learned_positions:
        return []
    arguments: list[Argument] = []
    if m.rope_theta:
        arguments.append(Argument("--rotary-base", round(m.rope_theta), "base of the rotary positions"))
    else:
        limits.note("FILL IN: the base of the rotary positions (--rotary-base); the model's config.json states none.")
    if m.rope_share != 1:
        arguments.append(Argument("--rotary-percent", m.rope_share, "part of a head that is rotated"))
    return [*arguments, *dialect.rope_scaling(model, limits)] if m.rope_scaling else arguments


def scale_by_megatron(model: Model, limits: Limits) -> Tree:
    """Return Megatron-LM's options for scaled positions: Llama 3's, and YaRN's of latent attention."""
    m = model.mathematics
    if m.rope_scaling == "llama3" and all(getattr(m, k) == v for k, v in LLAMA3.items()):
        return (Argument("--use-rope-scaling"), Argument("--rope-scaling-factor", m.rope_factor))
    if m.rope_scaling == "yarn" and model.mla:
        return (
            Argument("--rope-type", "yarn"),
            Argument("--rotary-scaling-factor", m.rope_factor),
            Argument("--mscale", m.rope_mscale or 1.0),
            Argument("--mscale-all-dim", m.rope_mscale_all),
            Argument("--yarn-original-max-position-embeddings", m.rope_original),
            Argument("--yarn-beta-fast", m.rope_beta_fast or 32),
            Argument("--yarn-beta-slow", m.rope_beta_slow or 1),
        )
    limits.note(f"FILL IN: positions scaled by {_describe(m)}: no option here says it.")
    return ()


def scale_by_mindspeed(model: Model, limits: Limits) -> Tree:
    """Return MindSpeed-LLM's options for scaled positions: Llama 3's and YaRN's."""
    m = model.mathematics
    if m.rope_scaling == "llama3":
        return (
            Argument("--rope-scaling-type", "llama3"),
            Argument("--rope-scaling-factor", m.rope_factor),
            Argument("--low-freq-factor", m.rope_low),
            Argument("--high-freq-factor", m.rope_high),
            Argument("--original-max-position-embeddings", m.rope_original),
        )
    if m.rope_scaling == "yarn":
        return (
            Argument("--rope-scaling-type", "yarn"),
            Argument("--rope-scaling-factor", m.rope_factor),
            Argument("--rope-scaling-mscale", m.rope_mscale or 1.0),
            Argument("--rope-scaling-mscale-all-dim", m.rope_mscale_all),
            Argument("--rope-scaling-original-max-position-embeddings", m.rope_original),
            Argument("--beta-fast", round(m.rope_beta_fast or 32)),
            Argument("--beta-slow", round(m.rope_beta_slow or 1)),
        )
    limits.note(f"FILL IN: positions scaled by {_describe(m)}: no option here says it.")
    return ()


def _describe(m: Mathematics) -> str:
    return f"{m.rope_scaling} (factor {m.rope_factor:g}, from {m.rope_original:,} tokens)"


def _router(model: Model, m: Mathematics, limits: Limits) -> list[Argument]:
    arguments: list[Argument] = []
    has_bias = bool(model.moe and model.moe.router_bias)
    scores = m.router_scores or ("sigmoid" if has_bias else "softmax")
    if not has_bias:  # beside a bias it is written with it
        arguments.append(Argument("--moe-router-score-function", scores))
    if scores == "softmax" and m.router_normalises is False:
        arguments.append(Argument("--moe-router-pre-softmax", None, "weights of a token's experts do not sum to one"))
    if scores == "sigmoid" and m.router_normalises is False:
        limits.note(
            "FILL IN: weights of a token's experts that do not sum to one (norm_topk_prob = false) have no option here."
        )
    if m.router_scale and m.router_scale != 1:
        arguments.append(Argument("--moe-router-topk-scaling-factor", m.router_scale))
    if m.balance:
        arguments.append(Argument("--moe-router-load-balancing-type", m.balance))
        arguments.append(Argument("--moe-aux-loss-coeff", m.balance_weight))
    return arguments
