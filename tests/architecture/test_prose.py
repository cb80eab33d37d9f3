"""Prose is short: one sentence a line, wrapped at 88, and no sentence of more than 30 words."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = {"accuracy.md", "constants.md", "example-deepseek-v3.md", "json.md"}
PAGES = [
    *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in GENERATED),
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
]

WIDTH = 88
LONG = {30: 0.0, 25: 0.005}
"""By a number of words: the share of sentences that have more. A bound may only go down."""

ITEM = re.compile(r"^\s*(?:[*+-]|\d+\.)\s+")
MEASURED = re.compile(r"<!-- (\w+): start -->.*?<!-- \1: end -->", re.DOTALL)
"""What a benchmark writes into a page."""
SENTENCE_END = re.compile(r"(?<=[.!?])(?<!et al\.)[)\"*_]*(?<!\.\*\*)\s+(?=[A-ZΑ-Ωα-ω`\[*\"(])")


def paragraphs(text: str) -> Iterator[list[str]]:
    """Yield the lines of each paragraph and list item; fences, tables, code blocks, headings and HTML are left out."""
    lines: list[str] = []
    fence, content, after_blank = "", 0, True
    for line in [*MEASURED.sub("", text).splitlines(), ""]:
        if mark := re.match(r"\s*(`{3,}|~{3,})", line):
            fence = "" if line.strip() == fence else fence or mark[1]
        is_code = after_blank and line.startswith(" " * (content + 4))
        is_prose = bool(line.strip()) and not (
            fence or mark or is_code or line.lstrip().startswith(("|", "#", "<", "!["))
        )
        item = ITEM.match(line)
        if lines and (not is_prose or item):
            yield lines
            lines = []
        if item and is_prose:
            content = len(item[0])
        elif line.strip() and not line.startswith(" "):
            content = 0
        if is_prose:
            lines.append(line)
        after_blank = is_code or not line.strip()


def sentences(lines: list[str]) -> list[str]:
    """Return the sentences of a paragraph: a span of code is one word, a bold word that leads a sentence belongs to it."""
    text = " ".join([ITEM.sub("", lines[0]), *lines[1:]])
    text = re.sub(r"`[^`]+`", "`code`", re.sub(r"\]\([^)]*\)", "]", text))
    return SENTENCE_END.split(" ".join(text.split()))


@pytest.fixture(scope="module")
def prose() -> list[tuple[str, str]]:
    return [(page.name, s) for page in PAGES for lines in paragraphs(page.read_text()) for s in sentences(lines)]


def test_the_reader_of_prose_leaves_out_what_is_not() -> None:
    text = "# A\n\nOne `a b`. Two\nlines.\n\n```sh\nx\n```\n\n* An item\n  of two.\n\n      code\n\n| a |\n|---|\n\n    code\n"
    assert [sentences(lines) for lines in paragraphs(text)] == [["One `code`.", "Two lines."], ["An item of two."]]


@pytest.mark.parametrize("words", LONG)
def test_long_sentences_become_fewer(prose: list[tuple[str, str]], words: int) -> None:
    over = [f"{page}: {sentence}" for page, sentence in prose if len(sentence.split()) > words]
    assert len(over) <= LONG[words] * len(prose), "divide these sentences:\n" + "\n".join(over)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_prose_is_wrapped(page: Path) -> None:
    """A line is longer only where a link or a span of code in it has no place to break."""
    wide = [
        line
        for lines in paragraphs(page.read_text())
        for line in lines
        if len(line) > WIDTH and not re.fullmatch(r"\s*(\S*\[[^\]]*\]\([^)]*\)\S*|`[^`]+`\S*)", line)
    ]
    assert not wide, "wrap these lines:\n" + "\n".join(wide)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_sentence_begins_a_line(page: Path) -> None:
    crowded = [line for lines in paragraphs(page.read_text()) for line in lines if len(sentences([line])) > 1]
    assert not crowded, "give each sentence a line:\n" + "\n".join(crowded)
