"""Time of one micro-batch through the layers of a stage: the pass forward and the pass backward."""

from __future__ import annotations

import numpy as np

from tianji.perf.context import Context, Terms, add_up
from tianji.perf.layer import LayerTime, layer_time
from tianji.perf.stages import Stage
from tianji.units import Array
from tianji.workload import Model
from tianji.workload.ops import dense_layer, embedding, head, moe_layer, mtp_layer

Pass = tuple[Terms, Terms, Array]
Counts = dict[str, Array]
"""How many layers of each kind a stage has; kinds of which it has none are left out."""


def estimate_layers(c: Context) -> dict[str, LayerTime]:
    """Return the time of one layer of each kind that the model has, with embedding, head and prediction module."""
    model = c.job.model
    found = {"dense": layer_time(dense_layer(model), c), "embedding": layer_time(embedding(model), c)}
    found["head"] = layer_time(head(model), c)
    if model.moe:
        found["moe"] = layer_time(moe_layer(model), c)
    if model.num_mtp_layers:
        found["mtp"] = layer_time(mtp_layer(model), c)
    return found


def stage_counts(s: Stage, num_mtp_layers: int) -> Counts:
    """Return what one stage holds."""
    counts = {"dense": s.dense, "moe": s.moe, "embedding": s.has_embedding, "head": s.has_head}
    counts["mtp"] = s.has_head * num_mtp_layers
    return {name: n for name, n in counts.items() if np.any(n)} or counts


def all_counts(model: Model) -> Counts:
    """Return what all stages hold together."""
    one = np.asarray(1.0)
    counts = {"dense": one * model.num_dense_layers, "moe": one * model.num_moe_layers, "embedding": one, "head": one}
    counts["mtp"] = one * model.num_mtp_layers
    return {name: n for name, n in counts.items() if np.any(n)}


def slowest_counts(counts: list[Counts], sums: list[Array], slowest: Array) -> Counts:
    """Return the layers of the slowest stage at each place of the grid."""
    picked = counts[-1]
    for some, value in zip(reversed(counts[:-1]), reversed(sums[:-1]), strict=True):
        here = value == slowest
        if np.all(here):
            picked = some
        elif np.any(here):
            picked = {name: np.where(here, some.get(name, 0.0), picked.get(name, 0.0)) for name in some | picked}
    return picked


def pass_seconds(counts: Counts, layers: dict[str, LayerTime]) -> tuple[Array, Array]:
    """Return the seconds of one micro-batch forward and backward through so many layers."""
    some = [(n, layers[name].seconds) for name, n in counts.items() if name in layers]
    return add_up(n * forth for n, (forth, _) in some), add_up(n * back for n, (_, back) in some)


def weight_seconds(counts: Counts, layers: dict[str, LayerTime]) -> Array:
    """Return the seconds of the weight gradients of one micro-batch through so many layers."""
    return add_up(n * layers[name].weight for name, n in counts.items() if name in layers)


def estimate_pass(counts: Counts, layers: dict[str, LayerTime]) -> Pass:
    """Return the same by kind, and the seconds of the weight gradients."""
    forward: Terms = {}
    backward: Terms = {}
    weight: Array = np.asarray(0.0)
    for name, layer in ((name, layers[name]) for name in counts if name in layers):
        for into, terms in ((forward, layer.forward), (backward, layer.backward)):
            for kind, value in terms.items():
                into[kind] = into[kind] + counts[name] * value if kind in into else counts[name] * value
        weight = weight + counts[name] * layer.weight
    return forward, backward, weight


def pick_slowest(passes: list[Pass], sums: list[Array], slowest: Array) -> Pass:
    """Return the terms of the slowest stage at each place of the grid."""
    forward, backward, weight = passes[-1]
    for (f, b, w), value in zip(reversed(passes[:-1]), reversed(sums[:-1]), strict=True):
        here = value == slowest
        forward = {k: np.where(here, f[k], forward[k]) for k in f}
        backward = {k: np.where(here, b[k], backward[k]) for k in b}
        weight = np.where(here, w, weight)
    return forward, backward, weight
