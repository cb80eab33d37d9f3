"""Time and memory of a training step: where ops, collectives and the pipeline meet.

    step = m · slowest stage + bubble + data-parallel communication + optimizer + waiting + fixed overhead

Every part is a term; the step time is their sum, so that a breakdown accounts for all of it. Terms keep the small shapes that
they depend on and broadcast together only at the end: the same code prices one strategy and a million.

A step is put together from segments of the pipeline in one place (:func:`assemble`). A pool is one segment, so that a mixture of
equal chips takes what the pool takes, under any constants. Sources: Narayanan et al. 2021; Rajbhandari et al. 2020.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tianji.hardware import Chip, Pool, Tier
from tianji.hardware.constants import Constants
from tianji.parallel.grid import Grid
from tianji.perf.activations import activation_bytes, host_bytes, kept_of_kinds
from tianji.perf.bubble import Bubble, PassTime
from tianji.perf.context import Terms, largest, total
from tianji.perf.memory import fixed_bytes, state_bytes
from tianji.perf.offload import is_offloading
from tianji.perf.passes import (
    COMPUTATION,
    Layers,
    Pace,
    add_delay,
    all_counts,
    computation,
    estimate_layers,
    pass_seconds,
)
from tianji.perf.pipeline_stages import Variants, representative_stages
from tianji.perf.segments import Segment, SegmentTime, joint_send_time, pool_context, segment_time
from tianji.perf.stages import Stage
from tianji.perf.teacher import teacher_bytes, teacher_job
from tianji.units import Array
from tianji.workload import Job

KINDS = (
    "matmul", "attention", "vector", "recompute", "tp_comm", "cp_comm", "ep_comm", "waiting", "overhead", "optimizer",
    "offload", "dp_comm", "pp_comm", "bubble",
)  # fmt: skip
"""Exclusive kinds of time on the critical path; ``offload`` is one only where activations or weights live on the host. Those that
vary with most axes come last: sums stay small for long."""
SUMS = ("passes", "pp_comm", "overhead")
"""What a search adds up first in place of the kinds of passes."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a grid of strategies takes. Arrays broadcast to the grid's shape."""

    parts: Terms
    """Seconds of a step by kind, the bubble left out."""
    bubble: Bubble
    memory: list[dict[str, Array]]
    """Bytes by part for each stage that was looked at."""
    host: list[dict[str, Array]] = field(default_factory=list)
    """The same of the host's memory, for one chip; empty where nothing is offloaded."""

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
        return fullest(self.memory)

    @property
    def host_total(self) -> Array:
        """Bytes of the host's memory that the fullest chip takes."""
        return fullest(self.host)


def estimate(
    job: Job, pool: Pool, constants: Constants, g: Grid, *, by_kind: bool = True, weighs_stages: bool = False
) -> Estimate:
    """Return time and memory of every strategy of a grid, legal or not.

    Not ``by_kind``, the passes of the slowest stage are one part and not one for each kind: a search asks for sums alone.
    With ``weighs_stages`` the bubble says how uneven the stages are, too.

    Raises UnknownFigureError when the chip or a tier lacks a figure that the job needs.
    """
    parts, bubble = estimate_parts(job, pool, constants, g, by_kind=by_kind, weighs_stages=weighs_stages)
    stages = representative_stages(job.model, g)
    return Estimate(parts, bubble, estimate_memory(job, constants, g, stages), estimate_host(job, g, stages))


def estimate_parts(
    job: Job, pool: Pool, constants: Constants, g: Grid, *, by_kind: bool = True, weighs_stages: bool = False,
    layers: Layers | None = None,
) -> tuple[Terms, Bubble]:  # fmt: skip
    """Return what :func:`estimate` does without the memory: the parts of a step, and its bubble.

    ``layers`` are those of the grid (:func:`estimate_job_layers`), where they are known. ``by_kind`` and ``weighs_stages`` are
    those of :func:`estimate`.
    """
    segment = Segment.whole(job, pool, constants, g)
    plain = assemble(job, [segment], None, g, by_kind=by_kind, weighs_stages=weighs_stages, layers=layers)
    return _with_teacher(job, pool, constants, g, plain, by_kind=by_kind)


def estimate_time(job: Job, pool: Pool, constants: Constants, g: Grid) -> Terms:
    """Return seconds of a step by kind; constants may be arrays too, on axes before the grid's."""
    return Estimate(*estimate_parts(job, pool, constants, g), []).terms


def estimate_step(job: Job, pool: Pool, constants: Constants, g: Grid) -> Array:
    """Return seconds of a step in one sum; constants may be arrays as in :func:`estimate_time`."""
    return Estimate(*estimate_parts(job, pool, constants, g, by_kind=False), []).step_time


