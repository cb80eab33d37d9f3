"""Read a publisher's text that stands in no vocabulary by its words.

``words.csv`` beside the vocabulary says what a few words in a row mean in one column: ``block, N layers`` recomputes N layers.
A text becomes words: letters, digits and underscores in lower case, a number with its point, a sign ``%``; all else separates.
The longest line that stands at a word is taken, and the reading goes on behind it; ``N`` stands for any number. What a line
means is set where no words before it have set that cell; a cell with a plus is a list that grows, and of ``on|off`` the second
counts where the text switches the thing off (``no tp overlap``, ``tp overlap: false``). Lines without a meaning are words that
say nothing to a prediction. Words of no line are left over: the answer names them.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tianji.catalog.entries import DATA

WORDS = DATA / "measurements" / "words.csv"
ANY_NUMBER = "n"
EVERY_COLUMN = "*"
REFUSED = "refuse"
"""The cell of words after which a text may mean its opposite: it is not read by its words."""
KEPT = "keeps"
"""The mark behind a list of modules that are not computed again, where all others are (MaxText's ``qkv saved``)."""
BEFORE_OFF = ("no", "without")
ON, OFF = ("on", "true", "enabled", "1"), ("off", "false", "disabled", "0")
"""Words behind a switch. In a list, ``no`` belongs to the word after it."""


@dataclass(frozen=True, slots=True)
class WordLine:
    """A few words in a row and the typed cells that they stand for."""

    words: tuple[str, ...]
    means: tuple[tuple[str, str], ...]

    @property
    def is_switch(self) -> bool:
        """Whether it names something that is on or off."""
        return any("|" in value for _, value in self.means)

    def number_in(self, words: tuple[str, ...]) -> str | None:
        """Return the number that stands for ``N`` where the line stands at the start of words (empty: no number), else None."""
        number = ""
        if len(words) < len(self.words):
            return None
        for own, word in zip(self.words, words, strict=False):
            if own == ANY_NUMBER and is_number(word):
                number = word
            elif own != word:
                return None
        return number


@dataclass(frozen=True, slots=True)
class Reading:
    """What the words of a text mean, and the words that no line has."""

    cells: Mapping[str, str]
    left_over: tuple[str, ...]


def is_number(word: str) -> bool:
    """Return whether a word is a number: digits with points between them.

    >>> is_number("26.04.01"), is_number("8"), is_number("910b")
    (True, True, False)
    """
    return word.replace(".", "").isdecimal()


def split_words(text: str) -> tuple[str, ...]:
    """Return the words of a text.

    >>> split_words("Selective (core_attn, 50%); ZeRO-1, release v26.04.")
    ('selective', 'core_attn', '50', '%', 'zero', '1', 'release', '26.04')
    """
    signs = (sign if sign.isalnum() or sign in "_." else " % " if sign == "%" else " " for sign in text.lower())
    words = (word for part in "".join(signs).split() if (word := part.strip(".")))
    return tuple(word[1:] if word[0] in "vr" and is_number(word[1:]) else word for word in words)


@lru_cache(maxsize=1)
def read_word_lines(path: Path = WORDS) -> Mapping[str, tuple[WordLine, ...]]:
    """Return the shipped lines by column, the longest first."""
    columns: dict[str, list[WordLine]] = defaultdict(list)
    with path.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            pairs = (part.partition("=") for part in line["means"].split(";") if part.strip())
            means = tuple((name.strip(), value.strip()) for name, _, value in pairs)
            columns[line["column"]].append(WordLine(split_words(line["text"]), means))
    filler = columns.pop(EVERY_COLUMN, [])
    return {
        column: tuple(sorted([*lines, *filler], key=lambda line: -len(line.words))) for column, lines in columns.items()
    }


@lru_cache(maxsize=4096)
def read_words(column: str, text: str) -> Reading | None:
    """Return what the words of a text of a column mean; None where no line of the column says anything."""
    lines = read_word_lines().get(column, ())
    cells: dict[str, str] = {}
    left_over: list[str] = []
    words = split_words(text)
    while words:
        match = _match(lines, words)
        if match is None:
            left_over.append(words[0])
            words = words[1:]
            continue
        for name, value in match.means:
            if name == KEPT:
                kept = cells.pop("recompute_modules", "")
                cells |= {"recompute": "full", "kept_modules": kept} if kept else {REFUSED: ""}
            elif name.endswith("+") and "kept_modules" not in cells:
                cells[name[:-1]] = " ".join(dict.fromkeys((*cells.get(name[:-1], "").split(), value)))
            elif not name.endswith("+"):
                cells.setdefault(name, value)
        words = words[match.length :]
    if not cells or REFUSED in cells:
        return None
    # A number alone is a size of what was read before it.
    return Reading(cells, tuple(word for word in left_over if not is_number(word)))


@dataclass(frozen=True, slots=True)
class _Match:
    length: int
    means: tuple[tuple[str, str], ...]


def _match(lines: tuple[WordLine, ...], words: tuple[str, ...]) -> _Match | None:
    """Return what the longest line means that stands at the start of words, switched on or off by the words around it."""
    for line in lines:
        if (number := line.number_in(words)) is not None:
            behind = words[len(line.words)] if len(words) > len(line.words) else ""
            length = len(line.words) + (line.is_switch and behind in (*ON, *OFF))
            return _Match(length, _fill(line, number, is_on=behind not in OFF))
    switch = _switch_at(lines, words[1:]) if words[0] in BEFORE_OFF else None
    return None if switch is None else _Match(1 + len(switch.words), _fill(switch, "", is_on=False))


def _switch_at(lines: tuple[WordLine, ...], words: tuple[str, ...]) -> WordLine | None:
    return next((line for line in lines if line.is_switch and line.number_in(words) is not None), None)


def _fill(line: WordLine, number: str, *, is_on: bool) -> tuple[tuple[str, str], ...]:
    """Return the cells of a line with its number in them, and of ``on|off`` the one that counts."""
    chosen = ((name, value.split("|")[0 if is_on else -1]) for name, value in line.means)
    return tuple((name, value.replace("N", number)) for name, value in chosen if value)
