"""Tables of measured training runs, read into rows that can be predicted and fitted to."""

from tianji.measurements.rows import Row
from tianji.measurements.table import MeasuredTable, Skipped, read_table

__all__ = ["MeasuredTable", "Row", "Skipped", "read_table"]
