"""Time of one segment of a pipeline: consecutive stages on chips of one kind, under one software.

A pool's pipeline is one segment; a mixture's has one for each kind of chips, with layers dealt out unevenly. All segments share
the degrees. How segments make a step is in :mod:`tianji.perf.step`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tianji.hardware import Pool, Tier
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.parallel.mesh import expert_data_group, pipeline_group, shard_group
from tianji.perf.communication import Links
from tianji.perf.compute import ChipRates
from tianji.perf.context import Context, Terms, largest
from tianji.perf.data_parallel import data_parallel_time
from tianji.perf.memory import dense_parameters, expert_parameters, kept_bytes
from tianji.perf.offload import exposed_copies, offloaded_share, update_seconds
from tianji.perf.passes import (
    Counts,
    all_counts,
    estimate_layers,
    estimate_pass,
    pass_seconds,
    slowest_counts,
    stage_counts,
    sum_counts,
    weight_seconds,
)
from tianji.perf.stages import PassTime, Stage, representative_stages
from tianji.units import Array
from tianji.workload import Job


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive stages of a pipeline on chips of one kind."""

    pool: Pool
    constants: Constants
    stages: tuple[Stage, ...]
    """Among these are the slowest and the fullest stage; the first one is the segment's first."""
    layers: Counts
    """Layers by kind, those of all stages together."""
    num_stages: Array

    @classmethod
    def of(cls, job: Job, pool: Pool, constants: Constants, stages: Sequence[Stage]) -> Segment:
        """Return the segment of exactly the given stages."""
        counts = [stage_counts(s, job.model.num_mtp_layers) for s in stages]
        return cls(pool, constants, tuple(stages), sum_counts(counts), np.asarray(len(stages)))

    @classmethod
    def whole(cls, job: Job, pool: Pool, constants: Constants, g: Grid) -> Segment:
        """Return a pool's whole pipeline, for every number of stages in a grid."""
        stages = tuple(representative_stages(job.model, g.pp))
        return cls(pool, constants, stages, all_counts(job.model), g.pp)

    def context(self, job: Job, g: Grid) -> Context:
        """Return what the formulas of a layer need."""
        rates = ChipRates.of(self.pool.chip, job.precision, self.constants)
        return Context(job, rates, Links.of(self.pool, self.constants), self.constants, g)


@dataclass(frozen=True, slots=True)
class SegmentTime:
    """Seconds of a segment under its software (``constants.software``); where nothing else is said, of one micro-batch."""

    terms: Terms
    """The slowest stage's passes by kind."""
    slowest: PassTime
    others: PassTime
    """All stages but the slowest together."""
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
    fixed: Array
    """``step_overhead``, of a step."""
    offload: Array | None = None
    """What a micro-batch waits for activations that go to the host and come back; None where none does."""


def segment_time(job: Job, segment: Segment, g: Grid) -> SegmentTime:
    """Return the seconds of a segment.

    The formulas of layers, collectives and the optimizer know nothing of ``software``: it scales all their seconds here.
    """
    c = segment.context(job, g)
    layers = estimate_layers(c)
    counts = [stage_counts(s, job.model.num_mtp_layers) for s in segment.stages]
    seconds = [pass_seconds(n, layers) for n in counts]
    sums = [forward + backward for forward, backward in seconds]
    slowest = largest(sums)
    slowest_layers = slowest_counts(counts, sums, slowest)
    terms, weight = estimate_pass(slowest_layers, layers)
    forward, backward = pass_seconds(slowest_layers, layers)
    all_forward, all_backward = pass_seconds(segment.layers, layers)
    other_backward = all_backward - backward
    others = (all_forward - forward) + other_backward, other_backward, weight_seconds(segment.layers, layers) - weight
    gather_forward, gather_backward, exchange = data_parallel_time(segment.stages[0], seconds[0], c)
    send = send_time(c, segment.num_stages)
    software = segment.constants.software
    return SegmentTime(
        terms={kind: value * software for kind, value in terms.items()},
        slowest=PassTime(*(value * software for value in (slowest, backward, weight))),
        others=PassTime(*(value * software for value in others)),
        send=send * software,
        exposed_send=c.hide(2.0 * g.vpp * send, slowest, g.overlap_pp & g.by_schedule(lambda s: s.hides_sends))
        * software,
        sharded=(gather_forward + gather_backward) * software,
        exchange=exchange * software,
        optimizer=optimizer_time(c, segment) * software,
        fixed=np.asarray(segment.constants.step_overhead * software),
        offload=offload_time(job, segment, g, (slowest - backward, backward)),
    )


def sent_bytes(job: Job, g: Grid) -> Array:
    """Return the bytes that one chip sends to pass one micro-batch's activations to the next stage.

    Tensor ranks hold the same tokens, or a part each: every one sends its part (Narayanan et al. 2021, scatter and gather).
    """
    return g.micro_batch_size * (job.seq_len / g.cp) / g.tp * (job.model.stream_size * job.precision.activation_size)


def send_time(c: Context, num_stages: Array) -> Array:
    """Return the seconds of passing one micro-batch's activations to the next stage, inside a segment of so many stages."""
    return c.network.send(pipeline_group(c.g), sent_bytes(c.job, c.g)) * (num_stages > 1)


def joint_send_time(job: Job, segments: Sequence[Segment], joint: Tier, g: Grid) -> Array:
    """Return the seconds of passing one micro-batch's activations from a segment to the next, over the joint tier.

    Both ends take part, so the lower efficiency, the longer latency and the slower software count.
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
    shard = np.where(g.zero >= 1, shard_group(g).size, 1)
    expert_shard = np.where(g.zero >= 1, expert_data_group(g).size, 1)
    parameters = largest(
        [
            dense_parameters(c.job.model, s, g) / shard + expert_parameters(c.job.model, s, g) / expert_shard
            for s in segment.stages
        ]
    )
    rate = c.machine.memory * c.constants.optimizer_efficiency
    time = parameters * ((2.0 * p.optimizer_size + p.gradient_size + p.weight_size) / rate)
    return update_seconds(chip, p, g, parameters, time) if np.any(offloaded_share(g)) else time


def offload_time(job: Job, segment: Segment, g: Grid, passes: tuple[Array, Array]) -> Array | None:
    """Return what a micro-batch waits for offloaded activations, and for weights that live on the host under ZeRO-3."""
    if not (np.any(g.offload_activations) or np.any(g.offload_weights)):
        return None
    chip, p = segment.pool.chip, job.precision
    size = largest([kept_bytes(job, s, g) for s in segment.stages]) * g.offload_activations
    shards = [
        dense_parameters(job.model, s, g) / shard_group(g).size
        + expert_parameters(job.model, s, g) / expert_data_group(g).size
        for s in segment.stages
    ]
    # Weights come in for both passes, gradients leave beside the second one.
    size = size + largest(shards) * g.offload_weights * max(p.weight_wire, p.gradient_wire)
    return exposed_copies(chip, size, passes)
