"""Predict many plans of unlike jobs at once: plans whose jobs can be stacked are priced together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.hardware import Chip, Pool
from tianji.hardware.constants import CONSTANT_NAMES, Constants
from tianji.parallel.grid import Grid
from tianji.parallel.plan import Plan
from tianji.perf.context import total
from tianji.perf.step import KINDS, estimate, estimate_step, estimate_time
from tianji.units import Array
from tianji.workload import Job
from tianji.workload.batch import stack, structure

STEP = 1e-3
"""Step of the finite differences, in the logarithm of a constant."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Plans on one kind of pool whose jobs are alike, as one job and one grid. ``places`` are their positions."""

    places: Array
    job: Job
    pool: Pool
    grid: Grid


@dataclass(frozen=True, slots=True)
class BundledEstimates:
    """Step time (seconds) and memory (bytes on the fullest chip) of each plan, and the time by kind."""

    step_time: Array
    memory: Array
    terms: dict[str, Array]
    slopes: Array
    """By how much the log step time moves with the logarithm of each constant that was asked for: (constants, plans)."""


def group_alike(plans: Sequence[Plan]) -> list[list[int]]:
    """Return the places of the plans that can be priced together, one list for each bundle."""
    groups: dict[Hashable, list[int]] = {}
    for place, plan in enumerate(plans):
        key = (plan.pool.chip.name, plan.pool.chip.host_bandwidth, plan.pool.tiers, structure(plan.job))
        groups.setdefault(key, []).append(place)
    return list(groups.values())


def bundle(plans: Sequence[Plan]) -> list[Bundle]:
    """Return the plans in as few bundles as their structure allows."""
    bundles: list[Bundle] = []
    for places in group_alike(plans):
        members = [plans[i] for i in places]
        most = max(p.strategy.chips for p in members)
        pool = replace(members[0].pool, chips=max(most, 2))
        grid = Grid.of(*(p.strategy for p in members))
        bundles.append(Bundle(np.asarray(places), stack([p.job for p in members]), pool, grid))
    return bundles


def predict_times(bundles: Sequence[Bundle], constants: Callable[[Bundle], Constants]) -> Array:
    """Return the step times (seconds) of all plans of the ``bundles``, in the plans' own order, along the last axis.

    ``constants`` gives those of a bundle. They may hold arrays, a value for each plan of the bundle along the last axis; an axis
    before it tries several at once.
    """
    times_of_bundles: list[Array] = []
    for b in bundles:
        times_of_bundles.append(total(estimate_time(b.job, b.pool, constants(b), b.grid)))
    places = np.concatenate([b.places for b in bundles])
    shape = np.broadcast_shapes(*(time.shape[:-1] for time in times_of_bundles))
    times = np.concatenate([np.broadcast_to(time, (*shape, time.shape[-1])) for time in times_of_bundles], axis=-1)
    ordered = np.empty_like(times)
    ordered[..., places] = times
    return ordered


def predict_many(
    bundles: Sequence[Bundle], constants: Callable[[Chip], Constants], felt: Sequence[str] = ()
) -> BundledEstimates:
    """Return the estimates of all plans of the ``bundles``, in the plans' own order.

    ``constants`` gives those of a chip. They may hold arrays, a value for each plan of the bundle. ``felt`` names those whose
    slopes are wanted.
    """
    count = max((int(b.places.max()) + 1 for b in bundles), default=0)
    step_time, memory, slopes = np.zeros(count), np.zeros(count), np.zeros((len(felt), count))
    terms = {kind: np.zeros(count) for kind in KINDS}
    for b in bundles:
        outcome = estimate(b.job, b.pool, _lower_each(constants(b.pool.chip), felt), b.grid)
        times = np.broadcast_to(outcome.step_time, (len(felt) + 1, len(b.places)))
        step_time[b.places], memory[b.places] = times[0], outcome.memory_total
        slopes[:, b.places] = np.log(times[0] / times[1:]) / STEP
        for kind, seconds in outcome.terms.items():
            terms[kind][b.places] = np.atleast_2d(seconds)[0]
    return BundledEstimates(step_time, memory, terms, slopes)


def predict_slopes(bundles: Sequence[Bundle], constants: Constants, felt: Sequence[str]) -> Array:
    """Return by how much each plan's log step time moves with the logarithm of the ``felt`` constants: (constants, plans).

    The plans are those of the ``bundles``, in their own order; slopes are taken at ``constants``.
    """
    slopes = np.zeros((len(felt), sum(len(b.places) for b in bundles)))
    lowered = _lower_each(constants, felt)
    for b in bundles:
        times = np.broadcast_to(estimate_step(b.job, b.pool, lowered, b.grid), (len(felt) + 1, len(b.places)))
        slopes[:, b.places] = np.log(times[0] / times[1:]) / STEP
    return slopes


def _lower_each(constants: Constants, names: Sequence[str]) -> Constants:
    """Return constants with an axis before that of the plans: as they are, then with one after the other lowered by STEP."""
    shifts = np.exp(-STEP * np.eye(len(names) + 1, len(names), -1))
    return replace(constants, **{name: getattr(constants, name) * shifts[:, [i]] for i, name in enumerate(names)})


def stack_constants(constants: Sequence[Constants]) -> Constants:
    """Return constants that hold arrays where those of the plans of a bundle differ."""
    if all(c == constants[0] for c in constants):
        return constants[0]
    columns: dict[str, Any] = {}
    for name in CONSTANT_NAMES:
        values = [getattr(c, name) for c in constants]
        columns[name] = values[0] if len(set(values)) == 1 else np.asarray(values)
    return Constants(**columns)
