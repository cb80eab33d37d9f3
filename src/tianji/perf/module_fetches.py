"""Time of experts that a model's code runs one by one under ZeRO-3: each of their matrices is gathered by itself, on demand.

DeepSpeed's hooks fetch the weights of a module when it is called and let them go behind it. Experts in a loop are hundreds of
small modules for each layer, and routing spoils the order that prefetching learns: no gather hides behind another one's work.
Source of the host's times: DeepSpeed 0.19.8, measured; validity in docs/formulas.md, section "Step".
"""

from __future__ import annotations

import numpy as np

from tianji.parallel.mesh import expert_data_group
from tianji.perf.context import Context
from tianji.perf.rank_parameters import parameters_of_rank
from tianji.perf.stages import Stage
from tianji.units import Array
from tianji.workload.layers import model_layers

HOST_FORWARD, HOST_BACKWARD = 0.65e-3, 0.25e-3
"""Seconds of the host for one module: its hooks fetch and release the weights.

Measured: the processor time of the main thread of DeepSpeed 0.19.8 on PyTorch 2.13, two processes on CPUs, 192 linear modules
of 2,048 weights, prefetching and persistence off, less that of the same modules without DeepSpeed (0.70 and 0.74 ms, 0.06 and
0.05; backward 0.29 and 0.28, 0.05 and 0.04)."""


def count_expert_matrices(s: Stage, c: Context) -> Array:
    """Return how many matrices of single experts a stage has on one chip: two for each expert, three with a gate."""
    matrices = 3.0 if c.job.model.gated_mlp else 2.0
    count: Array = np.asarray(0.0)
    for kind, layer in model_layers(c.job.model).items():
        if kind in s.counts and layer.experts:
            count = count + s.counts[kind] * (layer.experts.num_experts * matrices / c.g.ep)
    return count


def fetch_time(s: Stage, c: Context) -> tuple[Array, Array]:
    """Return the seconds of a forward and of a backward pass that fetching the experts of a stage takes.

    Formula: forward max(gathers of all matrices one by one, matrices · 0.65 ms); backward max(the same gathers, matrices ·
    0.25 ms), and the forward once more where whole layers are recomputed. Holds for experts that all get tokens, and for a
    host that does nothing else meanwhile. Checked on one run: Qwen3-30B-A3B on 16 A800 took 91 s a step.
    """
    g, count = c.g, count_expert_matrices(s, c)
    size = parameters_of_rank(c.job, s, g).expert * c.job.precision.weight_wire
    gathers = c.network.all_gather(expert_data_group(g), size, count)
    forward = np.maximum(gathers, count * HOST_FORWARD)
    again = forward * g.recompute_layers * g.among("recompute", "full")
    return forward, np.maximum(gathers, count * HOST_BACKWARD) + again
