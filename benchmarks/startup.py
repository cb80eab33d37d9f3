"""Seconds until the command line answers: the best of several starts, each a process of its own.

python benchmarks/startup.py
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

RUNS = 7
COMMANDS: dict[str, list[str]] = {
    "python (nothing imported)": ["-c", ""],
    "tianji --help": ["-m", "tianji", "--help"],
    "tianji plan llama-3.1-8b hgx-h100 --chips 64": [
        "-m", "tianji", "plan", "llama-3.1-8b", "hgx-h100", "--chips", "64", "--json",
    ],
    "tianji plan deepseek-v3 atlas-950-superpod": [
        "-m", "tianji", "plan", "deepseek-v3", "atlas-950-superpod", "--precision", "fp8", "--json",
    ],
}  # fmt: skip


def main() -> None:
    """Print the least wall-clock seconds of each command, and what a plan takes above its search."""
    print(f"{'command':<48}{'seconds':>9}{'above the search':>18}")
    for name, arguments in COMMANDS.items():
        best, above = float("inf"), float("inf")
        for _ in range(RUNS):
            started = time.perf_counter()
            done = subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True)
            seconds = time.perf_counter() - started
            best = min(best, seconds)
            if "--json" in arguments:
                above = min(above, seconds - json.loads(done.stdout)["search"]["seconds"])
        print(f"{name:<48}{best:>9.2f}" + (f"{above:>18.2f}" if "--json" in arguments else ""))


if __name__ == "__main__":
    main()
