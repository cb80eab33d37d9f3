"""Results: what a plan gives, predicted or measured."""

from tianji.result.measurement import Measurement, Traffic
from tianji.result.result import Range, Result
from tianji.result.result_file import read_result, write_result

__all__ = ["Measurement", "Range", "Result", "Traffic", "read_result", "write_result"]
