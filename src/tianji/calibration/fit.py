"""Fit the constants of all measured chips, and the effects of their software, to measured step times in one problem.

Minimised is the sum of Cauchy losses of log(predicted · software / measured) / σ over the rows, plus squared distances of the
constants' logarithms from what is believed (a published figure, or the same constant of the chip's relative), plus squared
software effects over their spread. Chips share the software effects: a release that is slow is slow on all of them. Rows of
one job count less the more of them there are, so that a table of a thousand small variations does not outvote the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.calibration.least_squares import solve
from tianji.calibration.parameters import FREE, MAX_FREE, ROWS_FOR_EACH, choose_effects, fixed_effects, priors
from tianji.catalog.beliefs import Prior
from tianji.hardware import Chip
from tianji.hardware.calibration import BLOCKING, Calibration, Effect
from tianji.hardware.constants import CONSTANT_NAMES, Constants, limit
from tianji.hardware.uncertainty import Unknown
from tianji.parallel.plan import Plan
from tianji.prediction.many import STEP, Bundle, bundle, predict_times
from tianji.units import Array, Seconds

NOISE = 0.10
"""Relative spread of one row that the physics is not asked to explain: the same setting published twice differs by 3 % at the
median and by 10 % in one case of ten. Of 0.04, 0.06 and 0.10 this one predicts jobs, sources and frameworks left out best."""
KINSHIP = 0.2
"""A constant lies so much nearer to that of the chip's relative than to what is believed of any chip."""
LEAST = 1.0
"""A constant whose prior spread moves all rows of a chip together by less than their noise is not fitted."""
FAR = 2.0
"""Residuals of so many standard deviations count half: a run that missed by 60 % was something else, and bends nothing."""
FAINT = 0.1
"""Weaker correlations are not kept: without them no range of the measured runs changes by more than 5 %."""
ROWS_OF_ONE_JOB = 4
"""From so many rows of one job on, n rows weigh together as much as the root of their number."""


@dataclass(frozen=True, slots=True)
class FitSample:
    """One measured run that may set constants."""

    plan: Plan
    step_time: Seconds
    source: str
    architecture: str
    traits: tuple[str, ...]
    """Traits of the software: framework, release, switches, and the pair with the chip. Their effects multiply."""


def find_job(sample: FitSample) -> Hashable:
    """Return what is one job: the runs of one model on one chip by one framework, in whatever release."""
    return sample.traits[:1], sample.architecture, sample.plan.pool.chip.name


@dataclass(frozen=True, slots=True)
class System:
    """The fit's linear system at its minimum: what a small change of the unknowns does to the residuals."""

    slopes: Array
    """Of each residual by each unknown: (rows, unknowns)."""
    weights: Array
    """Of each row's squared residual, robustness included."""
    prior: Array
    """Hessian of what is believed: (unknowns, unknowns)."""

    @property
    def hessian(self) -> Array:
        """Of half the loss: (unknowns, unknowns)."""
        hessian: Array = self.slopes.T @ (self.slopes * self.weights[:, None]) + self.prior
        return hessian


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted constants by chip, software effects (factors on time) and what is left unexplained."""

    constants: Mapping[str, Constants]
    free: Mapping[str, tuple[str, ...]]
    """By chip, the constants that its rows moved."""
    errors: Mapping[str, Mapping[str, float]]
    """By chip, the standard error of each free constant's logarithm."""
    effects: Mapping[str, Mapping[str, Effect]]
    """By trait of the software and constant."""
    residuals: Array
    """log(predicted / measured) of each sample, software effects included."""
    system: System
    correlations: Mapping[Unknown, Mapping[Unknown, float]]
    """Of the errors of free constants and effects."""


def fit_chips(samples: Sequence[FitSample]) -> Fit:
    """Return the constants of every chip that has samples; with few samples only the first of FREE leave what is believed."""
    problem = _Problem(samples)
    x = solve(problem.residuals, problem.jacobian, problem.start, problem.low, problem.high)
    system = problem.system(x)
    covariance = np.linalg.inv(system.hessian)
    deviations = np.sqrt(np.diag(covariance))
    count = len(problem.slots)
    errors: dict[str, dict[str, float]] = {chip: {} for chip in problem.chips}
    for (chip, name), error in zip(problem.slots, deviations, strict=False):
        errors[chip][name] = float(error)
    effects: dict[str, dict[str, Effect]] = {}
    for i, (trait, name) in enumerate(problem.effects):
        rows = int(problem.mask[:, i].sum())
        factor, error = float(np.exp(x[count + i])), float(deviations[count + i])
        effects.setdefault(trait, {})[name] = Effect(round(factor, 4), rows, round(error, 4))
    return Fit(
        {chip: _round(values) for chip, values in problem.unpack(x).items()},
        {chip: tuple(problem.free[chip]) for chip in problem.chips},
        errors,
        effects,
        problem.misfit(x),
        system,
        _correlate([*problem.slots, *problem.effects], covariance / np.outer(deviations, deviations)),
    )


