"""Plain transformers: a pattern that one attention, one MLP and experts in every so many layers describe, said by fields.

Jobs of plain models differ in sizes alone, so formulas take many of them as one (:mod:`tianji.workload.batch`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tianji.workload.blocks import LayerBlock, PartSizes
from tianji.workload.model import MLA, Model, MoE

ATTENTION = frozenset({"num_heads", "num_key_value_heads", "head_dim", "window", "qkv_bias", "output_bias", "sinks"})
LATENT = frozenset({"num_heads", "q_lora_rank", "kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"})
DENSE = frozenset({"width", "gated", "bias"})
EXPERTS = frozenset(
    {"num_experts", "top_k", "width", "gated", "bias", "shared_width", "shared_gate", "router_bias", "num_groups",
     "groups_per_token"}
)  # fmt: skip
"""Sizes that fields of :class:`Model` say; a part with another that is not 0 is not plain."""


def as_plain(model: Model, width: int = 0) -> Model:
    """Return the model by fields where they say all of its pattern, else the model as it is.

    ``width`` is that of the dense MLP where no layer has one.
    """
    mixers = _alike([block.mixer for block in model.blocks], ("window",))
    mlps = {block.mlp.kind: _alike([b.mlp for b in model.blocks if b.mlp and b.mlp.kind == block.mlp.kind], ())
            for block in model.blocks if block.mlp}  # fmt: skip
    dense, experts = mlps.get("dense", {}), mlps.get("experts", {})
    if mixers is None or dense is None or experts is None or set(mlps) - {"dense", "experts"} or not mlps:
        return model
    kind = model.blocks[0].mixer.kind if model.blocks[0].mixer else ""
    if not _is_plain(model, kind, mixers, dense, experts):
        return model
    sparse = [bool(block.mlp and block.mlp.kind == "experts") for block in model.blocks]
    layers = step_of([sparse[i] for i in model.pattern]) if experts else (0, 1)
    windows = [dict(block.mixer.sizes).get("window", 0) if block.mixer else 0 for block in model.blocks]
    window = _evenly([windows[i] for i in model.pattern])
    if layers is None or window is None:
        return model
    one = experts or dense
    return replace(
        model,
        intermediate_size=dense["width"] if dense else width or experts["width"],
        gated_mlp=bool(one.get("gated", 1)),
        mlp_bias=bool(one.get("bias")),
        qkv_bias=bool(mixers.get("qkv_bias")),
        output_bias=bool(mixers.get("output_bias")),
        qk_norm=_word(model.blocks[0]) == "head",
        attention_sinks=bool(mixers.get("sinks")),
        num_norms=model.blocks[0].num_norms,
        mla=_latent(mixers) if kind == "latent" else None,
        head_dim=mixers["v_head_dim"] if kind == "latent" else model.head_dim,
        moe=_experts(experts, layers) if experts else None,
        sliding_window=window[0],
        num_sliding_layers=window[1],
        blocks=(),
        pattern=(),
    )


def block_of(model: Model, index: int) -> LayerBlock:
    """Return what a layer is made of, whether its model is a pattern of blocks or said by fields: :func:`as_plain` turned back.

    >>> block_of(Model("m", "llama", 8, 1, 2, 2, 4, 16, 10), 0).title
    'attention + dense'
    """
    if model.blocks:
        return model.blocks[model.pattern[index]]
    return LayerBlock(_mixer_of(model, index), _mlp_of(model, index), model.num_norms)


def _mixer_of(model: Model, index: int) -> PartSizes:
    heads = ("num_heads", model.num_attention_heads)
    if model.mla:
        sizes = ((name, getattr(model.mla, name)) for name in sorted(LATENT - {"num_heads"}))
        return PartSizes("latent", (heads, *sizes))
    every = model.num_sliding_layers == model.num_layers
    window = model.sliding_window if model.num_sliding_layers and (every or index % 2 == 0) else 0
    return PartSizes(
        "attention",
        (
            heads, ("num_key_value_heads", model.num_key_value_heads), ("head_dim", model.head_dim), ("window", window),
            ("qkv_bias", int(model.qkv_bias)), ("output_bias", int(model.output_bias)), ("sinks", int(model.attention_sinks)),
        ),
        (("qk_norm", "head"),) if model.qk_norm else (),
    )  # fmt: skip


def _mlp_of(model: Model, index: int) -> PartSizes:
    moe, kind = model.moe, (("gated", int(model.gated_mlp)), ("bias", int(model.mlp_bias)))
    after = index - moe.num_leading_dense if moe else -1
    if moe is None or after < 0 or (after + 1) % moe.layer_step:
        return PartSizes("dense", (("width", model.intermediate_size), *kind))
    sizes = (
        ("num_experts", moe.num_experts), ("top_k", moe.top_k), ("width", moe.intermediate_size), *kind,
        ("shared_width", moe.shared_intermediate_size), ("shared_gate", int(moe.shared_expert_gate)),
        ("router_bias", int(moe.router_bias)), ("num_groups", moe.num_groups), ("groups_per_token", moe.groups_per_token),
    )  # fmt: skip
    return PartSizes("experts", sizes)


def _alike(parts: list[PartSizes | None], but: tuple[str, ...]) -> dict[str, int] | None:
    """Return the sizes that all parts have in common, or None where they differ in more than those named."""
    if any(part is None for part in parts):
        return None
    kinds = {(p.kind, tuple(w for w in p.words if w[1]), _sizes(p, but)) for p in parts if p}
    if len(kinds) != 1:
        return None
    return dict(next(iter(kinds))[2])


def _sizes(part: PartSizes, but: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((name, size) for name, size in part.sizes if name not in but)


def _word(block: LayerBlock) -> str:
    return dict(block.mixer.words).get("qk_norm", "") if block.mixer else ""


def _is_plain(
    model: Model, kind: str, mixer: Mapping[str, int], dense: Mapping[str, int], experts: Mapping[str, int]
) -> bool:
    known = {"attention": ATTENTION, "latent": LATENT}.get(kind, frozenset())
    strange = [size for name, size in mixer.items() if name not in known]
    strange += [size for name, size in dense.items() if name not in DENSE]
    strange += [size for name, size in experts.items() if name not in EXPERTS]
    words = {word for block in model.blocks if block.mixer for word in block.mixer.words if word[1]}
    same = not dense or not experts or all(dense.get(n, d) == experts.get(n, d) for n, d in (("gated", 1), ("bias", 0)))
    plain_words = not words or (kind == "attention" and words == {("qk_norm", "head")})
    alike = (
        len(
            {
                (b.num_norms, b.extra, b.residual_streams, b.hidden_size, b.tokens, b.side, b.is_shared)
                for b in model.blocks
            }
        )
        == 1
    )
    first = model.blocks[0]
    whole_heads = kind == "latent" or model.num_attention_heads % model.num_key_value_heads == 0
    regular = (
        first.num_norms in (2, 4)
        and not (first.extra or first.side)
        and (first.residual_streams, first.hidden_size, first.tokens) == (1, 0, 0)
    )
    own = not model.head_extra
    return bool(known) and not any(strange) and same and plain_words and alike and whole_heads and regular and own


def step_of(sparse: list[bool]) -> tuple[int, int] | None:
    """Return ``(leading, step)``: after the leading dense layers every step-th layer is a mixture of experts; None if not so."""
    where = [i for i, is_sparse in enumerate(sparse) if is_sparse]
    if not where:
        return None
    step = (where[1] if len(where) > 1 else len(sparse)) - where[0]
    leading = where[0] - step + 1
    regular = [i >= leading and (i - leading + 1) % step == 0 for i in range(len(sparse))]
    return (leading, step) if leading >= 0 and sparse == regular else None


def _evenly(windows: list[int]) -> tuple[int, int] | None:
    """Return the window and its number of layers where it bounds none, all, or every second one from the first on."""
    bounded = [window for window in windows if window]
    if not bounded:
        return 0, 0
    if len(set(bounded)) > 1:
        return None
    alternate = [bool(window) == (i % 2 == 0) for i, window in enumerate(windows)]
    return (bounded[0], len(bounded)) if len(bounded) == len(windows) or all(alternate) else None


def _latent(sizes: Mapping[str, int]) -> MLA:
    return MLA(**{name: sizes[name] for name in sorted(LATENT - {"num_heads"})})


def _experts(sizes: Mapping[str, int], layers: tuple[int, int]) -> MoE:
    shared = sizes.get("shared_width", 0)
    return MoE(
        num_experts=sizes["num_experts"],
        top_k=sizes["top_k"],
        intermediate_size=sizes["width"],
        shared_intermediate_size=shared,
        num_leading_dense=layers[0],
        layer_step=layers[1],
        shared_expert_gate=bool(sizes.get("shared_gate")) and shared > 0,
        router_bias=bool(sizes.get("router_bias")),
        num_groups=sizes.get("num_groups", 1),
        groups_per_token=sizes.get("groups_per_token", 1),
    )
