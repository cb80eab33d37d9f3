"""An empty table of measured runs: the columns that most runs need, and one line that shows what stands in them."""

from __future__ import annotations

import csv
import io

TEMPLATE = {
    "id": "run-1", "source": "our cluster", "pool": "hgx-h100", "n_chips": "64", "framework": "megatron-lm", "release": "",
    "launch": "", "arch_key": "llama3_8b", "seq_len": "8192", "global_batch_size": "512", "micro_batch_size": "1",
    "precision": "bf16", "tp": "2", "pp": "1", "vpp": "1", "cp": "1", "ep": "1", "zero": "1", "recompute": "none",
    "overlap_dp": "true", "overlap_tp": "false", "step_time_s": "", "memory_gb_per_chip": "",
}  # fmt: skip
"""By column, what its line shows. What was measured is empty: the line counts as no run until somebody fills it in."""


def write_template() -> str:
    """Return the table as CSV: a header and one line."""
    text = io.StringIO()
    out = csv.DictWriter(text, fieldnames=list(TEMPLATE), lineterminator="\n")
    out.writeheader()
    out.writerow(TEMPLATE)
    return text.getvalue()
