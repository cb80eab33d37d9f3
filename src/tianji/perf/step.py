"""Time and memory of a training step: where ops, collectives and the pipeline meet.

    step = m · slowest stage + bubble + data-parallel communication + optimizer + waiting + fixed overhead

Every part is a term; the step time is their sum, so that a breakdown accounts for all of it. Terms keep the small shapes that
they depend on and broadcast together only at the end: the same code prices one strategy and a million.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tianji.errors import UnknownFigureError
from tianji.hardware import Pool
from tianji.hardware.calibration import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.mesh import expert_data_group, pipeline_group, replica_group, shard_group
from tianji.perf.communication import Links
from tianji.perf.compute import ChipRates
from tianji.perf.context import Context, Terms, total
from tianji.perf.memory import activation_bytes, dense_parameters, expert_parameters, fixed_bytes, state_bytes
from tianji.perf.passes import (
    all_counts,
    estimate_layers,
    estimate_pass,
    pass_seconds,
    slowest_counts,
    stage_counts,
    weight_seconds,
)
from tianji.perf.stages import Bubble, Stage, representative_stages, stage
from tianji.units import Array
from tianji.workload import Job

KINDS = (
    "matmul", "attention", "vector", "recompute", "tp_comm", "cp_comm", "ep_comm", "waiting", "overhead", "optimizer",
    "dp_comm", "pp_comm", "bubble",
)  # fmt: skip
"""Exclusive kinds of time on the critical path. Those that vary with most axes come last: sums stay small for long."""


BUCKET = 40_000_000.0
BUCKET_SHARE = BUCKET / 40
"""Parameters of one bucket of a reduction or gather: at least so many, and so many for each member (Megatron-LM's rule)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a grid of strategies costs. Arrays broadcast to the grid's shape."""

    parts: Terms
    """Seconds of a step by kind, the bubble left out."""
    bubble: Bubble
    memory: list[dict[str, Array]]
    """Bytes by part for each stage that was looked at."""

    @property
    def terms(self) -> Terms:
        """Seconds of a step by kind; their sum is the step time."""
        return self.parts | {"bubble": self.bubble.seconds}

    @property
    def step_time(self) -> Array:
        """Seconds of one optimizer step."""
        return total(self.terms)

    @property
    def memory_total(self) -> Array:
        """Bytes on the fullest chip."""
        found: Array = np.asarray(0.0)
        for parts in self.memory:
            found = np.maximum(found, total(parts))
        return found


def estimate(job: Job, pool: Pool, constants: Constants, g: Grid) -> Estimate:
    """Return time and memory of every strategy of a grid, legal or not.

    Raises UnknownFigureError when the chip or a tier lacks a figure that the job needs.
    """
    stages = representative_stages(job.model, g.pp)
    parts, bubble = _times(_context(job, pool, constants, g), pool, stages)
    paired = representative_stages(job.model, g.pp, paired=bool(np.any(g.among("schedule", "dualpipe"))))
    return Estimate(parts, bubble, estimate_memory(job, constants, g, paired))


def estimate_time(job: Job, pool: Pool, constants: Constants, g: Grid, stages: list[Stage]) -> Terms:
    """Return seconds of a step by kind; constants may be arrays too, on axes before the grid's."""
    return Estimate(*_times(_context(job, pool, constants, g), pool, stages), []).terms


def _context(job: Job, pool: Pool, constants: Constants, g: Grid) -> Context:
    return Context(job, ChipRates.of(pool.chip, job.precision, constants), Links.of(pool, constants), constants, g)


def estimate_memory(job: Job, constants: Constants, g: Grid, stages: list[Stage]) -> list[dict[str, Array]]:
    """Return bytes by part for each of the given stages."""
    m = microbatches(job, g)
    fixed = fixed_bytes(constants, g)
    return [state_bytes(job, s, g) | fixed | activation_bytes(job, s, g, m, constants) for s in stages]


def every_stage(job: Job, pp: int) -> list[Stage]:
    """Return all stages of one pipeline, for the table of a single plan."""
    return [stage(job.model, np.asarray([pp]), np.asarray([i])) for i in range(pp)]


def microbatches(job: Job, g: Grid) -> Array:
    """Return the micro-batches of one step on one replica (gradient accumulation)."""
    found: Array = np.maximum(job.global_batch_size // (g.dp * g.micro_batch_size), 1)
    return found


def _times(c: Context, pool: Pool, stages: list[Stage]) -> tuple[Terms, Bubble]:
    job, g, constants = c.job, c.g, c.constants
    m = microbatches(job, g)
    layers = estimate_layers(c)
    counts = [stage_counts(s, job.model.num_mtp_layers) for s in stages]
    seconds = [pass_seconds(some, layers) for some in counts]
    sums = [forth + back for forth, back in seconds]
    slowest = sums[0]
    for other in sums[1:]:
        slowest = np.maximum(slowest, other)
    picked = slowest_counts(counts, sums, slowest)
    whole = all_counts(job.model)
    gather_forward, gather_backward, per_step = data_parallel_time(stages[0], seconds[0], c)
    sharded = gather_forward + gather_backward
    send = send_time(c)
    forward, backward, weight = estimate_pass(picked, layers)
    hidden = c.hide(2.0 * g.vpp * send, slowest, g.overlap_pp & g.among("schedule", "interleaved"))
    terms = {kind: m * (forward[kind] + backward[kind]) for kind in forward}
    terms["recompute"] = m * backward["recompute"]
    terms["pp_comm"] = m * hidden
    terms["dp_comm"] = m * sharded + per_step
    there, back = (a - b for a, b in zip(pass_seconds(whole, layers), pass_seconds(picked, layers), strict=True))
    others = (there + back, back, weight_seconds(whole, layers) - weight)
    passing = (send * (2.0 * (g.pp - 1)), sharded * (g.pp - 1))
    terms["optimizer"] = optimizer_time(c, pool, stages)
    busy = terms["matmul"] + terms["attention"] + terms["vector"] + terms["recompute"]
    terms["waiting"] = busy * (constants.straggle * np.log(g.chips))
    terms["overhead"] = terms["overhead"] + constants.step_overhead
    software = constants.software
    bubble = Bubble.between(g, *others, *passing, m * slowest, constants.sharing, software)
    return {kind: terms[kind] * software for kind in KINDS if kind != "bubble"}, bubble


def send_time(c: Context) -> Array:
    """Return the time to pass one micro-batch's activations to the next stage.

    Tensor ranks hold the same tokens, or a part each: every one sends its part (Narayanan et al. 2021, scatter and gather).
    """
    size = c.tokens / c.g.tp * (c.job.model.hidden_size * c.job.precision.activation_size)
    return c.network.send(pipeline_group(c.g), size) * (c.g.pp > 1)


def data_parallel_time(s: Stage, work: tuple[Array, Array], c: Context) -> tuple[Array, Array, Array]:
    """Return exposed data-parallel time: of each forward, of each backward pass, and once a step.

    ``work`` is the time of one forward and one backward pass on stage ``s``, the first one.

    The first stage decides: it finishes last, with its whole reduction still to do, and starts first. Reductions hide
    behind one micro-batch's backward pass, gathers behind its forward pass; that of updated weights does so only where the
    framework delays it until the weights are used (``weight_gather``).
    """
    g, p = c.g, c.job.precision
    work_forward, work_backward = work
    groups = (
        (dense_parameters(c.job.model, s, g), shard_group(g)),
        (expert_parameters(c.job.model, s, g), expert_data_group(g)),
    )
    # One broadcast from each rank moves what a gather moves, and pays the latency once for each.
    one_by_one = g.among("weight_gather", "broadcasts") & (g.zero < 3)
    delayed = g.among("weight_gather", "hidden") | (g.zero == 3)
    gather: Array = np.asarray(0.0)
    reduce: Array = np.asarray(0.0)
    for parameters, group in groups:
        # Fully sharded training gathers and reduces layer by layer, the others mostly in buckets.
        buckets = parameters / np.maximum(BUCKET, BUCKET_SHARE * group.size)
        some = parameters > 0.0
        wrapped = np.maximum(buckets, c.constants.layerwise * s.layers)
        pieces = np.maximum(np.where(g.zero == 3, s.layers, wrapped), 1.0) * some
        turns = np.where(one_by_one, group.size * some, pieces)
        gather = gather + c.network.all_gather(group, parameters * p.weight_wire, turns)
        reduce = reduce + c.network.reduce_scatter(group, parameters * p.gradient_wire, pieces)
    across = c.network.all_reduce(replica_group(g), groups[0][0] * p.gradient_wire / shard_group(g).size)
    gather_back = gather * (p.gradient_wire / p.weight_wire)
    summed = c.network.reduce_factor * (reduce / c.network.scatter_factor + gather_back)
    # What each level sends is chosen before it is hidden: beside a pass it varies with every axis of a search.
    level = [g.zero == 0, g.zero == 1, g.zero == 2, g.zero == 3]
    every_backward = c.hide(np.select(level[2:], [reduce + across, gather + reduce]), work_backward, g.overlap_dp)
    reduced = np.select(level, [summed + across, reduce + across, 0.0, across])
    once = c.hide(reduced, work_backward, g.overlap_dp)
    gathered = c.hide(gather, work_forward, g.overlap_dp & delayed)
    every_forward = np.where(level[3], gathered, 0.0)
    return every_forward, every_backward, once + np.where(level[1] | level[2], gathered, 0.0)


def optimizer_time(c: Context, pool: Pool, stages: list[Stage]) -> Array:
    """Read and write the state, read the gradients, write the weights; over the host link when it is offloaded."""
    g, p = c.g, c.job.precision
    shard = np.where(g.zero >= 1, shard_group(g).size, 1)
    expert_shard = np.where(g.zero >= 1, expert_data_group(g).size, 1)
    most: Array = np.asarray(0.0)
    for s in stages:
        mine = dense_parameters(c.job.model, s, g) / shard + expert_parameters(c.job.model, s, g) / expert_shard
        most = np.maximum(most, mine)
    rate = c.machine.memory * c.constants.optimizer_efficiency
    time = most * ((2.0 * p.optimizer_size + p.gradient_size + p.weight_size) / rate)
    if np.any(g.offload_optimizer):
        if pool.chip.host_bandwidth is None:
            raise UnknownFigureError(pool.chip.name, "host bandwidth", "the optimizer is offloaded")
        moved = most * ((p.gradient_size + p.weight_size) / pool.chip.host_bandwidth.value)
        time = np.where(g.offload_optimizer, moved + time, time)
    return time