@dataclass(frozen=True, slots=True)
class EffectFit:
    """Effects of software that were fitted alone, and which rows they touch."""

    effects: Mapping[str, Mapping[str, Effect]]
    """By trait and constant."""
    rows: Sequence[bool]


def fit_effects(
    samples: Sequence[FitSample], calibration: Calibration, choose: Callable[[str], bool]
) -> EffectFit:  # fmt: skip
    """Return the effects of the traits that ``choose`` picks, with all other constants and effects as a calibration has them.

    The standard errors are those with the others certain: a little too small.
    """
    problem = _Problem(samples, calibration)
    places = [i for i, (trait, _) in enumerate(problem.effects) if choose(trait)]
    columns = np.asarray(places, dtype=int) + len(problem.slots)

    def whole(part: Array) -> Array:
        x = problem.start.copy()
        x[columns] = part
        return x

    x = solve(
        lambda part: problem.residuals(whole(part)),
        lambda part: problem.jacobian(whole(part))[:, columns],
        problem.start[columns], problem.low[columns], problem.high[columns],
    )  # fmt: skip
    slopes = problem.jacobian(whole(x))[:, columns]
    deviations = np.sqrt(np.diag(np.linalg.inv(slopes.T @ slopes)))
    effects: dict[str, dict[str, Effect]] = {}
    for place, log_factor, error in zip(places, x, deviations, strict=True):
        trait, name = list(problem.effects)[place]
        rows = int(problem.mask[:, place].sum())
        effects.setdefault(trait, {})[name] = Effect(round(float(np.exp(log_factor)), 4), rows, round(float(error), 4))
    return EffectFit(effects, [float(count) > 0.0 for count in problem.mask[:, places].sum(axis=1)])


def _correlate(unknowns: Sequence[Unknown], correlations: Array) -> dict[Unknown, dict[Unknown, float]]:
    """Return the correlations of at least FAINT, each pair under the one that comes first."""
    pairs: dict[Unknown, dict[Unknown, float]] = {}
    for i, one in enumerate(unknowns):
        felt = {other: round(float(c), 2) for other, c in zip(unknowns[i + 1 :], correlations[i, i + 1 :], strict=True)}
        if kept := {other: c for other, c in felt.items() if abs(c) >= FAINT}:
            pairs[one] = kept
    return pairs


def _fix_constants(traits: Sequence[tuple[str, ...]]) -> dict[str, tuple[Array, Array]]:
    """Return by constant which rows' switches set it, and to what."""
    lines = {**fixed_effects(), (BLOCKING, "op_blocking"): 1.0}
    fixed: dict[str, tuple[Array, Array]] = {}
    for (trait, name), value in lines.items():
        has = np.asarray([trait in stated for stated in traits])
        before = fixed.get(name, (np.zeros(len(has), dtype=bool), np.zeros(len(has))))
        fixed[name] = before[0] | has, np.where(has, value, before[1])
    return {name: (is_set, value) for name, (is_set, value) in fixed.items() if is_set.any()}


def _cap_sources(sources: Sequence[str], share: Array) -> Array:
    """Return the factor on each row's weight by which no source tells more than the one with the next most to tell."""
    information = np.maximum(share, 1.0) ** -0.5
    names = np.asarray(sources)
    sums = {name: float(information[names == name].sum()) for name in set(sources)}
    if len(sums) < 2:
        return np.ones(len(sources))
    most = sorted(sums.values())[-2]
    return np.asarray([min(most / sums[name], 1.0) ** 0.5 for name in sources])


