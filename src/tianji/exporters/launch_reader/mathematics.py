"""What a launch script of Megatron's family trains beside the shape: the way back from its export."""

from __future__ import annotations

import re

from tianji.errors import FormatError
from tianji.exporters.launch_reader.options import Options
from tianji.exporters.megatron_family.mathematics import LLAMA3
from tianji.workload.mathematics import LARGEST, Mathematics


def read_options_mathematics(options: Options, *, has_experts: bool, gated: bool) -> Mathematics:
    """Return the mathematics that options state.

    Raises FormatError for a number that is none.
    """
    scaling = _read_scaling(options)
    theta = number(options, "--rotary-base") or number(options, "--rope-theta")
    share = number(options, "--rotary-percent") or number(options, "--partial-rotary-factor")
    fields: dict[str, object] = {
        "rope_theta": theta, "rope_share": share or 1.0, **scaling,
        "norm_epsilon": number(options, "--norm-epsilon"), "initializer_range": number(options, "--init-method-std"),
        "activation": "silu" if options.has("--swiglu") else "gelu" if gated else "",
    }  # fmt: skip
    if has_experts:
        fields |= _read_router(options)
    return Mathematics(**fields)  # type: ignore[arg-type]  # each is a number or a word of its reader


def _read_scaling(options: Options) -> dict[str, object]:
    kind = (options.texts("--rope-scaling-type") or [""])[0]
    if options.has("--use-rope-scaling"):
        return {"rope_scaling": "llama3", "rope_factor": number(options, "--rope-scaling-factor") or 8.0, **LLAMA3}
    if kind == "llama3":
        return {
            "rope_scaling": kind, "rope_factor": number(options, "--rope-scaling-factor"),
            "rope_low": number(options, "--low-freq-factor"), "rope_high": number(options, "--high-freq-factor"),
            "rope_original": int(number(options, "--original-max-position-embeddings")),
        }  # fmt: skip
    if kind == "yarn" or options.texts("--rope-type")[:1] == ["yarn"]:
        names = {
            "rope_factor": ("--rope-scaling-factor", "--rotary-scaling-factor"),
            "rope_mscale": ("--rope-scaling-mscale", "--mscale"),
            "rope_mscale_all": ("--rope-scaling-mscale-all-dim", "--mscale-all-dim"),
            "rope_original": ("--rope-scaling-original-max-position-embeddings", "--yarn-original-max-position-embeddings"),
            "rope_beta_fast": ("--beta-fast", "--yarn-beta-fast"), "rope_beta_slow": ("--beta-slow", "--yarn-beta-slow"),
        }  # fmt: skip
        values = {field: number(options, *spellings) for field, spellings in names.items()}
        return {"rope_scaling": "yarn", **values, "rope_original": int(values["rope_original"])}
    return {}


def _read_router(options: Options) -> dict[str, object]:
    scores = (options.texts("--moe-router-score-function") or [""])[0]
    balance = (options.texts("--moe-router-load-balancing-type") or [""])[0]
    weight = number(options, "--moe-aux-loss-coeff")
    return {
        "router_scores": scores, "router_normalises": False if options.has("--moe-router-pre-softmax") else None,
        "router_scale": number(options, "--moe-router-topk-scaling-factor"),
        "balance": balance if weight else "", "balance_weight": weight if balance else 0.0,
    }  # fmt: skip


def number(options: Options, *names: str) -> float:
    """Return a number of an option, 0 where none of its names is given or where the environment has it.

    Raises FormatError for a text that is no number.
    """
    for name in names:
        words = options.texts(name)
        if not words or "${" in words[0]:
            continue
        text = words[0].replace("_", "")
        if not re.fullmatch(r"-?(\d{1,15}(\.\d{0,20})?|\.\d{1,20})([eE][-+]?\d{1,3})?", text):
            raise FormatError(f"{options.where}: {name}: expected a number, got {words[0][:40]!r}")
        return max(min(float(text), LARGEST), 0.0)
    return 0.0
