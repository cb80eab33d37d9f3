"""From micro-measurements to the constants of the cost model, by its own formulas; no training run is looked at.

Each step leans on the ones before: matmuls, then attention, then what is left of whole layers (elementwise work, launches,
routing), the update of weights, the links, and last what tiny steps along each axis need beside all that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tianji.backends.microbenchmarks.least_squares import fit_times
from tianji.backends.microbenchmarks.orders import Survey, TimedSample
from tianji.backends.microbenchmarks.tiny_models import WHOLE, axis_plans, job_of
from tianji.errors import RunError
from tianji.formatting import format_percent
from tianji.hardware import Chip, Figure, Pool, Tier
from tianji.hardware.constants import Constants
from tianji.parallel import Strategy
from tianji.parallel.grid import Grid
from tianji.perf.communication import steps
from tianji.perf.compute import ATTENTION_BACKWARD
from tianji.perf.context import total
from tianji.perf.step import estimate
from tianji.units import GB, KIB, TERA, Array, BytesPerSecond, FlopsPerSecond, Seconds
from tianji.workload import Job

DTYPE = "fp32"
HALF_SIZES = np.arange(0.0, 513.0, 2.0)
UPDATE_BYTES = 24.0
SHORT = 0.25
"""The half depth of a matmul over its half size. Of 0.05, 0.1, 0.25 and 0.5 this one fits what was measured here best."""
"""Of one fp32 parameter: both moments read and written, gradient read, weight written, as ``optimizer_time`` counts."""
SMALL = 64 * KIB
"""Bytes from which a collective shows its bytes more than its latency."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """One constant with its relative standard error and the samples behind it."""

    value: float
    error: float | None
    """None where the samples are best told without this constant, so that they say nothing of how sure it is."""
    samples: int
    source: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What micro-measurements say: the figures of a datasheet, and the constants beside them."""

    peak: Mapping[str, FlopsPerSecond]
    memory_bandwidth: BytesPerSecond
    link_bandwidth: BytesPerSecond
    """Of one chip, one direction, while all chips communicate; 0 where a chip is alone."""
    constants: Mapping[str, Fitted]
    noise: float
    """What one repetition of the median sample was off by."""
    misfit: float
    """What the fit leaves of whole models and of steps, relatively: the root of the mean square."""


def fit_survey(survey: Survey) -> Findings:
    """Return what a survey says, every constant with its standard error.

    Raises RunError for a survey whose samples are no use, like one of a machine that stood still.
    """
    if not survey.samples:
        raise RunError("nothing was measured; the ranks' logs say why")
    constants: dict[str, Fitted] = {}
    peak = {str(s.facts["dtype"]): 0.0 for s in survey.of("matmul")}
    for sample in survey.of("matmul"):
        dtype = str(sample.facts["dtype"])
        peak[dtype] = max(peak[dtype], _matmul_flops(sample) / sample.middle)
    _fit_matmuls([s for s in survey.of("matmul") if s.facts["dtype"] == DTYPE], peak, constants)
    memory = max(float(s.facts["bytes"]) / s.middle for s in survey.of("copy"))
    _fit_attention(survey.of("attention"), peak[DTYPE], constants)
    rates = Rates(peak, memory, survey.world, survey.world / survey.processors)
    _fit_whole(survey.of("whole"), rates, constants)
    _fit_update(survey.of("update"), memory, constants)
    link = _fit_links(survey, constants)
    rates = replace(rates, link=link)
    _fit_steps(survey.of("step"), rates, constants)
    noise = float(np.median([s.noise for s in survey.samples]))
    misfits = [
        *_misfit_whole(survey.of("whole"), rates, constants),
        *_misfit_steps(survey.of("step"), rates, constants),
    ]
    return Findings(rates.peak, memory, link, constants, noise, float(np.sqrt(np.mean(np.square(misfits)))))


@dataclass(frozen=True, slots=True)
class Rates:
    """The datasheet that the fit has so far, as a pool that the cost model prices."""

    peak: Mapping[str, FlopsPerSecond]
    memory: BytesPerSecond
    chips: int
    sharing: float
    link: BytesPerSecond = GB

    def estimate(
        self, job: Job, strategy: Strategy, fitted_constants: Mapping[str, Fitted], **changes: float
    ) -> dict[str, Array]:
        """Return the seconds of one step by kind."""
        peaks = {dtype: _figure(rate) for dtype, rate in self.peak.items()}
        chip = Chip(
            "here", "here", "here", "other", "shipping", peaks, {}, _figure(TERA), _figure(self.memory), None, None
        )
        tier = Tier("links", "switch", 0, _figure(max(self.link, 1.0)), None)
        pool = Pool("here", "here", "here", chip, (tier,), strategy.chips, 1, max(self.chips, 1))
        values = {name: fitted.value for name, fitted in fitted_constants.items()} | changes
        constants = replace(Constants(), op_blocking=1.0, layerwise=1.0, overlap_efficiency=0.0, sharing=self.sharing)
        return estimate(job, pool, replace(constants, **values), Grid.of(strategy)).terms


