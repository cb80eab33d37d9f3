"""Fit the constants of all measured chips, and the effects of their software, to measured step times in one problem.

Minimised is the sum of soft-L1 losses of log(predicted · software / measured) / σ over the rows, plus squared distances of the
constants' logarithms from what is believed (a published figure, or the same constant of the chip's relative), plus squared
software effects over their spread. Chips share the software effects: a release that is slow is slow on all of them. Rows of
one job count less the more of them there are, so that a table of a thousand small variations does not outvote the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tianji.calibration.least_squares import solve
from tianji.calibration.parameters import FREE, MAX_FREE, ROWS_FOR_EACH, Prior, priors
from tianji.hardware import Chip
from tianji.hardware.calibration import CONSTANT_NAMES, Constants
from tianji.parallel.plan import Plan
from tianji.prediction.many import bundle, predict_many
from tianji.units import Array, Seconds

NOISE = 0.04
"""Relative spread of one row that the physics is not asked to explain: the same setting published twice differs by 3 %."""
FAMILY_SPREAD = 0.08
"""Relative spread of a software trait (a framework, a release, a mode of running it) around the mean."""
KINSHIP = 0.5
"""A constant lies so much nearer to that of the chip's relative than to what is believed of any chip."""
STEP = 1e-3
"""Step of the finite differences, in the logarithm of a constant."""
ROWS_OF_ONE_JOB = 4
"""From so many rows of one source and architecture on, n rows weigh together as much as the root of their number."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured run that may set constants."""

    plan: Plan
    step_time: Seconds
    source: str
    architecture: str
    traits: tuple[str, ...]
    """Traits of the software: framework, release, mode. Each has a factor on time; they multiply."""


@dataclass(frozen=True, slots=True)
class System:
    """The fit's linear system at its minimum: what a small change of the unknowns does to the residuals."""

    slopes: Array
    """Of each residual by each unknown: (rows, unknowns)."""
    weights: Array
    """Of each row's squared residual, robustness included."""
    prior: Array
    """Hessian of what is believed: (unknowns, unknowns)."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted constants by chip, software effects (factors on time) and what is left unexplained."""

    constants: Mapping[str, Constants]
    free: Mapping[str, tuple[str, ...]]
    """By chip, the constants that its rows moved."""
    errors: Mapping[str, Mapping[str, float]]
    """By chip, the standard error of each free constant's logarithm."""
    effects: Mapping[str, float]
    effect_errors: Mapping[str, float]
    """Of the effects' logarithms."""
    residuals: Array
    """log(predicted / measured) of each sample, software effects included."""
    system: System


def fit_chips(samples: Sequence[Sample]) -> Fit:
    """Return the constants of every chip that has samples; with few samples only the first of FREE leave what is believed."""
    problem = _Problem(samples)
    solution = solve(problem.residuals, problem.jacobian, problem.mean, problem.low, problem.high)
    constants, effects = problem.unpack(solution.x)
    constants = {chip: _round(values) for chip, values in constants.items()}
    errors: dict[str, dict[str, float]] = {chip: {} for chip in problem.chips}
    for (chip, name), error in zip(problem.slots, solution.errors, strict=False):
        errors[chip][name] = float(error)
    spreads = solution.errors[len(problem.slots) :]
    return Fit(
        constants,
        {chip: tuple(problem.free[chip]) for chip in problem.chips},
        errors,
        {name: float(np.exp(e)) for name, e in zip(problem.traits, effects, strict=True)},
        {name: float(e) for name, e in zip(problem.traits, spreads, strict=True)},
        problem.misfit(solution.x),
        problem.system(solution.x),
    )


