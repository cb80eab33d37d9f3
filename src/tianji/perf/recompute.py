"""What the backward pass computes again, module by module: bytes that are not kept, seconds that are spent again.

``recompute`` none, selective and full are whole layers' answers. With ``recompute_modules`` selective means exactly these
modules, by the names that frameworks have: Megatron-LM's ``--recompute-modules`` (core_attn, moe_act, layernorm, mla_up_proj,
mlp, moe, shared_experts), MindSpeed's ``--recompute-norm`` (layernorm) and ``--recompute-activation-function`` (mlp_act and
moe_act), torchtitan's selective ``op`` (ops: every second matmul and all elementwise work; attention is kept).
Bytes of a layer: Korthikanti et al. 2022, table 2; docs/formulas.md, section "Memory".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from tianji.parallel.grid import Grid
from tianji.parallel.strategy import MODULES
from tianji.units import Array

CHECKPOINT_LAUNCHES = 6.0
"""Host time of one checkpoint, in launches: random states are saved and put back, the part runs again under autograd.

Moonlight-16B on 8 H100 with one micro-batch a step waits for its host, and takes 0.35 (moe_act), 0.65 (core_attn), 0.74
(layernorm, each) and 0.88 ms (mla_up_proj) longer for each, its ops among them, where a launch takes 0.05 (Megatron-Bridge
skills, 2026): 6 to 14 launches. Longer runs lose less: 3 to 6 tell the rows of split fit alike, 0 and 10 tell them worse.
"""

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
    calls: float = 1.0
    """Checkpoints of a layer that has the module."""
    ops: float = 1.0
    """Ops of a layer that the host launches again."""
    of_kind: str = ""
    """The layers that have it: ``dense``, ``moe``, ``latent`` or all."""


MODULE_TABLE: dict[str, Module] = {
    "core_attn": Module({"scores": 1.0}, again={"attention": 1.0}),
    "layernorm": Module({"inputs": 1.0}, again={"norms": 1.0}, calls=2.0, ops=2.0),
    "mla_up_proj": Module({"expanded": 1.0}, again={"expansion": 1.0}, ops=3.0, of_kind="latent"),
    "mlp_act": Module({"hidden": 1.0}, again={"activation": 1.0}, of_kind="dense"),
    "moe_act": Module({"expert_hidden": 1.0}, again={"expert activation": 1.0}, of_kind="moe"),
    "mlp": Module(of_dense={"gates": 1.0, "hidden": 1.0}, again={"mlp": 1.0}, ops=3.0, of_kind="dense"),
    "moe": Module(
        of_moe={"experts": 1.0, "expert_hidden": 1.0, "gates": 1.0, "hidden": 1.0},
        again={"experts": 1.0, "shared": 1.0},
        ops=7.0,
        of_kind="moe",
    ),
    "shared_experts": Module(of_moe={"gates": 1.0, "hidden": 1.0}, again={"shared": 1.0}, ops=3.0, of_kind="moe"),
    "ops": Module(
        {"inputs": 1.0, "hidden": 1.0, "expert_hidden": 1.0, "projected": 0.5, "gates": 0.5, "experts": 0.5},
        again={"matmuls": 0.5, "experts' matmuls": 0.5, "vectors": 1.0},
        ops=6.0,
    ),
}  # fmt: skip
assert tuple(MODULE_TABLE) == MODULES


def dropped_bytes(pieces: Pieces, g: Grid, *, has_experts: bool, is_expanded: bool) -> Array:
    """Return the bytes that the named modules do not keep; a piece of two modules goes once.

    ``has_experts`` says whether the layer's MLP is a mixture; ``is_expanded`` that queries, keys and values are MLA's expansions.
    """
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


def count_launches(g: Grid, kinds: Mapping[str, bool]) -> Array:
    """Return what the host launches for a layer's named modules: their checkpoints, and their ops once more.

    ``kinds`` says whether the layer is of each kind.
    """
    launches: Array = np.asarray(0.0)
    for module, parts in MODULE_TABLE.items():
        if not parts.of_kind or kinds[parts.of_kind]:
            launches = launches + (parts.calls * CHECKPOINT_LAUNCHES + parts.ops) * g.recomputes(module)
    return launches