def _figure(value: float) -> Figure:
    return Figure(value, "measured here", "user")


def _matmul_flops(sample: TimedSample) -> float:
    """Three products, there and back."""
    return 6.0 * float(np.prod([float(sample.facts[name]) for name in "mkn"]))


def _fit_matmuls(samples: Sequence[TimedSample], peak: dict[str, float], fitted_constants: dict[str, Fitted]) -> None:
    """Find the half size whose curve leaves the least; the peak is the best that was seen, or what the curve runs up to."""
    m, k, n = (np.array([float(s.facts[name]) for s in samples]) for name in "mkn")
    times = np.array([s.middle for s in samples])
    least, best, error = np.inf, 0.0, 0.0
    half = 0.0
    for c in HALF_SIZES:
        work = sum(2.0 * (a * b + c * c) * (d + SHORT * c) for a, b, d in ((m, n, k), (m, k, n), (k, n, m)))
        logs = np.log(work / times)
        left = float(np.std(logs))
        if left < least:
            least, best, error, half = left, float(np.exp(logs.mean())), float(left / np.sqrt(len(samples))), float(c)
    peak[DTYPE] = max(peak[DTYPE], best)
    source = f"linear layers of {len(samples)} shapes, there and back; the curve is off by {format_percent(least)}"
    fitted_constants["matmul_efficiency"] = Fitted(best / peak[DTYPE], error, len(samples), source)
    fitted_constants["matmul_half_size"] = Fitted(half, least, len(samples), source)
    fitted_constants["matmul_half_depth"] = Fitted(SHORT * half, least, len(samples), source)


def _fit_attention(samples: Sequence[TimedSample], peak: FlopsPerSecond, fitted_constants: dict[str, Fitted]) -> None:
    facts = [s.facts for s in samples]
    batch, heads, length, dim = (
        np.array([float(f[name]) for f in facts]) for name in ("batch", "heads", "length", "dim")
    )
    flops = (1.0 + ATTENTION_BACKWARD) * batch * heads * length * length * 2.0 * dim
    times = np.array([s.middle for s in samples])
    (full, short), errors = fit_times(np.stack([flops, flops / length], axis=1), times)
    if full < 1.0 / peak:  # a noisy machine: attention is no faster than matmuls, and what is left goes by rows
        full, left = 1.0 / peak, np.maximum(times - flops / peak, 0.05 * times)
        (short,), slope = fit_times((flops / length)[:, None], left)
        errors = np.array([np.nan, slope[0]])
    source = f"causal attention of {int(length.min())} to {int(length.max())} tokens, there and back"
    fitted_constants["attention_efficiency"] = Fitted(float(1.0 / full / peak), _known(errors[0]), len(samples), source)
    for name in ("attention_half_length", "attention_backward_half_length"):
        fitted_constants[name] = Fitted(float(short / full), _known(errors[1]), len(samples), source)


def _fit_whole(samples: Sequence[TimedSample], rates: Rates, fitted_constants: dict[str, Fitted]) -> None:
    """Share what matmuls and attention leave of whole models between elementwise work, launches and routing."""
    rows, times = [], []
    for sample in samples:
        config, batch, length = WHOLE[int(sample.facts["index"])]
        job, strategy = job_of(config, batch, length), Strategy(micro_batch_size=batch)
        unit = rates.estimate(job, strategy, fitted_constants, op_overhead=1.0)
        routed = rates.estimate(job, strategy, fitted_constants, kernel_launch=1.0)
        fixed = float(np.sum(unit["matmul"]) + np.sum(unit["attention"]))
        rows.append([float(np.sum(unit["vector"])), float(np.sum(unit["overhead"])), float(np.sum(routed["overhead"]))])
        times.append((sample.middle, fixed))
    whole, fixed_part = np.array([t for t, _ in times]), np.array([f for _, f in times])
    left = np.maximum(whole - fixed_part, 0.05 * whole)
    (vector, launch, route), errors = fit_times(np.array(rows), left)
    source = f"whole small models of {len(samples)} kinds, less their matmuls and attention"
    fitted_constants["vector_efficiency"] = Fitted(
        min(1.0 / vector if vector else 1.0, 1.0), _known(errors[0]), len(samples), source
    )
    fitted_constants["op_overhead"] = Fitted(float(launch), _known(errors[1]), len(samples), source)
    fitted_constants["kernel_launch"] = Fitted(float(route), _known(errors[2]), len(samples), source)


