"""What a row computes again in the backward pass, as the strategy knows it: full or selective, for a share of the layers."""

from __future__ import annotations

from dataclasses import dataclass

from tianji.errors import FormatError
from tianji.measurements.cells import Cells
from tianji.measurements.columns import MODULES
from tianji.parallel.strategy import MODULES as PRICED
from tianji.workload import Model
from tianji.workload.layers import dense_layer, moe_layer
from tianji.workload.ops import LayerOps, Role


@dataclass(frozen=True, slots=True)
class Recompute:
    """What is computed again in the backward pass, and the share of it."""

    kind: str
    share: float = 1.0
    modules: str = ""
    """Those that the strategy prices one by one, joined by ``+``."""


def read_recompute(cells: Cells, model: Model, chunk: float, fused: bool) -> Recompute:
    """Return what is recomputed; ``chunk`` are the layers of a model chunk, ``fused`` says whether attention is.

    The strategy knows ``full`` and ``selective`` (the memory-bound ops, what MLA expands, and the scores where attention is not
    fused) for a share of the layers, and modules by the names that frameworks have. Other modules, and what ``kept_modules``
    leave, become the nearest of these in time: full, for their share of the layers' forward FLOPs, because a matmul or a fused
    attention computed again costs that part of a full recompute.

    Raises FormatError when nothing is stated.
    """
    cells.require("recompute")
    kind, share = cells.word("recompute"), cells.fraction("recompute_share", 1.0)
    if cells.text("recompute_num_layers"):
        share = min(1.0, cells.count("recompute_num_layers") / chunk)
    named, kept = cells.words("recompute_modules"), cells.words("kept_modules")
    if kind == "none" or not (named or kept):
        return Recompute(kind, share if kind != "none" else 1.0)
    if named and kept:
        raise FormatError("recompute_modules and kept_modules exclude each other; leave one of them empty")
    if kind == "selective" and named and set(named) <= set(PRICED):
        return Recompute(kind, share, "+".join(named))
    flops = module_flops(model, cells.count("seq_len"))
    again = sum(flops[name] for name in MODULES if name in (named or kept))
    if kept:
        again = flops["all"] - again
    return Recompute("full", min(1.0, again / flops["all"])) if again else Recompute("selective")


def module_flops(model: Model, seq_len: int) -> dict[str, float]:
    """Return forward FLOPs of a token in all layers, by module and under ``all``."""
    flops = dict.fromkeys((*MODULES, "all"), 0.0)
    for count, layer in ((model.num_dense_layers, dense_layer(model)), (model.num_moe_layers, moe_layer(model))):
        if not count:
            continue
        experts = layer.experts.flops if layer.experts else 0.0
        flops["core_attn"] += count * sum(share * a.flops(seq_len, True) for share, a in layer.attention)
        flops["mla_up_proj"] += count * _matmul_flops(layer, Role.EXPANSION)
        flops["qkv"] += count * _matmul_flops(layer, Role.PROJECTION, Role.EXPANSION)
        flops["out_proj"] += count * _matmul_flops(layer, Role.ATTENTION_OUTPUT)
        flops["mlp"] += count * _matmul_flops(layer, Role.MLP_IN, Role.MLP_OUT)
        flops["mlpwo"] += count * _matmul_flops(layer, Role.MLP_OUT)
        flops["moe"] += count * (experts + _matmul_flops(layer, Role.ROUTER, Role.SHARED_EXPERT))
        flops["all"] += count * layer.flops(seq_len, True)
    return flops


def _matmul_flops(layer: LayerOps, *roles: Role) -> float:
    return sum(m.flops for m in layer.matmuls if m.role in roles)
