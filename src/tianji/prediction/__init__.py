"""One plan in, one result out; or many at once."""

from tianji.prediction.many import (
    Bundle,
    BundledEstimates,
    bundle,
    group_alike,
    predict_many,
    predict_times,
    stack_constants,
)
from tianji.prediction.predict_plan import fits, predict, predict_together

__all__ = [
    "Bundle",
    "BundledEstimates",
    "bundle",
    "fits",
    "group_alike",
    "predict",
    "predict_many",
    "predict_times",
    "predict_together",
    "stack_constants",
]
