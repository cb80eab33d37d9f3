"""Results: what a plan gives, predicted or measured."""

from tianji.result.measurement import Measurement, Traffic
from tianji.result.result import Result
from tianji.result.result_file import read_result, write_result

__all__ = ["Measurement", "Result", "Traffic", "read_result", "write_result"]
