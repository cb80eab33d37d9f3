"""Runs every `$ tianji ...` of the documents again and puts what it prints below it.

Usage: .venv/bin/python scripts/refresh_docs.py
A block of kind console holds one command in its first line; its output is cut where the block's own output had `...`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```console\n\$ (tianji[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CUT = "..."
WIDTH = 100


def run_command(line: str, folder: str) -> str:
    """Return what a command prints, as it appears in a terminal without colour."""
    command = [sys.executable, "-m", *shlex.split(line)]
    environment = {**os.environ, "COLUMNS": str(WIDTH), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return "\n".join(text.rstrip() for text in (done.stdout + done.stderr).splitlines()) + "\n"


def refresh(text: str, folder: str) -> str:
    """Return a document with the outputs of today."""

    def fill(match: re.Match[str]) -> str:
        output, old = run_command(match[1], folder), match[2].splitlines()
        if old and old[-1] == CUT:
            output = "\n".join(output.splitlines()[: max(len(old) - 1, 1)]) + f"\n{CUT}\n"
        return f"```console\n$ {match[1]}\n{output}```"

    return BLOCK.sub(fill, text)


def main() -> None:
    """Refresh every document of the project."""
    with tempfile.TemporaryDirectory() as folder:
        for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
            text = page.read_text(encoding="utf-8")
            if (fresh := refresh(text, folder)) != text:
                page.write_text(fresh, encoding="utf-8")
                print(f"refreshed {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
