"""Published beside predicted: what the predictions are worth."""

from tianji.validation.accuracy import GROUPS, Accuracy, MemoryAccuracy
from tianji.validation.pricing import Prediction, predict_rows
from tianji.validation.sweeps import Ranking, Sweep, find_sweeps
from tianji.validation.verdict import Verdict, find_tables, read_runs, validate

__all__ = [
    "GROUPS", "Accuracy", "MemoryAccuracy", "Prediction", "Ranking", "Sweep", "Verdict", "find_sweeps", "find_tables",
    "predict_rows", "read_runs", "validate",
]  # fmt: skip