def choose_free(samples: Sequence[Sample]) -> list[str]:
    """Return the constants that the samples of one chip can tell anything about, at most one for ROWS_FOR_EACH jobs."""
    jobs = {(s.source, s.architecture, s.plan.strategy, s.plan.job.precision.name) for s in samples}
    plans = [s.plan for s in samples]
    told = {
        "narrow_efficiency": any(p.job.precision.quantized for p in plans),
        "scale_out_efficiency": any(p.strategy.chips > (p.pool.tiers[0].span or 1) for p in plans),
        "scale_up_efficiency": any(p.strategy.chips > 1 for p in plans),
    }
    usable = [n for n in FREE if told.get(n, True)]
    return usable[: min(len(jobs) // ROWS_FOR_EACH, MAX_FREE)]


class _Problem:
    """The least-squares problem: unknowns are log constants, chip by chip, then log software effects."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        kinds: dict[str, Chip] = {s.plan.pool.chip.name: s.plan.pool.chip for s in samples}
        self.chips = {name: kinds[name] for name in sorted(kinds)}
        self.believed: dict[str, dict[str, Prior]] = {name: priors(chip) for name, chip in self.chips.items()}
        self.free = {name: choose_free([s for s in samples if s.plan.pool.chip.name == name]) for name in self.chips}
        self.slots = [(chip, name) for chip in self.chips for name in self.free[chip]]
        self.place = {slot: i for i, slot in enumerate(self.slots)}
        self.traits = sorted({trait for s in samples for trait in s.traits})
        self.bundles = bundle([s.plan for s in samples])
        self.measured = np.log([s.step_time for s in samples])
        self.mask = np.asarray([[t in s.traits for t in self.traits] for s in samples], dtype=np.float64)
        self.chip_of = np.asarray([s.plan.pool.chip.name for s in samples])
        counts = Counter((s.source, s.architecture) for s in samples)
        share = np.asarray([counts[(s.source, s.architecture)] / ROWS_OF_ONE_JOB for s in samples])
        self.weights = np.maximum(share, 1.0) ** -0.25 / NOISE
        self._believe()

    def _believe(self) -> None:
        """Set up the prior rows: a constant is near its median, or nearer to what its relative's says of it."""
        size = len(self.slots) + len(self.traits)
        self.mean, self.low, self.high = np.zeros(size), np.full(size, -2.0), np.full(size, 2.0)
        self.prior = np.zeros((size, size))
        self.centre = np.zeros(size)
        for i, (chip, name) in enumerate(self.slots):
            mine = self.believed[chip][name]
            self.mean[i] = np.log(mine.median)
            self.low[i], self.high[i] = self.mean[i] - 5.0, np.minimum(np.log(mine.ceiling), self.mean[i] + 5.0)
            self.prior[i, i], self.centre[i] = 1.0 / mine.spread, self.mean[i] / mine.spread
            relative = self.place.get((self.chips[chip].relative, name))
            if relative is not None:
                theirs = np.log(self.believed[self.chips[chip].relative][name].median)
                spread = mine.spread * KINSHIP
                self.prior[i, i], self.prior[i, relative] = 1.0 / spread, -1.0 / spread
                self.centre[i] = (self.mean[i] - theirs) / spread
        for i in range(len(self.slots), size):
            self.prior[i, i] = 1.0 / FAMILY_SPREAD
        self.mean = np.minimum(self.mean, self.high - 1e-3)

    def unpack(self, x: Array) -> tuple[dict[str, Constants], Array]:
        """Return constants by chip and log effects; what is not free follows the relative, else the prior."""
        found: dict[str, Constants] = {}
        for chip in sorted(self.chips, key=lambda c: len(self._ancestors(c))):
            values = {n: p.median for n, p in self.believed[chip].items()}
            for name in values.keys() - set(self.free[chip]):
                if name in FREE and (self.chips[chip].relative, name) in self.place:
                    values[name] = getattr(found[self.chips[chip].relative], name)
            for name in self.free[chip]:
                values[name] = float(np.exp(x[self.place[(chip, name)]]))
            found[chip] = replace(Constants(), **values)
        return found, x[len(self.slots) :]

    def _ancestors(self, chip: str) -> list[str]:
        found: list[str] = []
        while chip in self.chips and self.chips[chip].relative in self.chips:
            chip = self.chips[chip].relative
            found.append(chip)
        return found

    def misfit(self, x: Array) -> Array:
        constants, effects = self.unpack(x)
        predicted = predict_many(self.bundles, lambda chip: constants[chip.name]).step_time
        found: Array = np.log(predicted) + self.mask @ effects - self.measured
        return found

    def residuals(self, x: Array) -> Array:
        return np.concatenate([_soft(self.misfit(x) * self.weights), self.prior @ x - self.centre])

    def jacobian(self, x: Array) -> Array:
        """Return the slopes of the residuals: finite differences, one constant of all chips at a time; effects are linear."""
        base = self.misfit(x)
        slopes = self.slopes(x, base) * (_soft_slope(base * self.weights) * self.weights)[:, None]
        return np.vstack([slopes, self.prior])

    def slopes(self, x: Array, base: Array) -> Array:
        """Return the slopes of the misfits ``base`` at x; rows of a chip whose constant is not free follow its relative's."""
        found = np.zeros((len(base), len(x)))
        for name in FREE:
            places = [i for i, slot in enumerate(self.slots) if slot[1] == name]
            if not places:
                continue
            moved = x.copy()
            moved[places] -= STEP
            change = (base - self.misfit(moved)) / STEP
            for i in places:
                mine = np.isin(self.chip_of, self._followers(*self.slots[i]))
                found[mine, i] = change[mine]
        found[:, len(self.slots) :] = self.mask
        return found

    def system(self, x: Array) -> System:
        """Return the linear system at x, with the weights that the robust loss gives there."""
        base = self.misfit(x)
        z = base * self.weights
        robust = self.weights**2 / np.sqrt(1.0 + z**2)
        return System(self.slopes(x, base), robust, self.prior.T @ self.prior)

    def _followers(self, chip: str, name: str) -> list[str]:
        found = [chip]
        for other, kind in self.chips.items():
            if other != chip and kind.relative == chip and name not in self.free[other]:
                found += self._followers(other, name)
        return found


def _round(constants: Constants) -> Constants:
    """Return constants to five digits: more would suggest a certainty that no fit has."""
    return replace(constants, **{name: float(f"{getattr(constants, name):.5g}") for name in CONSTANT_NAMES})


def _soft(z: Array) -> Array:
    """Return the root of the soft-L1 loss, with the sign of its argument: linear near 0, a square root far out."""
    found: Array = np.sign(z) * np.sqrt(2.0 * (np.sqrt(1.0 + z**2) - 1.0))
    return found


def _soft_slope(z: Array) -> Array:
    root = _soft(z)
    safe = np.where(np.abs(z) < 1e-8, 1.0, root)
    found: Array = np.where(np.abs(z) < 1e-8, 1.0, z / (np.sqrt(1.0 + z**2) * safe))
    return found
