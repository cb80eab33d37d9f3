"""Pool against pool: the same work side by side, how many chips of one replace another's, how large a pool must be."""

from tianji.comparison.assessment import Assessment, Assumptions, assess
from tianji.comparison.mixed_replacement import replace_by_mixture
from tianji.comparison.replacement import MATCHES, Replacement, replace_pool
from tianji.comparison.side_by_side import Comparison, compare
from tianji.comparison.sizing import Sizing, size_pool

__all__ = [
    "MATCHES", "Assessment", "Assumptions", "Comparison", "Replacement", "Sizing", "assess", "compare",
    "replace_by_mixture", "replace_pool", "size_pool",
]  # fmt: skip