def _fit_update(samples: Sequence[TimedSample], memory: BytesPerSecond, fitted_constants: dict[str, Fitted]) -> None:
    (sample,) = samples
    rate = UPDATE_BYTES * float(sample.facts["parameters"]) / sample.middle
    source = "AdamW with the gradients' norm over weights that no cache holds"
    fitted_constants["optimizer_efficiency"] = Fitted(min(rate / memory, 1.0), _known(sample.noise), 1, source)


def _fit_links(survey: Survey, fitted_constants: dict[str, Fitted]) -> BytesPerSecond:
    """Fit latency and rate to all_gathers of all groups and sizes, then each other collective as a factor on their formula."""
    gathers = survey.of("all_gather")
    if not gathers:
        return 0.0
    moved, turns = _moved(gathers)
    (slowness, latency), errors = fit_times(np.stack([moved, turns], axis=1), np.array([s.middle for s in gathers]))
    members, sizes = _format_fact(gathers, "members"), _format_fact(gathers, "bytes")
    source = f"all_gather in groups of {members}, all groups at once, {sizes} bytes"
    fitted_constants["scale_up_latency"] = Fitted(float(latency), _known(errors[1]), len(gathers), source)
    for kind, name, rounds in (
        ("reduce_scatter", "reduce_scatter_factor", 1.0),
        ("all_reduce", "all_reduce_factor", 2.0),
        ("all_to_all", "all_to_all_factor", 1.0),
    ):
        samples = [s for s in survey.of(kind) if float(s.facts["bytes"]) > SMALL]
        moved, turns = _moved(samples)
        logs = np.log([s.middle for s in samples]) - np.log(rounds * (moved * slowness + turns * latency))
        error = float(np.std(logs) / np.sqrt(len(samples)))
        source = f"{kind} of over {SMALL / KIB:.0f} KiB beside all_gather"
        fitted_constants[name] = Fitted(float(np.exp(logs.mean())), error, len(samples), source)
    return 1.0 / slowness if slowness else TERA


def _moved(samples: Sequence[TimedSample]) -> tuple[Array, Array]:
    n = np.array([float(s.facts["members"]) for s in samples])
    return np.array([float(s.facts["bytes"]) for s in samples]) * (n - 1.0) / n, steps(n)


def _format_fact(samples: Sequence[TimedSample], fact: str) -> str:
    values = sorted({int(float(s.facts[fact])) for s in samples})
    return str(values[0]) if len(values) == 1 else f"{values[0]:,} to {values[-1]:,}"


def _fit_steps(samples: Sequence[TimedSample], rates: Rates, fitted_constants: dict[str, Fitted]) -> None:
    """Share what tiny steps take beyond their prediction between each collective and each step."""
    plans = axis_plans(rates.chips)
    rows, left = [], []
    trial: Seconds = 1e-3
    for sample in samples:
        plan = plans[str(sample.facts["axis"])]
        base, more = (
            float(np.ravel(total(rates.estimate(plan.job, plan.strategy, fitted_constants, call_overhead=call)))[0])
            for call in (0.0, trial)
        )
        rows.append([(more - base) / trial, 1.0])
        left.append(max(sample.middle - base, 0.05 * sample.middle))
    terms = np.array(rows)
    source = f"steps of a tiny model along {', '.join(str(s.facts['axis']) for s in samples)}, less their prediction"
    if rates.chips == 1:
        fitted_constants["step_overhead"] = Fitted(left[0], _known(samples[0].noise), 1, source)
        return
    (call, each), errors = fit_times(terms, np.array(left))
    fitted_constants["call_overhead"] = Fitted(float(call), _known(errors[0]), len(samples), source)
    fitted_constants["step_overhead"] = Fitted(float(each), _known(errors[1]), len(samples), source)


def _misfit_whole(samples: Sequence[TimedSample], rates: Rates, fitted_constants: Mapping[str, Fitted]) -> list[float]:
    """Return log(measured / predicted) of whole models; the update of the weights is not in them."""
    logs = []
    for sample in samples:
        config, batch, length = WHOLE[int(sample.facts["index"])]
        terms = rates.estimate(
            job_of(config, batch, length), Strategy(micro_batch_size=batch), fitted_constants, step_overhead=0.0
        )
        logs.append(float(np.log(sample.middle / np.ravel(total(terms) - terms["optimizer"])[0])))
    return logs


def _misfit_steps(samples: Sequence[TimedSample], rates: Rates, fitted_constants: Mapping[str, Fitted]) -> list[float]:
    plans = axis_plans(rates.chips)
    return [
        float(np.log(s.middle / np.ravel(total(rates.estimate(plan.job, plan.strategy, fitted_constants)))[0]))
        for s in samples
        if (plan := plans[str(s.facts["axis"])])
    ]


def _known(error: float) -> float | None:
    """Return a relative standard error, at most 10 times the constant itself: there it says no more than "unknown"."""
    return min(float(error), 10.0) if np.isfinite(error) else None