def estimate_job_layers(job: Job, pool: Pool, constants: Constants, g: Grid) -> Layers:
    """Return the time of one layer of each kind of a job's model, for one micro-batch."""
    return estimate_layers(pool_context(job, pool, constants, g))


def least_time(job: Job, constants: Constants, g: Grid, layers: Layers) -> Array:
    """Return seconds below which no step is, however its layers are dealt out: an even share of all passes.

    A fraction of what :func:`estimate` takes; 0 where chips share processors, as one that waits then lends its own to others.
    """
    if constants.sharing != 1.0:
        return np.asarray(0.0)
    forward, backward = pass_seconds(all_counts(job.model), layers)
    least: Array = microbatches(job, g) * (forward + backward) * (constants.software / g.pp)
    return least


def _with_teacher(
    job: Job, pool: Pool, constants: Constants, g: Grid, student: tuple[Terms, Bubble], *, by_kind: bool = True
) -> tuple[Terms, Bubble]:
    """Return a step's terms with the forward pass of the job's teacher, a pipeline of its own under the same degrees."""
    if job.task.teacher is None:
        return student
    watched, quiet = teacher_job(job), replace(constants, step_overhead=0.0)
    dealt = replace(g, stages=np.zeros_like(g.stages))  # stages that a strategy names are the student's
    more, waits = assemble(watched, [Segment.whole(watched, pool, quiet, dealt)], None, dealt, by_kind=by_kind)
    parts, bubble = student
    both = {kind: parts[kind] + more.get(kind, 0.0) for kind in parts}
    return both, replace(bubble, passes=bubble.passes + waits.seconds)


def estimate_segments(job: Job, segments: Sequence[Segment], joint: Tier, g: Grid) -> tuple[Terms, tuple[Array, ...]]:
    """Return seconds of a step by kind, and for each segment the bytes on its fullest chip.

    ``pp`` of the grid is the number of all segments' stages. Holds for 1F1B, GPipe and zero-bubble; interleaved chunks and
    DualPipe would cross the joint tier many times.
    """
    parts, bubble = assemble(job, segments, joint, g)
    memory = tuple(fullest(estimate_memory(job, s.constants, g, s.stages)) for s in segments)
    return Estimate(parts, bubble, []).terms, memory


def assemble(
    job: Job, segments: Sequence[Segment], joint: Tier | None, g: Grid, *, by_kind: bool = True,
    weighs_stages: bool = False, layers: Layers | None = None,
) -> tuple[Terms, Bubble]:  # fmt: skip
    """Return a step's terms but for the bubble, and the bubble, of a pipeline over one or more segments.

    The slowest stage sets the pace and the others make the bubble. Where activations cross the ``joint`` tier, between two
    segments, nothing hides that. All ranks wait for the chip with the longest delays (the largest ``straggle``) and for the
    longest fixed overhead; chips lend a waiting one's share of a processor within a segment at most (the smallest ``sharing``).
    ``by_kind`` and ``weighs_stages`` are those of :func:`estimate`.
    """
    times = [segment_time(job, s, g, None if by_kind else COMPUTATION, layers) for s in segments]
    paces, variants = _slowest(times)
    # Of each kind of chips the first stage decides what stays exposed of the exchange (see data_parallel_time).
    first = [t for t, is_first in zip(times, _first_of_kind(segments), strict=True) if is_first]
    sharded = largest([t.sharded for t in first])
    exchange = largest([t.exchange for t in first])
    exposed_send = largest([t.exposed_send for t in times])
    ways = 1.0 if job.task.is_forward_only else 2.0
    sends = sum((t.send * (ways * (s.num_stages - 1)) for t, s in zip(times, segments, strict=True)), np.asarray(0.0))
    if joint is not None and len(segments) > 1:
        crossing = joint_send_time(job, segments, joint, g)
        exposed_send = np.maximum(exposed_send, 2.0 * crossing)
        sends = sends + crossing * (2.0 * (len(segments) - 1))
    m = microbatches(job, g)
    delay = largest([np.asarray(s.constants.straggle) for s in segments]) * np.log(g.chips)
    parts: Terms = {}
    if by_kind:
        names = dict.fromkeys(kind for pace in paces for kind in pace.terms)
        none: Array = np.asarray(0.0)
        parts = {kind: m * variants.spread(np.asarray, [p.terms.get(kind, none) for p in paces]) for kind in names}
        parts["waiting"] = computation(parts) * delay
    else:
        parts["passes"] = variants.spread(lambda pace, m, delay: m * add_delay(pace, delay), paces, m, delay)
    parts["pp_comm"] = m * exposed_send
    parts["dp_comm"] = m * sharded + exchange
    parts["optimizer"] = largest([t.optimizer for t in times]) + largest([t.gradients for t in times])
    parts["overhead"] = parts.get("overhead", 0.0) + largest([t.fixed for t in times])
    sharing = -largest([np.negative(s.constants.sharing) for s in segments])
    busy: Array = np.asarray(0.0)
    if np.any(np.not_equal(sharing, 1.0)):
        busy = m * variants.spread(lambda pace: pace.slowest.both, paces)
    others = [pace.others for pace in paces]
    bubble = Bubble.between(g, others, variants, sends, sharded * (g.pp - 1), busy, sharing)
    if weighs_stages:
        bubble = replace(bubble, uneven=m * variants.spread(_uneven, paces, g.pp, delay))
    copies = [t.offload for t in times if t.offload is not None]
    if copies:
        parts["offload"] = m * largest(copies)
    if not by_kind and not np.any(busy):
        # What varies with fewer axes is added up first.
        parts["passes"] = parts["passes"] + bubble.passes
        bubble = replace(bubble, passes=np.asarray(0.0))
    return {kind: parts[kind] for kind in (() if by_kind else SUMS) + KINDS if kind in parts}, bubble


