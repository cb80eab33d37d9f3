"""Corrections to datasheet figures, fitted to measured runs."""

from tianji.calibration.fit import Fit, FitSample, find_job, fit_chips
from tianji.calibration.measured import calibrate_rows, choose_rows, sample_row
from tianji.calibration.own_rows import Added, OwnPair, add_rows, compare_pairs
from tianji.calibration.parameters import FREE, priors
from tianji.calibration.ranges import leave_out
from tianji.catalog.beliefs import Prior

__all__ = [
    "FREE",
    "Added",
    "Fit",
    "FitSample",
    "OwnPair",
    "Prior",
    "add_rows",
    "calibrate_rows",
    "choose_rows",
    "compare_pairs",
    "find_job",
    "fit_chips",
    "leave_out",
    "priors",
    "sample_row",
]
