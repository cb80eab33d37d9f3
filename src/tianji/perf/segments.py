"""Time of one segment of a pipeline: consecutive stages on chips of one kind, under one software.

A pool's pipeline is one segment; a mixture's has one for each kind of chips, with layers dealt out unevenly. All segments share
the degrees. How segments make a step is in :mod:`tianji.perf.step`. Sources: Rajbhandari et al. 2020 (what is sharded);
Graham 1966 (chips that share processors).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tianji.hardware import Pool, Tier
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.mesh import expert_data_group, pipeline_group, shard_group
from tianji.perf.activations import kept_bytes
from tianji.perf.communication import Links
from tianji.perf.compute import ChipRates
from tianji.perf.context import Context, largest
from tianji.perf.data_parallel import data_parallel_time
from tianji.perf.offload import exposed_copies, offloaded_share, update_seconds
from tianji.perf.passes import (
    Counts,
    Layers,
    Pace,
    all_counts,
    estimate_layers,
    find_pace,
    pass_seconds,
    stage_counts,
    sum_counts,
)
from tianji.perf.pipeline_stages import Variants, find_variants, first_stage, representative_stages
from tianji.perf.rank_parameters import parameters_of_rank, trained_of_rank
from tianji.perf.stages import Stage
from tianji.units import Array
from tianji.workload import Job


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive stages of a pipeline on chips of one kind."""

    pool: Pool
    constants: Constants
    stages: tuple[Stage, ...]
    """Among these are the slowest and the fullest stage; the first one is the segment's first."""
    variants: Variants
    """The same, apart for the schedules of a grid that divide the layers in ways of their own."""
    first: Stage
    """The stage whose data-parallel exchange counts."""
    layers: Counts
    """Layers by kind, those of all stages together."""
    num_stages: Array

    @classmethod
    def of(cls, job: Job, pool: Pool, constants: Constants, stages: Sequence[Stage]) -> Segment:
        """Return the segment of exactly the given stages."""
        counts = [stage_counts(s, job.model.num_mtp_layers) for s in stages]
        own = tuple(stages)
        return cls(pool, constants, own, Variants((own,), ()), own[0], sum_counts(counts), np.asarray(len(stages)))

    @classmethod
    def whole(cls, job: Job, pool: Pool, constants: Constants, g: Grid) -> Segment:
        """Return a pool's whole pipeline, for every number of stages in a grid."""
        model = job.model
        stages = tuple(representative_stages(model, g))
        variants = find_variants(model, g, stages)
        return cls(pool, constants, stages, variants, first_stage(model, g), all_counts(model), g.pp)

    def context(self, job: Job, g: Grid) -> Context:
        """Return what the formulas of a layer need."""
        return pool_context(job, self.pool, self.constants, g)


def pool_context(job: Job, pool: Pool, constants: Constants, g: Grid) -> Context:
    """Return what the formulas of a layer need on the chips of a pool."""
    rates = ChipRates.of(pool.chip, job.precision, constants)
    return Context(job, rates, Links.of(pool, constants), constants, g)


@dataclass(frozen=True, slots=True)
class SegmentTime:
    """Seconds of a segment under its software (``constants.software``); where nothing else is said, of one micro-batch."""

    paces: tuple[Pace, ...]
    """Of each variant of what ranks hold."""
    variants: Variants
    send: Array
    """One hand-over of activations to the next stage, one way."""
    exposed_send: Array
    """What the slowest stage waits for its two hand-overs."""
    sharded: Array
    """Exposed data-parallel time of every micro-batch."""
    exchange: Array
    """Exposed data-parallel time of a step, beside that of every micro-batch."""
    optimizer: Array
    """Of a step."""
    gradients: Array
    """Of a step: what puts those of its micro-batches together."""
    fixed: Array
    """``step_overhead``, of a step."""
    offload: Array | None = None
    """What a micro-batch waits for activations that go to the host and come back; None where none does."""


def segment_time(
    job: Job, segment: Segment, g: Grid, kinds: Sequence[str] | None = None, layers: Layers | None = None
) -> SegmentTime:
    """Return the seconds of a segment, of the slowest stage by some ``kinds`` or all of them.

    ``layers`` are those of the segment's chips and of the grid, where they are known.
    The formulas of layers, collectives and the optimizer know nothing of ``software``: it scales all their seconds here.
    """
    c = segment.context(job, g)
    layers = layers or estimate_layers(c)
    modules, software, variants = job.model.num_mtp_layers, segment.constants.software, segment.variants
    paces = tuple(
        find_pace([stage_counts(s, modules) for s in stages], segment.layers, layers, software, kinds)
        for stages in variants.stages
    )
    first_pass = pass_seconds(stage_counts(segment.first, modules), layers)
    gather_forward, gather_backward, exchange = data_parallel_time(segment.first, first_pass, c)
    send = send_time(c, segment.num_stages) * software
    hides = g.overlap_pp & g.by_schedule(lambda s: s.hides_sends)

    ways = 1.0 if job.task.is_forward_only else 2.0

    def expose(pace: Pace, sends: Array, on: Array) -> Array:
        return c.hide(sends, pace.slowest.both, on) if np.any(on) else sends

    return SegmentTime(
        paces=paces,
        variants=variants,
        send=send,
        exposed_send=variants.spread(expose, paces, ways * g.vpp * send, hides),
        sharded=(gather_forward + gather_backward) * software,
        exchange=exchange * software,
        optimizer=optimizer_time(c, segment) * software,
        gradients=gradient_time(c, segment) * software,
        fixed=np.asarray(segment.constants.step_overhead * software),
        offload=offload_time(job, segment, g, paces),
    )