def _uneven(pace: Pace, pp: Array, delay: Array) -> Array:
    """Return by how much the slowest stage takes longer than an even share of all, with its delays."""
    longer: Array = pace.slowest.both - (pace.slowest.both + pace.others.both) / pp
    return longer * (1.0 + delay)


def _slowest(times: list[SegmentTime]) -> tuple[Sequence[Pace], Variants]:
    """Return the pace of all segments together, at each place of the grid."""
    if len(times) == 1:
        return times[0].paces, times[0].variants
    paces = [t.paces[0] for t in times]
    slowest, terms = paces[-1].slowest, paces[-1].terms
    most = largest([pace.slowest.both for pace in paces])
    for pace in reversed(paces[:-1]):
        here = pace.slowest.both == most
        terms = {kind: np.where(here, pace.terms[kind], terms[kind]) for kind in terms}
        slowest = PassTime(
            most, *(np.where(here, getattr(pace.slowest, n), getattr(slowest, n)) for n in ("backward", "weight"))
        )

    def rest(name: str) -> Array:
        both = sum(getattr(pace.others, name) + getattr(pace.slowest, name) for pace in paces)
        left: Array = both - getattr(slowest, name)
        return left

    pace = Pace(terms, slowest, PassTime(rest("both"), rest("backward"), rest("weight")))
    return [pace], times[0].variants


def _first_of_kind(segments: Sequence[Segment]) -> list[bool]:
    if len(segments) == 1:
        return [True]
    kinds: list[Hashable] = [(s.pool.chip.name, s.pool.tiers, s.constants) for s in segments]
    return [kind not in kinds[:i] for i, kind in enumerate(kinds)]


def estimate_memory(job: Job, constants: Constants, g: Grid, stages: Sequence[Stage]) -> list[dict[str, Array]]:
    """Return bytes by part for each of the given stages."""
    m = microbatches(job, g)
    fixed, kinds = fixed_bytes(constants, g), kept_of_kinds(job, g)
    parts = [state_bytes(job, s, g) | fixed | activation_bytes(job, s, g, m, constants, kinds) for s in stages]
    if job.task.teacher is None:
        return parts
    beside = [teacher_bytes(job, s, g, constants) for s in stages]
    return [own | {"teacher": teacher} for own, teacher in zip(parts, beside, strict=True)]


def estimate_host(job: Job, g: Grid, stages: Sequence[Stage]) -> list[dict[str, Array]]:
    """Return bytes of the host's memory by part for each of the given stages; nothing where nothing is offloaded."""
    return [host_bytes(job, s, g, microbatches(job, g)) for s in stages] if is_offloading(g) else []


def fits_host(job: Job, chip: Chip, g: Grid, stages: Sequence[Stage]) -> Array:
    """Return where the host's memory holds what ``stages`` offload; everywhere if nothing is, or nobody published its size."""
    if chip.host_memory is None or not is_offloading(g):
        return np.asarray(True)
    fits: Array = fullest(estimate_host(job, g, stages)) <= chip.host_memory.value
    return fits


def fullest(stages: Sequence[dict[str, Array]]) -> Array:
    """Return the bytes on the fullest chip of some stages."""
    return largest([np.asarray(0.0), *(total(parts) for parts in stages)])


def microbatches(job: Job, g: Grid) -> Array:
    """Return the micro-batches of one step on one replica (gradient accumulation)."""
    count: Array = np.maximum(job.global_batch_size // (g.dp * g.micro_batch_size), 1)
    return count
