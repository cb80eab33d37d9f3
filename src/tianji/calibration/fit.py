"""Fit the constants of one chip to measured step times: robust, regularised, deterministic.

Minimised is the sum of soft-L1 losses of log(predicted · software / measured) / σ over the rows, plus squared distances of the
constants' logarithms from their priors, plus squared software effects over their spread. Rows of one job count less the more of
them there are, so that a table of a thousand small variations does not outvote the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import least_squares  # type: ignore[import-untyped]

from tianji.calibration.parameters import FREE, ROWS_FOR_EACH, Prior, priors
from tianji.hardware import Chip
from tianji.hardware.calibration import Constants
from tianji.parallel.plan import Plan
from tianji.prediction import bundle, predict_many
from tianji.units import Array, Seconds

NOISE = 0.04
"""Relative spread of one row that the physics is not asked to explain: the same setting published twice differs by 3 %."""
SOFTWARE_SPREAD = 0.05
"""Relative spread of one software trait (a framework, a release, a mode of running it) around the chip's mean."""
STEP = 1e-3
"""Step of the finite differences, in the logarithm of a constant."""
ROWS_OF_ONE_JOB = 4
"""From so many rows of one source and architecture on, each further row adds less weight."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured run that may set constants."""

    plan: Plan
    step_time: Seconds
    source: str
    architecture: str
    software: tuple[str, ...]
    """Traits of the software: framework, release, mode. Each has a factor on time; they multiply."""


@dataclass(frozen=True, slots=True)
class Fit:
    """The fitted constants of one chip, the software effects (factors on time) and what is left unexplained."""

    constants: Constants
    errors: Mapping[str, float]
    """Standard error of each free constant's logarithm."""
    software: Mapping[str, float]
    residuals: Array
    """log(predicted / measured) of each sample, software effects included."""
    rows: int


def fit_chip(chip: Chip, samples: Sequence[Sample], beliefs: Mapping[str, Prior] | None = None) -> Fit:
    """Return the constants of a chip from its samples; with few samples only the first of FREE leave their priors.

    ``beliefs`` replaces the published priors (those of a relative that was fitted before, for one).
    """
    believed = dict(beliefs or priors(chip))
    free = _free(samples, believed)
    names = sorted({trait for s in samples for trait in s.software})
    problem = _Problem(chip, samples, believed, free, names)
    start = np.concatenate([problem.start(), np.zeros(len(names))])
    solution = least_squares(
        problem.residuals, start, jac=problem.jacobian, bounds=problem.bounds(), max_nfev=60, x_scale="jac"
    )
    constants, effects = problem.unpack(solution.x)
    spread = _errors(solution.jac)
    left = problem.misfit(solution.x)
    return Fit(
        constants,
        dict(zip(free, spread, strict=False)),
        {name: float(np.exp(e)) for name, e in zip(names, effects, strict=True)},
        left,
        len(samples),
    )


def _free(samples: Sequence[Sample], believed: Mapping[str, Prior]) -> list[str]:
    jobs = {(s.source, s.architecture, s.plan.strategy, s.plan.job.precision.name) for s in samples}
    narrow = any(s.plan.job.precision.quantized for s in samples)
    spread = any(s.plan.strategy.chips > s.plan.pool.node for s in samples)
    usable = [n for n in FREE if n in believed and (narrow or n != "narrow_efficiency")]
    usable = [n for n in usable if spread or n != "scale_out_efficiency"]
    return usable[: len(jobs) // ROWS_FOR_EACH]


class _Problem:
    """The least-squares problem of one chip; parameters are log constants, then log software factors."""

    def __init__(
        self, chip: Chip, samples: Sequence[Sample], believed: Mapping[str, Prior], free: list[str], names: list[str]
    ) -> None:
        self.free, self.believed, self.names = free, believed, names
        self.fixed = replace(Constants(), **{n: p.median for n, p in believed.items()})
        self.bundles = bundle([s.plan for s in samples])
        self.measured = np.log([s.step_time for s in samples])
        self.traits = np.asarray([[name in s.software for name in names] for s in samples], dtype=np.float64)
        counts = Counter((s.source, s.architecture) for s in samples)
        share = np.asarray([counts[(s.source, s.architecture)] / ROWS_OF_ONE_JOB for s in samples])
        self.weights = 1.0 / np.sqrt(np.maximum(share, 1.0)) / NOISE
        self.mean = np.log([believed[n].median for n in free])
        self.spread = np.asarray([believed[n].spread for n in free])

    def start(self) -> Array:
        ceilings = np.log([self.believed[n].ceiling for n in self.free])
        found: Array = np.minimum(self.mean, ceilings - 1e-3)
        return found

    def bounds(self) -> tuple[Array, Array]:
        ceilings = np.log([self.believed[n].ceiling for n in self.free])
        wide = np.full(len(self.names), 2.0)
        return np.concatenate([self.mean - 5.0, -wide]), np.concatenate([np.minimum(ceilings, self.mean + 5.0), wide])

    def unpack(self, x: Array) -> tuple[Constants, Array]:
        values = {n: float(np.exp(v)) for n, v in zip(self.free, x, strict=False)}
        return replace(self.fixed, **values), x[len(self.free) :]

    def misfit(self, x: Array) -> Array:
        constants, effects = self.unpack(x)
        predicted = predict_many(self.bundles, lambda chip: constants).step_time
        found: Array = np.log(predicted) + self.traits @ effects - self.measured
        return found

    def residuals(self, x: Array) -> Array:
        k = len(self.free)
        robust = _soft(self.misfit(x) * self.weights)
        return np.concatenate([robust, (x[:k] - self.mean) / self.spread, x[k:] / SOFTWARE_SPREAD])

    def jacobian(self, x: Array) -> Array:
        """Finite differences for the constants; software effects are linear."""
        k, rows = len(self.free), len(self.measured)
        base = self.misfit(x)
        found = np.zeros((rows + len(x), len(x)))
        for i in range(k):
            moved = x.copy()
            moved[i] -= STEP
            found[:rows, i] = (base - self.misfit(moved)) / STEP
        found[:rows, k:] = self.traits
        scaled = base * self.weights
        found[:rows] *= (_soft_slope(scaled) * self.weights)[:, None]
        found[rows + np.arange(len(x)), np.arange(len(x))] = np.concatenate(
            [1.0 / self.spread, np.full(len(x) - k, 1.0 / SOFTWARE_SPREAD)]
        )
        return found


def _soft(z: Array) -> Array:
    """Return the root of the soft-L1 loss, with the sign of its argument: linear near 0, a square root far out."""
    found: Array = np.sign(z) * np.sqrt(2.0 * (np.sqrt(1.0 + z**2) - 1.0))
    return found


def _soft_slope(z: Array) -> Array:
    root = _soft(z)
    safe = np.where(np.abs(z) < 1e-8, 1.0, root)
    found: Array = np.where(np.abs(z) < 1e-8, 1.0, z / (np.sqrt(1.0 + z**2) * safe))
    return found


def _errors(jacobian: Array) -> Array:
    """Return standard errors from the Gauss-Newton Hessian; the priors keep it invertible."""
    found: Array = np.sqrt(np.diag(np.linalg.inv(jacobian.T @ jacobian)))
    return found
