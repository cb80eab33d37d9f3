"""Sources of published runs that are told apart from the others."""

COMPOSED = ("vTrain ground truth, single node (1-8 A100)",)
"""Sources whose times were put together, not measured: theirs are linear in micro-batches and in layers to the last digit."""

TUNED = ("MLPerf", "NVIDIA dgxc", "NVIDIA NeMo docs", "NVIDIA Megatron-Bridge")
"""Beginnings of sources whose layouts were tuned for the rate: benchmark submissions and published performance recipes."""
