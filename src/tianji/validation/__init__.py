"""Published measurements, read into rows that can be predicted, and what the predictions are worth."""

from tianji.validation.pricing import Prediction, predict_rows
from tianji.validation.table import Row, Skipped, Table, read_table

__all__ = ["Prediction", "Row", "Skipped", "Table", "predict_rows", "read_table"]
