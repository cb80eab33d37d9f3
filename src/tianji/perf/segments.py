"""Time and memory of one pipeline whose stages run on unlike chips, with layers dealt out unevenly.

Each leg is a run of consecutive stages on chips of one kind; all legs share the other degrees. As in a pipeline of equals the
slowest stage sets the pace and the others make the bubble; between two legs activations cross the joint tier, once each way
for every micro-batch, and nothing hides that: these schedules send and receive between two passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tianji.hardware import Pool, Tier
from tianji.hardware.calibration import Constants
from tianji.parallel.grid import Grid
from tianji.perf.communication import Links
from tianji.perf.compute import ChipRates
from tianji.perf.context import Context, Terms, total
from tianji.perf.passes import Pass, estimate_layers, estimate_pass, pick_slowest, stage_counts
from tianji.perf.stages import Bubble, Stage
from tianji.perf.step import (
    KINDS,
    data_parallel_time,
    estimate_memory,
    microbatches,
    optimizer_time,
    send_time,
)
from tianji.units import Array
from tianji.workload import Job


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive stages of a pipeline on chips of one kind."""

    pool: Pool
    constants: Constants
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class SegmentsEstimate:
    """Seconds of a step by kind, and for each leg the bytes on its fullest chip."""

    terms: Terms
    memory: tuple[Array, ...]

    @property
    def step_time(self) -> Array:
        """Seconds of one optimizer step."""
        return total(self.terms)


def estimate_segments(job: Job, legs: Sequence[Segment], joint: Tier, g: Grid) -> SegmentsEstimate:
    """Return time and memory of a grid of strategies whose ``pp`` is the number of all legs' stages.

    Holds for 1F1B, GPipe and zero-bubble; interleaved chunks and DualPipe would cross the joint tier many times.
    """
    contexts = [_context(job, leg, g) for leg in legs]
    passes = [_passes(c, leg) for c, leg in zip(contexts, legs, strict=True)]
    every = [p for leg in passes for p in leg]
    sums = [total(forward) + total(backward) for forward, backward, _ in every]
    slowest = sums[0]
    for other in sums[1:]:
        slowest = np.maximum(slowest, other)
    forward, backward, weight = pick_slowest(every, sums, slowest)
    exchanged = [
        data_parallel_time(leg.stages[0], (total(p[0][0]), total(p[0][1])), c)
        for leg, p, c in zip(legs, passes, contexts, strict=True)
    ]
    sharded, once = _slowest([a + b for a, b, _ in exchanged]), _slowest([each for _, _, each in exchanged])
    sends, between = [send_time(c) for c in contexts], _joint_send(job, legs, joint, g)
    passing = 2.0 * (len(legs) - 1) * between
    for leg, send in zip(legs, sends, strict=True):
        passing = passing + 2.0 * (len(leg.stages) - 1) * send
    m = microbatches(job, g)
    back = sum(total(b) for _, b, _ in every) - total(backward)
    others = (sum(sums) - slowest, back, sum(w for _, _, w in every) - weight)
    terms = {kind: m * (forward[kind] + backward[kind]) for kind in forward}
    terms["recompute"] = m * backward["recompute"]
    terms["pp_comm"] = m * 2.0 * _slowest([between, *sends])
    terms["dp_comm"] = m * sharded + once
    # Only what every leg's chips lend each other may shorten the wait: they share processors within a leg at most.
    sharing = min(leg.constants.sharing for leg in legs)
    terms["bubble"] = Bubble.between(g, *others, passing, sharded * (g.pp - 1), m * slowest, sharing).seconds
    terms["optimizer"] = _slowest(
        [optimizer_time(c, leg.pool, list(leg.stages)) for c, leg in zip(contexts, legs, strict=True)]
    )
    busy = terms["matmul"] + terms["attention"] + terms["vector"] + terms["recompute"]
    straggle, fixed = max(leg.constants.straggle for leg in legs), max(leg.constants.step_overhead for leg in legs)
    terms["waiting"] = busy * (straggle * np.log(g.chips))
    terms["overhead"] = terms["overhead"] + fixed
    return SegmentsEstimate({kind: terms[kind] for kind in KINDS}, tuple(_memory(job, leg, g) for leg in legs))


def _context(job: Job, leg: Segment, g: Grid) -> Context:
    machine = ChipRates.of(leg.pool.chip, job.precision, leg.constants)
    return Context(job, machine, Links.of(leg.pool, leg.constants), leg.constants, g)


def _passes(c: Context, leg: Segment) -> list[Pass]:
    """Return the passes of a leg's stages, each slower or faster as its chips' software is."""
    layers, factor = estimate_layers(c), leg.constants.software
    found: list[Pass] = []
    for stage in leg.stages:
        forward, backward, weight = estimate_pass(stage_counts(stage, c.job.model.num_mtp_layers), layers)
        found.append((_scale(forward, factor), _scale(backward, factor), weight * factor))
    return found


def _scale(terms: Terms, factor: float) -> Terms:
    return {kind: value * factor for kind, value in terms.items()}


def _joint_send(job: Job, legs: Sequence[Segment], joint: Tier, g: Grid) -> Array:
    """Return the seconds of passing one micro-batch's activations from a leg to the next."""
    rate = joint.rate("joint") * min(leg.constants.scale_out_efficiency for leg in legs)
    delay = max([leg.constants.scale_out_latency for leg in legs] + [joint.delay() or 0.0])
    tokens = g.micro_batch_size * (job.seq_len / g.cp) / np.where(g.sequence_parallel, g.tp, 1)
    return tokens * (job.model.hidden_size * job.precision.activation_size / rate) + delay


def _memory(job: Job, leg: Segment, g: Grid) -> Array:
    return _slowest([total(parts) for parts in estimate_memory(job, leg.constants, g, list(leg.stages))])


def _slowest(values: Sequence[Array]) -> Array:
    most = values[0]
    for value in values[1:]:
        most = np.maximum(most, value)
    return most
