"""Chips, pools and models as data, each figure with its source."""

from tianji.catalog.chips import list_chips, load_chip
from tianji.catalog.entries import read_text
from tianji.catalog.pools import list_pools, load_pool
from tianji.catalog.sources import Source, find_sources, load_sources

__all__ = ["Source", "find_sources", "list_chips", "list_pools", "load_chip", "load_pool", "load_sources", "read_text"]
