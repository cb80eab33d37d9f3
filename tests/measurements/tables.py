"""A row of a measured table for the tests of this room."""

from collections.abc import Mapping
from pathlib import Path

from tianji.measurements.cells import Cells

GOOD: Mapping[str, str] = {
    "id": "a", "split": "fit", "quality": "A", "source": "ours", "pool": "hgx-h100", "n_chips": "8",
    "framework": "megatron-lm", "layers": "24", "hidden": "2048", "ffn": "8192", "heads": "16", "vocab": "50304",
    "seq_len": "1024", "global_batch_size": "64", "micro_batch_size": "2", "tp": "2", "pp": "1", "zero": "1",
    "precision": "bf16", "recompute": "none", "tokens_per_s_per_chip": "16384",
}  # fmt: skip
MOE: Mapping[str, str] = {"n_experts": "8", "top_k": "2", "moe_ffn": "8192", "ep": "2"}


def cells(**changes: str) -> Cells:
    """Return the cells of a good row with some of them changed."""
    return Cells({**GOOD, **changes}, 2)


def write_rows(folder: Path, *rows: Mapping[str, str]) -> Path:
    """Write a table of rows; a column that a row lacks is empty in it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([row.get(name, "") for name in names] for row in rows)]
    path = folder / "runs.csv"
    path.write_text("\n".join(",".join(f'"{cell}"' for cell in line) for line in lines) + "\n", encoding="utf-8")
    return path
