"""Strategies: how a job is cut over the chips of a pool."""

from tianji.parallel.strategy import CHOICES, DEGREES, FIELDS, Strategy, read_field, read_strategy

__all__ = ["CHOICES", "DEGREES", "FIELDS", "Strategy", "read_field", "read_strategy"]
