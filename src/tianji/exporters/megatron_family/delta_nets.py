"""Models with gated delta nets as options of Megatron-LM: which layers have one, its sizes, the gate of the others.

Names: ``experimental_attention_variant`` and the fields after it in megatron/core/transformer/transformer_config.py of d98e8a64.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.formats.layer_patterns import format_pattern
from tianji.parallel.plan import Plan
from tianji.workload import Model, MoE
from tianji.workload.blocks import LayerBlock, PartSizes

ATTENTION = frozenset({"num_heads", "num_key_value_heads", "head_dim"})
EXPERTS = frozenset(
    {"num_experts", "top_k", "width", "shared_width", "shared_gate", "gated", "num_groups", "groups_per_token"}
)
SIZES = {
    "kernel": "--linear-conv-kernel-dim", "key_head_dim": "--linear-key-head-dim", "value_head_dim": "--linear-value-head-dim",
    "num_key_heads": "--linear-num-key-heads", "num_value_heads": "--linear-num-value-heads",
}  # fmt: skip


def is_delta(block: LayerBlock) -> bool:
    """Return whether a layer's mixer is a gated delta net."""
    return block.mixer is not None and block.mixer.kind == "gated_delta_net"


def shape_of_others(model: Model) -> tuple[Model, Tree] | None:
    """Return the model by fields of its other layers, and the options of its delta nets; None where these cannot say it."""
    blocks = model.blocks
    delta = {b.mixer for b in blocks if is_delta(b)}
    full = {b.mixer for b in blocks if b.mixer and b.mixer.kind == "attention"}
    mlps = {b.mlp for b in blocks}
    if len(delta) != 1 or len(full) != 1 or len(mlps) != 1 or any(_is_strange(block) for block in blocks):
        return None
    mixer, attention, mlp = delta.pop(), full.pop(), mlps.pop()
    if mixer is None or attention is None or mlp is None or not _is_plain(attention, mlp):
        return None
    words, sizes = dict(attention.words), dict(mlp.sizes)
    others = replace(
        model, blocks=(), pattern=(), qk_norm=words.get("qk_norm") == "head",
        moe=_experts(model, sizes) if mlp.kind == "experts" else None,
    )  # fmt: skip
    layers = [int(is_delta(blocks[i])) for i in model.pattern]
    arguments = (
        Argument("--experimental-attention-variant", "gated_delta_net"),
        Argument("--linear-attention-freq", format_pattern(layers), "1: gated delta net, 0: attention"),
        *(Argument(option, dict(mixer.sizes)[size]) for size, option in SIZES.items()),
        *([Argument("--attention-output-gate")] if words.get("gate") else []),
    )
    return others, arguments


def refuse_delta_nets(plan: Plan, limits: Limits) -> None:
    """Refuse what Megatron-LM checks of gated delta nets before the first step."""
    s, block = plan.strategy, next(b for b in plan.job.model.blocks if is_delta(b))
    sizes = dict(block.mixer.sizes) if block.mixer else {}
    for what in ("num_key_heads", "num_value_heads"):
        if sizes[what] % (s.tp * s.cp):
            limits.refuse(f"tp={s.tp}, cp={s.cp}: the {sizes[what]} heads of gated delta nets must divide by tp * cp")


def describe_lack(model: Model, knows_patterns: bool) -> str:
    """Return what of a model with layers of several kinds is not written."""
    known = ("attention", "dense", "experts", *(("gated_delta_net", "mamba2") if knows_patterns else ()))
    return ", ".join(dict.fromkeys(_lacks(model, known))) or "this mixture of layers"


def _lacks(model: Model, known: tuple[str, ...]) -> Iterator[str]:
    if any(block.num_norms == 4 for block in model.blocks):
        yield "sandwich norms"
    if any(block.residual_streams > 1 for block in model.blocks):
        yield "hyper-connections"
    for block in model.blocks:
        for part in (block.mixer, block.mlp):
            if part is None:
                continue
            if part.kind not in known:
                yield part.kind.replace("_", " ")
            elif dict(part.sizes).get("window"):
                yield f"windowed layers of {part.kind.replace('_', ' ')} beside others"


def _is_strange(block: LayerBlock) -> bool:
    return block != LayerBlock(block.mixer, block.mlp)


def _is_plain(attention: PartSizes, mlp: PartSizes) -> bool:
    words = dict(attention.words)
    strange = [size for name, size in attention.sizes if name not in ATTENTION]
    known = EXPERTS if mlp.kind == "experts" else frozenset({"width", "gated"})
    gated = dict(mlp.sizes).get("gated", 1)
    return (
        not any(strange)
        and all(size in (0, 1) if name == "shared_gated" else not size for name, size in mlp.sizes if name not in known)
        and mlp.kind in ("dense", "experts")
        and bool(gated)
        and words.get("gate", "") in ("", "element")
        and words.get("qk_norm", "") in ("", "head")
    )


def _experts(model: Model, sizes: dict[str, int]) -> MoE:
    return MoE(
        num_experts=sizes["num_experts"], top_k=sizes["top_k"], intermediate_size=sizes["width"],
        shared_intermediate_size=sizes.get("shared_width", 0), shared_expert_gate=bool(sizes.get("shared_gate")),
        num_groups=sizes.get("num_groups", 1), groups_per_token=sizes.get("groups_per_token", 1),
    )  # fmt: skip
