"""Time of one micro-batch through the layers of a stage: the pass forward and the pass backward.

The seconds of each layer are those of :func:`tianji.perf.layer.layer_time`; here they are counted and added up. A backward pass
has two matmuls for each of the forward pass (Narayanan et al. 2021).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tianji.parallel.grid import keep_places
from tianji.perf.bubble import PassTime
from tianji.perf.context import Context, Terms, add_up, largest
from tianji.perf.layer import LayerTime, layer_time
from tianji.perf.stages import Stage
from tianji.units import Array
from tianji.workload import Model
from tianji.workload.layers import block_name, model_layers

Counts = dict[str, Array]
"""How many layers of each kind a stage has; kinds of which it has none are left out."""
Layers = dict[str, LayerTime]
"""The time of one layer of each kind."""


def estimate_layers(c: Context) -> Layers:
    """Return the time of one layer of each kind that the model has, with embedding, head and prediction module."""
    return {name: layer_time(layer, c) for name, layer in model_layers(c.job.model).items()}


def keep_layers(layers: Layers, index: tuple[Array, ...]) -> Layers:
    """Return the times at some places of the last axes, as a grid keeps them, with the kinds that a sum of passes needs.

    ``index`` has the places along each of those axes, all of one length, as ``numpy.nonzero`` gives them.

    In a product of axes most ops vary with a few of them: layers are estimated there, and kept where they are wanted.
    """

    def at_places(terms: Terms) -> Terms:
        return {kind: keep_places(terms[kind], index) for kind in COMPUTATION if kind in terms}

    kept: Layers = {}
    for name, layer in layers.items():
        forward, backward = (keep_places(seconds, index) for seconds in layer.seconds)
        weight = keep_places(layer.weight, index)
        kept[name] = LayerTime(at_places(layer.forward), at_places(layer.backward), weight, (forward, backward))
    return kept


def stage_counts(s: Stage, num_mtp_layers: int) -> Counts:
    """Return what one stage holds; each of ``num_mtp_layers`` prediction modules asks for the head once more."""
    counts = {**s.counts, "embedding": s.has_embedding, "head": s.has_head * (1 + num_mtp_layers)}
    counts["mtp"] = s.modules
    return {name: n for name, n in counts.items() if np.any(n)} or counts


def all_counts(model: Model) -> Counts:
    """Return what all stages hold together."""
    one = np.asarray(1.0)
    if model.blocks:
        counts = {block_name(i): one * n for i, n in model.block_counts.items()}
    else:
        counts = {"dense": one * model.num_dense_layers, "moe": one * model.num_moe_layers}
    counts |= {"embedding": one, "head": one * (1 + model.num_mtp_layers), "mtp": one * model.num_mtp_layers}
    return {name: n for name, n in counts.items() if np.any(n)}


def sum_counts(counts: Sequence[Counts]) -> Counts:
    """Return what some stages hold together, ``counts`` by the kind of layer."""
    names = dict.fromkeys(name for stage in counts for name in stage)
    return {name: add_up(stage[name] for stage in counts if name in stage) for name in names}


def slowest_counts(counts: list[Counts], sums: list[Array], slowest: Array) -> Counts:
    """Return the layers of the slowest stage at each place of the grid.

    ``counts`` are the layers of each stage by kind, ``sums`` its seconds of a micro-batch, ``slowest`` the most of them at each
    place. Of stages that are equally slow the first counts.
    """
    picked = counts[-1]
    for stage, seconds in zip(reversed(counts[:-1]), reversed(sums[:-1]), strict=True):
        here = seconds == slowest
        if np.all(here):
            picked = stage
        elif np.any(here):
            picked = {name: np.where(here, stage.get(name, 0.0), picked.get(name, 0.0)) for name in stage | picked}
    return picked


def pass_seconds(counts: Counts, layers: Layers) -> tuple[Array, Array]:
    """Return the seconds of one micro-batch forward and backward through so many layers."""
    seconds = [(n, *layers[name].seconds) for name, n in counts.items() if name in layers]
    return add_up(n * forward for n, forward, _ in seconds), add_up(n * backward for n, _, backward in seconds)


def weight_seconds(counts: Counts, layers: Layers) -> Array:
    """Return the seconds of the weight gradients of one micro-batch through so many layers."""
    return add_up(n * layers[name].weight for name, n in counts.items() if name in layers)


@dataclass(frozen=True, slots=True)
class Pace:
    """The stage that sets the pace, at each place of a grid, and all others: seconds of one micro-batch."""

    terms: Terms
    """Of the slowest stage, by kind."""
    slowest: PassTime
    others: PassTime
    """All stages but the slowest together."""


def find_pace(
    stages: Sequence[Counts],
    everything: Counts,
    layers: Layers,
    software: Array | float,
    kinds: Sequence[str] | None = None,
) -> Pace:
    """Return the slowest of some stages.

    Args:
        stages: What each of them holds.
        everything: What all stages of the pipeline hold together.
        layers: Seconds of one layer of each kind.
        software: Scales all seconds.
        kinds: Of time that are wanted, all where it is None.
    """
    sums = [forward + backward for forward, backward in (pass_seconds(n, layers) for n in stages)]
    slowest = largest(sums)
    counts = slowest_counts(list(stages), sums, slowest)
    terms, weight = estimate_pass(counts, layers, kinds)
    backward = pass_seconds(counts, layers)[1]
    all_forward, all_backward = pass_seconds(everything, layers)
    rest = all_forward + all_backward - slowest, all_backward - backward, weight_seconds(everything, layers) - weight
    return Pace(
        {kind: value * software for kind, value in terms.items()},
        PassTime(slowest * software, backward * software, weight * software),
        PassTime(*(value * software for value in rest)),
    )


COMPUTATION = ("matmul", "attention", "vector", "recompute")
"""Kinds of time in which a chip works."""


def add_delay(pace: Pace, delay: Array) -> Array:
    """Return what the slowest stage takes, with ``delay`` for each second in which it works."""
    seconds: Array = pace.slowest.both + delay * computation(pace.terms)
    return seconds


def computation(terms: Terms) -> Array:
    """Return the seconds of ``terms`` in which a chip works."""
    return add_up(terms[kind] for kind in COMPUTATION)


def estimate_pass(counts: Counts, layers: Layers, kinds: Sequence[str] | None = None) -> tuple[Terms, Array]:
    """Return the seconds of one micro-batch forward and backward by kind, and those of the weight gradients within them.

    ``kinds`` are the terms that are asked for; None: all of them.
    """
    terms: Terms = {}
    weight: Array = np.asarray(0.0)
    for name, layer in ((name, layers[name]) for name in counts if name in layers):
        for kind, backward in layer.backward.items():
            if kinds is not None and kind not in kinds:
                continue
            both = counts[name] * (layer.forward[kind] + backward if kind in layer.forward else backward)
            terms[kind] = terms[kind] + both if kind in terms else both
        weight = weight + counts[name] * layer.weight
    return terms, weight
