"""Published beside predicted: what the predictions are worth."""

from tianji.validation.pricing import Prediction, predict_rows

__all__ = ["Prediction", "predict_rows"]
