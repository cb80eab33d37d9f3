"""Worlds: what the step times of some strategies may be, drawn from what the calibration leaves open.

A world has its own constants, drawn from the posterior of the fit (:mod:`tianji.hardware.uncertainty`), under which every
strategy is priced anew. What no constant explains has two parts. Layouts with one value of a field may err together: all with
tp 4 may be slower than is thought. And each layout has an error of its own, which physics as smooth as ours cannot follow.

The first two kinds of error flatter the fastest of many estimates, since a search leans on whatever is priced too low. The third
does not: it is scatter of the truth around the estimate. So measured sweeps have it (:attr:`Worlds.optimism`). All is drawn from
one seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import CONSTANTS, Constants, limit
from tianji.hardware.uncertainty import Uncertainty
from tianji.parallel.grid import Grid, number_alike
from tianji.parallel.strategy import Strategy
from tianji.perf.step import estimate_step
from tianji.units import Array
from tianji.workload import Job

SEED = 20261130
DRAWS = 64
"""Draws of the constants, in pairs that mirror each other."""
TOGETHER = 256
"""Strategies that are priced under all draws at once: few enough for the cache."""
ERRORS = 4
"""Draws of the layouts' errors for each draw of the constants."""
APART = ("tp", "pp", "cp", "ep", "etp", "micro_batch_size", "recompute", "schedule")
"""Fields of which each value has an error of its own: all layouts with tp 4 may be slower than is thought."""
SCATTER = 0.02
"""Standard deviation of that error, in log time, of one value of a field."""
OWN = 0.03
"""Standard deviation of the error of one layout alone. Both are likeliest on the sweeps of the fit rows, half by vTrain's, whose
times are sums of parts (they ask for 0.06), half by all other sources (0); ``benchmarks/accuracy/choices.py`` has the table."""


@dataclass(frozen=True, slots=True)
class Worlds:
    """Log step times of some strategies as they are predicted, and as they may be."""

    predicted: Array
    """(strategies,)."""
    shared: Array
    """(worlds, strategies): under the drawn constants and the errors that layouts share."""
    own: Array
    """(worlds, strategies): the errors of each layout alone."""

    @property
    def drawn(self) -> Array:
        """What the log step times may be: (worlds, strategies)."""
        drawn: Array = self.shared + self.own
        return drawn

    @property
    def optimism(self) -> float:
        """By how much (in log time) the fastest of all strategies is expected to take longer than is predicted for it.

        Who predicts as in one of the worlds, and picks its fastest, is promised that world's least time; what it then takes is
        another matter. The mean over the worlds, with our prediction for the truth, is the bias of a least estimate (parametric
        bootstrap; Smith & Winkler 2006 call it the optimizer's curse). Errors of a layout alone are left out: in measured sweeps
        the fastest estimates are no more wrong than the others.
        """
        picks = self.shared.argmin(axis=1)
        promised = self.shared[np.arange(len(picks)), picks]
        return max(float(np.mean(self.predicted[picks] - promised)), 0.0)


def regret_of(times: Array) -> Array:
    """Return the time of each strategy in each world over that of the world's fastest, less 1, from log times."""
    regret: Array = np.expm1(times - times.min(axis=1, keepdims=True))
    return regret


def draw_worlds(
    job: Job, pool: Pool, calibration: Calibration, strategies: Sequence[Strategy], *, seed: int = SEED,
    traits: Sequence[str] | None = None,
) -> Worlds:  # fmt: skip
    """Return the step times of strategies on one number of chips under the drawn constants and errors of layouts.

    ``traits`` are those of the software; None is the reference.
    """
    random = np.random.default_rng(seed)
    grid = Grid.of(*strategies)
    constants, doubt = calibration.constants(pool.chip, traits), calibration.doubt(pool.chip, traits)
    drawn = draw_constants(constants, doubt, _mirrored(random, DRAWS, len(doubt.names)))
    predicted = np.log(np.broadcast_to(estimate_step(job, pool, constants, grid), grid.shape))
    numbers = np.arange(len(strategies)) // TOGETHER
    parts = [grid.keep(numbers == number) for number in range(int(numbers[-1]) + 1)]
    seconds = [np.broadcast_to(estimate_step(job, pool, drawn, g), (DRAWS, *g.shape)) for g in parts]
    times = np.log(np.concatenate(seconds, axis=1))
    worlds = DRAWS * ERRORS
    shared = np.repeat(times, ERRORS, axis=0) + draw_errors(grid, random, worlds)
    return Worlds(predicted, shared, OWN * _mirrored(random, worlds, len(strategies)))


def draw_constants(constants: Constants, doubt: Uncertainty, normal: Array) -> Constants:
    """Return constants with an axis of draws before the grid's: ``normal`` is (draws, names of the doubt).

    None leaves the bounds that files are held to.
    """
    values, vectors = np.linalg.eigh(doubt.posterior)
    shifts = normal @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    moved: dict[str, Any] = {}
    for i, name in enumerate(doubt.names):
        known, value = CONSTANTS[name], getattr(constants, name)
        moved[name] = np.clip(limit(name, value * np.exp(shifts[:, [i]])), min(known.least, value), known.most)
    return replace(constants, **moved)


def draw_errors(grid: Grid, random: np.random.Generator, draws: int) -> Array:
    """Return errors of log time, (draws, strategies): a sum over fields, each value of a field with its own."""
    errors = np.zeros((draws, *grid.shape))
    for name in APART:
        values, codes = number_alike(np.broadcast_to(getattr(grid, name), grid.shape))
        normal = _mirrored(random, draws, len(values))
        if len(values) > 1:
            errors += SCATTER * normal[:, codes]
    return errors


def _mirrored(random: np.random.Generator, draws: int, width: int) -> Array:
    """Return standard normal numbers (draws, width) of which each row has its negative among the others."""
    half = random.standard_normal((draws // 2, width))
    return np.concatenate([half, -half])
