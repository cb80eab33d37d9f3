"""Models of Mamba-2, attention, MLP and expert layers, one part in each, as options of Megatron-LM.

Names: ``--hybrid-layer-pattern`` (megatron/training/arguments.py) and the ``mamba_`` fields of transformer_config.py, d98e8a64.
"""

from __future__ import annotations

from dataclasses import replace

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Argument, Tree
from tianji.exporters.plan_facts.layers import is_even
from tianji.parallel.plan import Plan
from tianji.workload import Model, MoE
from tianji.workload.blocks import LayerBlock, PartSizes

LETTERS = {"mamba2": "M", "attention": "*", "dense": "-", "experts": "E"}
SIZES = {
    "mamba2": {"num_heads", "head_dim", "state_size", "num_groups", "kernel", "conv_bias"},
    "attention": {"num_heads", "num_key_value_heads", "head_dim"},
    "dense": {"width"},
    "experts": {"num_experts", "top_k", "width", "shared_width", "router_bias"},
}
"""Sizes that options say; a part with another that is not 0 has none."""


def shape_of_hybrid(model: Model) -> tuple[Model, Tree] | None:
    """Return the model by fields of its parts, and the options of its pattern; None where these cannot say it."""
    parts = [_only_part(block) for block in model.blocks]
    kinds = [part.kind for part in parts if part]
    if None in parts or len(set(kinds)) != len(kinds) or "mamba2" not in kinds or model.num_mtp_layers:
        return None
    sizes = {part.kind: dict(part.sizes) for part in parts if part}
    mamba = sizes["mamba2"]
    if (mamba["kernel"], mamba.get("conv_bias", 1)) != (4, 1) or any(
        part.words and part.words[0][1] for part in parts if part
    ):
        return None
    experts = sizes.get("experts")
    others = replace(
        model, blocks=(), pattern=(), gated_mlp=False,
        moe=MoE(experts["num_experts"], experts["top_k"], experts["width"], experts.get("shared_width", 0), router_bias=True)
        if experts else None,
    )  # fmt: skip
    arguments = (
        Argument(
            "--hybrid-layer-pattern",
            "".join(LETTERS[kinds[i]] for i in model.pattern),
            "M Mamba, * attention, - MLP, E experts",
        ),
        Argument("--mamba-num-heads", mamba["num_heads"]),
        Argument("--mamba-head-dim", mamba["head_dim"]),
        Argument("--mamba-state-dim", mamba["state_size"]),
        Argument("--mamba-num-groups", mamba["num_groups"]),
        Argument("--squared-relu", None, "one input projection"),
    )
    return others, arguments


def refuse_hybrids(plan: Plan, limits: Limits) -> None:
    """Refuse the pipelines that a pattern without marks of stages does not cut as the plan does."""
    s = plan.strategy
    if s.pp > 1 and (s.vpp > 1 or not is_even(plan)):
        limits.refuse(
            f"pp={s.pp}, vpp={s.vpp}: a pattern of layers is cut into equal stages (take --fix vpp=1 and a pp that divides "
            f"{plan.job.model.num_layers})"
        )
    groups = {n for parts in plan.job.model.block_parts if parts.mixer for n in parts.mixer.groups if n % s.tp}
    if groups:
        limits.refuse(f"tp={s.tp}: the {min(groups)} groups of Mamba-2's inputs and outputs must divide by it")


def _only_part(block: LayerBlock) -> PartSizes | None:
    """Return the one part of a layer, where options say all of it."""
    parts = [part for part in (block.mixer, block.mlp) if part]
    if len(parts) != 1 or block != LayerBlock(block.mixer, block.mlp, num_norms=1):
        return None
    part = parts[0]
    known = SIZES.get(part.kind)
    if known is None or any(size and name not in known for name, size in part.sizes):
        return None
    return None if part.kind in ("dense", "experts") and dict(part.sizes).get("gated", 1) else part
