"""Results: what a plan gives, predicted or measured."""

from tianji.result.result import Range, Result

__all__ = ["Range", "Result"]
