"""One plan in, one result out."""

from tianji.prediction.predict_plan import predict

__all__ = ["predict"]