class _Problem:
    """The least-squares problem: unknowns are log constants, chip by chip, then log effects of software."""

    def __init__(self, samples: Sequence[FitSample], calibration: Calibration | None = None) -> None:
        kinds: dict[str, Chip] = {s.plan.pool.chip.name: s.plan.pool.chip for s in samples}
        self.chips = {name: kinds[name] for name in sorted(kinds)}
        self.believed: dict[str, dict[str, Prior]] = {name: priors(chip) for name, chip in self.chips.items()}
        self.effects = choose_effects([s.traits for s in samples])
        self.bundles = bundle([s.plan for s in samples])
        self.measured = np.log([s.step_time for s in samples])
        self.mask = np.asarray([[trait in s.traits for trait, _ in self.effects] for s in samples], dtype=np.float64)
        self.fixed = _fix_constants([s.traits for s in samples])
        self.chip_of = np.asarray([s.plan.pool.chip.name for s in samples])
        counts = Counter(find_job(s) for s in samples)
        share = np.asarray([counts[find_job(s)] / ROWS_OF_ONE_JOB for s in samples])
        self.weights = np.maximum(share, 1.0) ** -0.25 / NOISE * _cap_sources([s.source for s in samples], share)
        self.free: dict[str, list[str]] = {name: [] for name in self.chips}
        self._settle()
        self.shipped = calibration.chips if calibration else None
        if calibration:
            self.start[len(self.slots) :] = [
                np.log(known.factor if (known := calibration.software.get(trait, {}).get(name)) else prior.median)
                for (trait, name), prior in self.effects.items()
            ]
            return
        self.free = self._choose_free(samples)
        self._settle()

    def _choose_free(self, samples: Sequence[FitSample]) -> dict[str, list[str]]:
        """Return by chip the constants that its rows tell most about: those whose prior spread moves the rows most.

        There is at most one for ROWS_FOR_EACH jobs, and at most MAX_FREE.
        """
        tried = self.predict(self.start, ("", *FREE))
        felt = ((tried[0] - tried[1:]) / STEP * self.weights) ** 2
        free: dict[str, list[str]] = {}
        for chip in self.chips:
            its_samples = [s for s in samples if s.plan.pool.chip.name == chip]
            jobs = {(s.source, s.architecture, s.plan.strategy, s.plan.job.precision.name) for s in its_samples}
            information = felt[:, self.chip_of == chip].sum(axis=1)
            scores = {n: t * self.believed[chip][n].spread ** 2 for n, t in zip(FREE, information, strict=True)}
            ranked = sorted((n for n in FREE if scores[n] > LEAST), key=lambda n: -scores[n])
            chosen = ranked[: min(len(jobs) // ROWS_FOR_EACH, MAX_FREE)]
            free[chip] = [n for n in FREE if n in chosen]
        return free

    def _settle(self) -> None:
        self.slots = [(chip, name) for chip in self.chips for name in self.free[chip]]
        self.place = {slot: i for i, slot in enumerate(self.slots)}
        self._believe()

    def _believe(self) -> None:
        """Set up the prior rows: a constant is near its median, or nearer to what its relative's says of it."""
        size = len(self.slots) + len(self.effects)
        self.start, self.low, self.high = np.zeros(size), np.full(size, -4.0), np.full(size, 4.0)
        self.prior, self.centre = np.zeros((size, size)), np.zeros(size)
        for i, (chip, name) in enumerate(self.slots):
            prior = self.believed[chip][name]
            median = np.log(prior.median)
            self.low[i], self.high[i] = median - 5.0, np.minimum(np.log(prior.ceiling), median + 5.0)
            self.start[i] = np.minimum(median, self.high[i] - STEP)
            self.prior[i, i], self.centre[i] = 1.0 / prior.spread, median / prior.spread
            relative = self.place.get((self.chips[chip].relative, name))
            if relative is not None:
                relatives_median = np.log(self.believed[self.chips[chip].relative][name].median)
                spread = prior.spread * KINSHIP
                self.prior[i, i], self.prior[i, relative] = 1.0 / spread, -1.0 / spread
                self.centre[i] = (median - relatives_median) / spread
        for i, effect in enumerate(self.effects.values(), len(self.slots)):
            self.start[i] = np.log(effect.median)
            self.prior[i, i], self.centre[i] = 1.0 / effect.spread, self.start[i] / effect.spread

    def unpack(self, x: Array) -> dict[str, Constants]:
        """Return constants by chip; what is not free follows the relative, else the prior. A calibration's own are kept."""
        if self.shipped is not None:
            return {chip: self.shipped[chip] for chip in self.chips}
        constants: dict[str, Constants] = {}
        for chip in sorted(self.chips, key=lambda c: len(self._ancestors(c))):
            values = {n: p.median for n, p in self.believed[chip].items()}
            for name in values.keys() - set(self.free[chip]):
                relative = self.chips[chip].relative
                if name in FREE and (relative, name) in self.place:
                    # What both are believed to differ by stays.
                    apart = self.believed[chip][name].median / self.believed[relative][name].median
                    values[name] = min(getattr(constants[relative], name) * apart, self.believed[chip][name].ceiling)
            for name in self.free[chip]:
                values[name] = float(np.exp(x[self.place[(chip, name)]]))
            constants[chip] = replace(Constants(), **values)
        return constants

    def _ancestors(self, chip: str) -> list[str]:
        ancestors: list[str] = []
        while chip in self.chips and self.chips[chip].relative in self.chips:
            chip = self.chips[chip].relative
            ancestors.append(chip)
        return ancestors

    def predict(self, x: Array, probes: Sequence[str] = ("",)) -> Array:
        """Return the log of predicted times, (probes, rows): at x, the constant that each probe names lowered by STEP."""
        constants = self.unpack(x)
        effects = list(self.effects)
        shifts = {
            name: self.mask @ np.where([e[1] == name for e in effects], x[len(self.slots) :], 0.0)
            for name in CONSTANT_NAMES
            if any(e[1] == name for e in effects)
        }

        def rowwise(b: Bundle) -> Constants:
            values: dict[str, Any] = {}
            for name in CONSTANT_NAMES:
                lowered = np.asarray([[-STEP if name == probe else 0.0] for probe in probes])
                shift = lowered + shifts[name][b.places] if name in shifts else lowered
                values[name] = limit(name, getattr(constants[b.pool.chip.name], name) * np.exp(shift))
            for name, (is_set, value) in self.fixed.items():
                values[name] = np.where(is_set[b.places], value[b.places], values[name])
            return Constants(**values)

        log_times: Array = np.log(predict_times(self.bundles, rowwise))
        return log_times

    def misfit(self, x: Array) -> Array:
        """Return log(predicted / measured) of each row."""
        misfits: Array = self.predict(x)[0] - self.measured
        return misfits

    def residuals(self, x: Array) -> Array:
        return np.concatenate([_soft(self.misfit(x) * self.weights), self.prior @ x - self.centre])

    def jacobian(self, x: Array) -> Array:
        """Return the slopes of the residuals."""
        base, slopes = self.slopes(x)
        return np.vstack([slopes * (_soft_slope(base * self.weights) * self.weights)[:, None], self.prior])

    def slopes(self, x: Array) -> tuple[Array, Array]:
        """Return the misfits at x and their slopes by finite differences.

        Each constant is moved once, for all rows: a row feels its chip's (or that of the relative that the chip follows), and
        the effects of the traits that it has.
        """
        names = sorted({name for _, name in [*self.slots, *self.effects]})
        tried = self.predict(x, ("", *names))
        felt = dict(zip(names, (tried[0] - tried[1:]) / STEP, strict=True))
        slopes = np.zeros((len(self.measured), len(x)))
        for i, (chip, name) in enumerate(self.slots):
            rows = np.isin(self.chip_of, self._followers(chip, name))
            slopes[rows, i] = felt[name][rows]
        for i, (_, name) in enumerate(self.effects):
            slopes[:, len(self.slots) + i] = self.mask[:, i] * felt[name]
        return tried[0] - self.measured, slopes

    def system(self, x: Array) -> System:
        """Return the linear system at x, with the weights that the robust loss gives there."""
        base, slopes = self.slopes(x)
        robust = self.weights**2 / (1.0 + (base * self.weights / FAR) ** 2)
        return System(slopes, robust, self.prior.T @ self.prior)

    def _followers(self, chip: str, name: str) -> list[str]:
        followers = [chip]
        for other, kind in self.chips.items():
            if other != chip and kind.relative == chip and name not in self.free[other]:
                followers += self._followers(other, name)
        return followers


def _round(constants: Constants) -> Constants:
    """Return constants to five digits: more would suggest a certainty that no fit has."""
    return replace(constants, **{name: float(f"{getattr(constants, name):.5g}") for name in CONSTANT_NAMES})


def _soft(z: Array) -> Array:
    """Return the root of Cauchy's loss, with the sign of its argument: linear near 0, flat far out."""
    root: Array = np.sign(z) * FAR * np.sqrt(np.log1p((z / FAR) ** 2))
    return root


def _soft_slope(z: Array) -> Array:
    root = _soft(z)
    safe = np.where(np.abs(z) < 1e-8, 1.0, root)
    slope: Array = np.where(np.abs(z) < 1e-8, 1.0, z / ((1.0 + (z / FAR) ** 2) * safe))
    return slope
