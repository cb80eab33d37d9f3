"""Corrections to datasheet figures, fitted to measured runs."""

from tianji.calibration.fit import Fit, Sample, fit_chip
from tianji.calibration.parameters import FREE, Prior, priors

__all__ = ["FREE", "Fit", "Prior", "Sample", "fit_chip", "priors"]
