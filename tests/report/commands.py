"""One command for each kind of answer that is moved to a document, a view and renderers."""

import re
import shlex
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "extending.md"

COMMANDS = {
    "prediction": "predict llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 8 --tokens 1T",
    "plan": "plan llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tokens 1T --explain tp=8",
    "mixture": "plan llama-3.1-8b a100-h100 --tokens 1T",
    "goodput": "goodput llama-3.1-8b hgx-h100 --chips 512 --batch 1024 --tp 4 --price '2 USD' --tokens 1T",
    "comparison": "compare llama-3.1-8b 64xhgx-h100 64xatlas-900-a2 64xatlas-950-superpod --tokens 1T",
    "replacement": "replace llama-3.1-8b --from 64xhgx-h100 --with atlas-900-a2 --batch 256 --points 4 --buy",
    "sizing": "size llama-3.1-8b hgx-h100 --batch 256 --tokens 1T --days 30 --budget 1000000",
    "validation": "validate {folder}/runs.csv --group-by chip,feature",
    "calibration": "calibrate {folder}/runs.csv --out {folder}/mine.toml --date 2026-11-30",
    "columns": "validate --columns",
}
"""By the name of the document; each as small as its answer allows. ``runs.csv`` is the table of the extending guide."""


def read_runs() -> str:
    """Return the table of measured runs that docs/extending.md shows."""
    (text,) = re.findall(r"^`runs.csv`:\n\n```csv\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(text)


def words_of(name: str, folder: Path) -> list[str]:
    """Return the words of a command; its files lie in a folder."""
    (folder / "runs.csv").write_text(read_runs(), encoding="utf-8")
    return shlex.split(COMMANDS[name].format(folder=folder))
