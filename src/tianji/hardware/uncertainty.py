"""How unsure a calibration's constants are, and what that does to a prediction.

A prediction whose time hangs on a constant that few runs told about is less sure than one of the kind that was measured. With the
slope g of log time by the logarithm of each constant and their covariance C, its variance is gᵀ C g (Gaussian error propagation);
ranges count DOUBTED of its root.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tianji.units import Array

Unknown = tuple[str, str]
"""What a fit looked for: a chip or a trait of software, and the constant."""
Correlations = Mapping[Unknown, Mapping[Unknown, float]]
"""Of pairs of unknowns, each pair once; what is not there is 0."""

RANGE_80 = 1.2816
"""Standard deviations from the middle of a normal distribution to the end of its central 80 %."""
DOUBTED = 0.3
"""Share of a standard error that ranges count. Errors follow from priors that are broad on purpose: what a constant turned out
to be differed from what was believed by less than the stated spread. Of 0, 0.1, 0.2, 0.3, 0.4 and 0.6 this one gives runs of a
source that was left out the best ranges (interval score of Gneiting & Raftery 2007)."""


@dataclass(frozen=True, slots=True)
class Uncertainty:
    """The covariance of the logarithms of some constants, as far as ranges count it."""

    names: tuple[str, ...]
    covariance: Array
    """(names, names)."""

    @property
    def posterior(self) -> Array:
        """The covariance as the fit leaves it, (names, names): all of each standard error."""
        posterior: Array = self.covariance / DOUBTED**2
        return posterior

    def deviation(self, slopes: Array) -> Array:
        """Return the standard deviation of log time: ``slopes`` (names, ...) say how it moves with each constant."""
        variance = np.einsum("i...,ij,j...->...", slopes, self.covariance, slopes)
        deviation: Array = np.sqrt(np.maximum(variance, 0.0))
        return deviation

    def name_worst(self, slopes: Array) -> str:
        """Return the constant that most of the variance of log time comes from: ``slopes`` are (names,)."""
        return self.names[int(np.argmax(slopes * (self.covariance @ slopes)))] if self.names else ""


def combine(errors: Mapping[Unknown, float], correlations: Correlations) -> Uncertainty:
    """Return the doubt about the constants that some unknowns make up together, from their standard errors.

    A constant of a plan is that of its chip times the effect of each trait of its software: in the logarithm they add.
    Correlations that were rounded, or that a file makes up, may be those of nothing: the nearest that can be counts.
    """
    names = tuple(sorted({constant for _, constant in errors}))
    place = {name: i for i, name in enumerate(names)}
    covariance = np.zeros((len(names), len(names)))
    for one, error in errors.items():
        i = place[one[1]]
        covariance[i, i] += error**2
        for other, alike in correlations.get(one, {}).items():
            if other in errors:
                j, shared = place[other[1]], alike * error * errors[other]
                covariance[i, j] += shared
                covariance[j, i] += shared
    values, vectors = np.linalg.eigh(covariance)
    possible = (vectors * np.maximum(values, 0.0)) @ vectors.T
    return Uncertainty(names, DOUBTED**2 * possible)