def sent_bytes(job: Job, g: Grid) -> Array:
    """Return the bytes that one chip sends to pass one micro-batch's activations to the next stage.

    Tensor ranks hold the same tokens, or a part each: every one sends its part (Narayanan et al. 2021, scatter and gather).
    """
    return g.micro_batch_size * (job.seq_len / g.cp) / g.tp * (job.model.stream_size * job.precision.activation_size)


def send_time(c: Context, num_stages: Array) -> Array:
    """Return the seconds of passing one micro-batch's activations to the next stage, inside a segment of ``num_stages``."""
    return c.network.send(pipeline_group(c.g), sent_bytes(c.job, c.g)) * (num_stages > 1)


def joint_send_time(job: Job, segments: Sequence[Segment], joint: Tier, g: Grid) -> Array:
    """Return the seconds of passing one micro-batch's activations from a segment to the next, over the joint tier.

    ``segments`` are the two ends. Both take part, so the lower efficiency, the longer latency and the slower software count.
    """
    constants = [s.constants for s in segments]
    rate = joint.rate("joint") * min(c.scale_out_efficiency for c in constants)
    latency = max([c.scale_out_latency for c in constants] + [joint.delay() or 0.0])
    return (sent_bytes(job, g) / rate + latency) * max(c.software for c in constants)


def optimizer_time(c: Context, segment: Segment) -> Array:
    """Read and write the state, read the gradients, write the weights; what is offloaded as :mod:`tianji.perf.offload` has it.

    Raises UnknownFigureError where the optimizer is offloaded and a figure of the host is not published.
    """
    g, p, chip = c.g, c.job.precision, segment.pool.chip
    if c.job.task.is_forward_only:
        return np.asarray(0.0)
    shard = np.where(g.zero >= 1, shard_group(g).size, 1)
    expert_shard = np.where(g.zero >= 1, expert_data_group(g).size, 1)
    trained = [trained_of_rank(c.job, s, g) for s in segment.stages]
    parameters = largest([own.dense / shard + own.expert / expert_shard for own in trained])
    rate = c.rates.memory * c.constants.optimizer_efficiency
    time = parameters * ((2.0 * p.optimizer_size + p.gradient_size + p.weight_size) / rate)
    return update_seconds(chip, p, g, parameters, time) if np.any(offloaded_share(g)) else time


def gradient_time(c: Context, segment: Segment) -> Array:
    """Return the seconds of a step in which each micro-batch's gradients are put together: passes over them in memory.

    ZeRO 2 and 3 hand over every micro-batch's, the others add all but the first to it. Source: PyTorch's FSDP and autograd.
    """
    g, passes = c.g, c.constants.gradient_passes
    if c.job.task.is_forward_only or not np.any(passes):
        return np.asarray(0.0)
    trained = [trained_of_rank(c.job, s, g) for s in segment.stages]
    count = np.maximum(c.job.global_batch_size // (g.dp * g.micro_batch_size), 1) - (g.zero < 2)
    size = largest([own.dense + own.expert for own in trained]) * c.job.precision.gradient_wire
    seconds: Array = count * size * (passes / c.rates.memory)
    return seconds


def offload_time(job: Job, segment: Segment, g: Grid, paces: Sequence[Pace]) -> Array | None:
    """Return the seconds that a micro-batch waits for offloaded activations, and for weights on the host under ZeRO-3.

    ``paces`` are the passes beside which the copies run, of each variant; None where nothing of it is offloaded.
    """
    if not (np.any(g.offload_activations) or np.any(g.offload_weights)):
        return None
    chip, p = segment.pool.chip, job.precision
    size = largest([kept_bytes(job, s, g) for s in segment.stages]) * g.offload_activations
    own = [parameters_of_rank(job, s, g) for s in segment.stages]
    shards = [o.dense / shard_group(g).size + o.expert / expert_data_group(g).size for o in own]
    # Weights come in for both passes, gradients of what is trained leave beside the second one.
    moved = job.task.frozen_size or p.weight_wire
    moved = moved if job.task.is_frozen else max(p.weight_wire, p.gradient_wire)
    size = size + largest(shards) * g.offload_weights * moved

    def expose(pace: Pace, size: Array) -> Array:
        slowest = pace.slowest
        return exposed_copies(chip, size, (slowest.both - slowest.backward, slowest.backward))

    return segment.variants.spread(expose, paces, size * segment.constants.software)
