"""CPU seconds of commands in two checkouts, side by side: processes of both alternate, and the least of each counts.

python benchmarks/side_by_side.py BEFORE [RUNS]        # BEFORE: a checkout of the older commit
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).parents[1]
COMMANDS = {
    "--help": "--help",
    "plan llama-3.1-8b, 16 H100": "plan llama-3.1-8b hgx-h100 --chips 16 --batch 64 --json",
    "plan llama-3.1-70b, 512 H100": "plan llama-3.1-70b hgx-h100 --chips 512 --json",
    "plan gpt3-175b, 4,096 A100": "plan gpt3-175b dgx-a100 --chips 4096 --batch 4096 --json",
    "plan deepseek-v3, CloudMatrix384": "plan deepseek-v3 cloudmatrix384 --json",
    "plan deepseek-v3, 8,192 950DT": "plan deepseek-v3 atlas-950-superpod --precision fp8 --json",
    "validate": "validate --json",
    "replace llama-3.1-405b": "replace llama-3.1-405b --from 1024xhgx-h100 --with atlas-950-superpod --json",
}


def cpu_seconds(checkout: Path, words: str, compiled: Path) -> float:
    """Return user and system seconds of one command under the source of a checkout, its modules compiled as when installed."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(checkout / "src"), "PYTHONPYCACHEPREFIX": str(compiled), "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "tianji", *words.split()],
        env=environment, cwd=checkout, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(before: Path, runs: int) -> None:
    """Print the least CPU seconds of each command before and now, and their ratio."""
    print(f"{'command':<34}{'before':>9}{'now':>9}{'now over before':>18}")
    with TemporaryDirectory() as folder:
        compiled = Path(folder) / "before", Path(folder) / "now"
        for name, words in COMMANDS.items():
            old, new = [], []
            for _ in range(runs + 1):  # the first one compiles
                old.append(cpu_seconds(before, words, compiled[0]))
                new.append(cpu_seconds(HERE, words, compiled[1]))
            print(f"{name:<34}{min(old):>9.2f}{min(new):>9.2f}{min(new) / min(old):>18.2f}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
