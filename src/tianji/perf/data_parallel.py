"""Time of the data-parallel exchange: gradients reduced, weights gathered, by ZeRO level (Rajbhandari et al. 2020)."""

from __future__ import annotations

import numpy as np

from tianji.parallel.mesh import expert_data_group, replica_group, shard_group
from tianji.perf.context import Context
from tianji.perf.module_fetches import fetch_time
from tianji.perf.rank_parameters import parameters_of_rank, trained_of_rank
from tianji.perf.stages import Stage
from tianji.units import Array

BUCKET = 40_000_000.0
BUCKET_SHARE = BUCKET / 40
"""Parameters of one bucket of a reduction or gather: at least so many, and so many for each member (Megatron-LM's rule)."""
JOINING_PASSES = 4.0
"""Reads and writes of gradients that are copied to a bucket for their all_reduce, and back (InternEvo, Colossal-AI)."""


def data_parallel_time(s: Stage, work: tuple[Array, Array], c: Context) -> tuple[Array, Array, Array]:
    """Return exposed data-parallel time: of each forward, of each backward pass, and once a step.

    Args:
        s: The first stage.
        work: Seconds of one forward and of one backward pass on it.
        c: The job, the links and the grid of strategies.

    Source: Rajbhandari et al. 2020 (ZeRO). The first stage decides: it finishes last, with its whole reduction still to do, and
    starts first. Reductions hide behind one micro-batch's backward pass, gathers behind its forward pass; that of updated weights
    does so only where the framework delays it until the weights are used (``weight_gather``).
    """
    g, p = c.g, c.job.precision
    work_forward, work_backward = work
    trained = trained_of_rank(c.job, s, g)
    # Experts that are fetched one by one have a time of their own.
    by_module = g.among("zero_kind", "modules") & (g.zero == 3)
    groups = ((trained.dense, shard_group(g)), (trained.expert * ~by_module, expert_data_group(g)))
    # One broadcast from each rank moves what a gather moves, and pays the latency once for each.
    one_by_one = g.among("weight_gather", "broadcasts") & (g.zero < 3)
    delayed = g.among("weight_gather", "hidden") | (g.zero == 3)
    gather: Array = np.asarray(0.0)
    reduce: Array = np.asarray(0.0)
    for parameters, group in groups:
        # Fully sharded training gathers and reduces layer by layer, the others mostly in buckets.
        buckets = parameters / np.maximum(BUCKET, BUCKET_SHARE * group.size)
        is_any = parameters > 0.0
        wrapped = np.maximum(buckets, c.constants.layerwise * s.layers)
        pieces = np.maximum(np.where(g.zero == 3, s.layers, wrapped), 1.0) * is_any
        turns = np.where(one_by_one, group.size * is_any, pieces)
        gather = gather + c.network.all_gather(group, parameters * p.weight_wire, turns)
        reduce = reduce + c.network.reduce_scatter(group, parameters * p.gradient_wire, pieces)
    gather_all = _gather_frozen(s, c) + gather if c.job.task.is_frozen else gather
    across = c.network.all_reduce(replica_group(g), groups[0][0] * p.gradient_wire / shard_group(g).size)
    gather_back = gather * (p.gradient_wire / p.weight_wire)
    summed = c.network.reduce_factor * (reduce / c.network.scatter_factor + gather_back)
    # What each level sends is chosen before it is hidden: beside a pass it varies with every axis of a search.
    level = [g.zero == 0, g.zero == 1, g.zero == 2, g.zero == 3]
    every_backward = c.hide(np.select(level[2:], [reduce + across, gather_all + reduce]), work_backward, g.overlap_dp)
    # Who hands shares out by broadcasts sums whole gradients on every rank before.
    shared = np.where(one_by_one, 2.0 * c.network.reduce_factor / c.network.scatter_factor, 1.0) * reduce
    reduced = np.select(level, [summed + across, shared + across, 0.0, across])
    joined = (
        one_by_one * level[1] * (trained.dense + trained.expert) * (JOINING_PASSES * p.gradient_wire / c.rates.memory)
    )
    once = c.hide(reduced, work_backward, g.overlap_dp)
    gathered = c.hide(np.where(level[3], gather_all, gather), work_forward, g.overlap_dp & delayed)
    every_forward = np.where(level[3], gathered, 0.0)
    if np.any(by_module):
        forward, backward = fetch_time(s, c)
        every_forward = every_forward + forward * by_module
        every_backward = every_backward + backward * by_module
    return every_forward, every_backward, once + joined + np.where(level[1] | level[2], gathered, 0.0)


def _gather_frozen(s: Stage, c: Context) -> Array:
    """Return the seconds in which all ranks of a sharding group gather the frozen weights of a stage, layer by layer."""
    own, g = parameters_of_rank(c.job, s, c.g), c.g
    size = c.job.task.frozen_size or c.job.precision.weight_wire
    seconds: Array = np.asarray(0.0)
    expert = own.expert * ~g.among("zero_kind", "modules")
    for parameters, group in ((own.dense, shard_group(g)), (expert, expert_data_group(g))):
        pieces = np.maximum(s.layers, 1.0) * (parameters > 0.0)
        seconds = seconds + c.network.all_gather(group, parameters * size, pieces)
    return seconds
