"""A model's twin: the same model with the same weights, trained by PyTorch and by MindSpore, and judged for parity."""

from tianji.migration.twin.twin import Twin, TwinRun, TwinSizes, make_twin, run_twin

__all__ = ["Twin", "TwinRun", "TwinSizes", "make_twin", "run_twin"]
