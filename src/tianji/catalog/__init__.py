"""Chips, pools, models and calibrations as data, each figure with its source."""

from tianji.catalog.calibrations import list_calibrations, load_calibration, write_calibration
from tianji.catalog.chips import list_chips, load_chip
from tianji.catalog.entries import read_text
from tianji.catalog.failures import failures_of, list_failure_profiles, load_failures, read_failure_rows
from tianji.catalog.jobs import make_job
from tianji.catalog.models import list_models, load_model, training_defaults
from tianji.catalog.pools import list_pools, load_pool
from tianji.catalog.sources import Source, find_sources, load_sources

__all__ = [
    "Source",
    "failures_of",
    "find_sources",
    "list_calibrations",
    "list_chips",
    "list_failure_profiles",
    "list_models",
    "list_pools",
    "load_calibration",
    "load_chip",
    "load_failures",
    "load_model",
    "load_pool",
    "load_sources",
    "make_job",
    "read_failure_rows",
    "read_text",
    "training_defaults",
    "write_calibration",
]
