"""Chips, links, tiers and pools: what the job runs on."""

from tianji.hardware.chip import DTYPES, Chip
from tianji.hardware.figure import CONFIDENCES, Figure
from tianji.hardware.pool import TOPOLOGIES, Pool, Tier

__all__ = ["CONFIDENCES", "DTYPES", "TOPOLOGIES", "Chip", "Figure", "Pool", "Tier"]
