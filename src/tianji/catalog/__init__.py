"""Chips, pools, models and calibrations as data, each figure with its source."""

from tianji.catalog.calibrations import list_calibrations, load_calibration, write_calibration
from tianji.catalog.chips import find_chip, list_chips, load_chip
from tianji.catalog.entries import read_text
from tianji.catalog.failures import failures_of, list_failure_profiles, load_failures, read_failure_rows
from tianji.catalog.firm_quotes import FirmQuote, find_firm_quote, load_firm_quotes
from tianji.catalog.jobs import make_job, usual_precision
from tianji.catalog.models import list_models, load_model, training_defaults
from tianji.catalog.pools import list_pools, load_pool
from tianji.catalog.prices import Quote, load_quotes
from tianji.catalog.sites import (
    Ownership,
    PowerFigures,
    Site,
    list_sites,
    load_ownership,
    load_power,
    load_site,
    site_of,
)
from tianji.catalog.software import Framework, complete_software, find_software, list_software, load_framework
from tianji.catalog.sources import Source, find_sources, load_sources

__all__ = [
    "FirmQuote",
    "Framework",
    "Ownership",
    "PowerFigures",
    "Quote",
    "Site",
    "Source",
    "complete_software",
    "failures_of",
    "find_chip",
    "find_firm_quote",
    "find_software",
    "find_sources",
    "list_calibrations",
    "list_chips",
    "list_failure_profiles",
    "list_models",
    "list_pools",
    "list_sites",
    "list_software",
    "load_calibration",
    "load_chip",
    "load_failures",
    "load_firm_quotes",
    "load_framework",
    "load_model",
    "load_ownership",
    "load_pool",
    "load_power",
    "load_quotes",
    "load_site",
    "load_sources",
    "make_job",
    "read_failure_rows",
    "read_text",
    "site_of",
    "training_defaults",
    "usual_precision",
    "write_calibration",
]
