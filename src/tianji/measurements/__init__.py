"""Tables of measured training runs, read into rows that can be predicted and fitted to."""

from tianji.measurements.table import Row, Skipped, Table, read_table

__all__ = ["Row", "Skipped", "Table", "read_table"]
