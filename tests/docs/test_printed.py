"""What a page shows below a command is what the command prints."""

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from shown import load_script, timeless
from tianji.cli import main

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("cli.md", "index.md")
SCRIPT = load_script()
BLOCKS = [(page, *block) for page in PAGES for block in SCRIPT.BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))]


def test_the_blocks_of_every_page_are_found() -> None:
    shown = sum((DOCS / page).read_text(encoding="utf-8").count("```console") for page in PAGES)
    assert len(BLOCKS) == shown > 4


@pytest.mark.parametrize(("page", "line", "shown"), BLOCKS, ids=[f"{page}: {line}" for page, line, _ in BLOCKS])
def test_a_page_shows_what_a_command_prints(page: str, line: str, shown: str) -> None:
    terminal = {"COLUMNS": str(SCRIPT.WIDTH), "NO_COLOR": "1"}
    done = CliRunner().invoke(main, shlex.split(line)[1:], env=terminal, catch_exceptions=False)
    printed, expected = timeless(done.stdout + done.stderr), timeless(shown)
    start = expected.removesuffix(SCRIPT.CUT)
    assert printed[: len(start)] == start, f"run `python scripts/refresh_docs.py docs/{page}`"
    assert expected.endswith(SCRIPT.CUT) or printed == expected
