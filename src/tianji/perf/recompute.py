"""What the backward pass computes again, module by module: bytes that are not kept, seconds that are spent again.

``recompute`` none, selective and full are whole layers' answers. With ``recompute_modules`` selective means exactly these
modules, by the names that frameworks have: Megatron-LM's ``--recompute-modules`` (core_attn, moe_act, layernorm, mla_up_proj,
mlp, moe, shared_experts), MindSpeed's ``--recompute-norm`` (layernorm) and ``--recompute-activation-function`` (mlp_act and
moe_act), torchtitan's selective ``op`` (ops: every second matmul and all elementwise work; attention is kept).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tianji.parallel.grid import Grid
from tianji.parallel.strategy import MODULES
from tianji.units import Array

Pieces: TypeAlias = Mapping[str, Array]
"""Bytes that a token leaves in one layer, by what they are (see :func:`tianji.perf.memory.layer_activations`)."""


@dataclass(frozen=True, slots=True)
class Module:
    """A part of a layer that can be computed again.

    ``drops`` says which share of each piece is not kept, in layers of any kind; ``of_dense`` and ``of_moe`` in layers without and
    with experts only. ``again`` says how often each kind of work is done again: see :func:`again_seconds`.
    """

    drops: Mapping[str, float] = field(default_factory=dict)
    of_dense: Mapping[str, float] = field(default_factory=dict)
    of_moe: Mapping[str, float] = field(default_factory=dict)
    again: Mapping[str, float] = field(default_factory=dict)


MODULE_TABLE: dict[str, Module] = {
    "core_attn": Module({"scores": 1.0}, again={"attention": 1.0}),
    "layernorm": Module({"inputs": 1.0}, again={"norms": 1.0}),
    "mla_up_proj": Module({"expanded": 1.0}, again={"expansion": 1.0}),
    "mlp_act": Module({"hidden": 1.0}, again={"activation": 1.0}),
    "moe_act": Module({"expert_hidden": 1.0}, again={"expert activation": 1.0}),
    "mlp": Module(of_dense={"gates": 1.0, "hidden": 1.0}, again={"mlp": 1.0}),
    "moe": Module(
        of_moe={"experts": 1.0, "expert_hidden": 1.0, "gates": 1.0, "hidden": 1.0}, again={"experts": 1.0, "shared": 1.0}
    ),
    "shared_experts": Module(of_moe={"gates": 1.0, "hidden": 1.0}, again={"shared": 1.0}),
    "ops": Module(
        {"inputs": 1.0, "hidden": 1.0, "expert_hidden": 1.0, "projected": 0.5, "gates": 0.5, "experts": 0.5},
        again={"matmuls": 0.5, "experts' matmuls": 0.5, "vectors": 1.0},
    ),
}  # fmt: skip
assert tuple(MODULE_TABLE) == MODULES


def dropped_bytes(pieces: Pieces, g: Grid, *, has_experts: bool, is_expanded: bool) -> Array:
    """Return the bytes that the named modules do not keep; a piece of two modules goes once."""
    dropped: Array = np.asarray(0.0)
    for name, size in pieces.items():
        share: Array = np.asarray(0.0)
        for module, parts in MODULE_TABLE.items():
            kinds = parts.of_moe if has_experts else parts.of_dense
            of_piece = max(parts.drops.get(name, 0.0), kinds.get(name, 0.0))
            if name == "projected" and is_expanded:
                of_piece = max(of_piece, parts.drops.get("expanded", 0.0))
            if of_piece:
                share = np.maximum(share, of_piece * g.recomputes(module))
        dropped = dropped + share * size
    return dropped


def again_seconds(work: Pieces, g: Grid) -> Array:
    """Return the seconds of the named modules' work, done once more; work of two modules is done once."""
    seconds: Array = np.asarray(0.0)
    for name, size in work.items():
        times: Array = np.asarray(0.0)
        for module, parts in MODULE_TABLE.items():
            if name in parts.again:
                times = np.maximum(times, parts.again[name] * g.recomputes(module))
        seconds = seconds + times * size
    return seconds
