"""Runs every `$ tianji ...` and every Python cell of the documents again and puts what it prints below it.

Usage: .venv/bin/python scripts/refresh_docs.py [PAGE ...]
A block of kind console holds one command in its first line. A block of kind python before one of kind text is a cell, as in
a notebook: all cells of a page share their names, and the last expression of a cell is shown. Output is cut where the
block's own output had `...`.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```console\n\$ (tianji[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CELL = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CUT = "..."
WIDTH = 100


def run_command(line: str, folder: str) -> str:
    """Return what a command prints, as it appears in a terminal without colour."""
    command = [sys.executable, "-m", *shlex.split(line)]
    environment = {**os.environ, "COLUMNS": str(WIDTH), "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return "\n".join(text.rstrip() for text in (done.stdout + done.stderr).splitlines()) + "\n"


def run_cell(code: str, names: dict[str, Any]) -> str:
    """Return what a cell prints, and the last expression's value as a notebook shows it."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "<cell>", "exec"), names)
        value = (
            eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if isinstance(last, ast.Expr) else None
        )
        if value is not None:
            print(repr(value))
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines()) + "\n"


def cut_like(output: str, old: str) -> str:
    """Return an output cut where the old one was."""
    lines = old.splitlines()
    if not lines or lines[-1] != CUT:
        return output
    return "\n".join(output.splitlines()[: max(len(lines) - 1, 1)]) + f"\n{CUT}\n"


def refresh(text: str, folder: str) -> str:
    """Return a document with the outputs of today."""
    names: dict[str, Any] = {}

    def fill(match: re.Match[str]) -> str:
        return f"```console\n$ {match[1]}\n{cut_like(run_command(match[1], folder), match[2])}```"

    def fill_cell(match: re.Match[str]) -> str:
        return f"```python\n{match[1]}```\n\n```text\n{cut_like(run_cell(match[1], names), match[2])}```"

    with contextlib.chdir(folder):
        return CELL.sub(fill_cell, BLOCK.sub(fill, text))


def main() -> None:
    """Refresh the documents that are named, or every document of the project."""
    pages = [Path(name).resolve() for name in sys.argv[1:]] or [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for page in pages:
            text = page.read_text(encoding="utf-8")
            if (fresh := refresh(text, folder)) != text:
                page.write_text(fresh, encoding="utf-8")
                print(f"refreshed {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
