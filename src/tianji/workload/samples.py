"""Lengths of samples that are packed into sequences, from what a user says or from a file."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tianji.errors import FormatError
from tianji.input_files import read_text
from tianji.units import parse, parse_count

MOST_GROUPS = 16
"""Lengths that are told apart; more are put together without changing the tokens or the sum of squares."""
LONGEST = 10**8
EXPECTED = (
    "lengths of samples: one like 2048, some with shares like 512:0.7,4096:0.3, or a file with one length in each line"
)

SampleLengths = tuple[tuple[int, float], ...]


def read_lengths(text: str | int) -> SampleLengths:
    """Return lengths of samples in tokens, each with its share of the samples; the shares sum to one.

    >>> read_lengths("512:0.75, 4k:0.25"), read_lengths(2048)
    (((512, 0.75), (4000, 0.25)), ((2048, 1.0),))

    Raises FormatError for anything else than lengths or a file of them.
    """
    words = [word.strip() for word in str(text).split(",")]
    if any(not re.fullmatch(r"[\d_.]+[kK]?(\s*:\s*[\d.]+\s*%?)?", word) for word in words):
        return _group(_read_file(str(text)))
    weights: dict[int, float] = {}
    for word in words:
        length, colon, share = word.partition(":")
        tokens = _length(length.strip())
        weights[tokens] = weights.get(tokens, 0.0) + (parse(share.strip(), "ratio", "--lengths") if colon else 1.0)
    return _group(weights)


def _read_file(path: str) -> dict[int, float]:
    lines = read_text(Path(path), EXPECTED).split()
    if not lines:
        raise FormatError(f"{path}: empty; expected {EXPECTED}")
    return {length: float(count) for length, count in Counter(_length(line) for line in lines).items()}


def _length(word: str) -> int:
    tokens = parse_count(word, "--lengths")
    if not 1 <= tokens <= LONGEST:
        raise FormatError(f"--lengths: expected tokens from 1 to {LONGEST:,}, got {word[:40]}")
    return tokens


def _group(weights: dict[int, float]) -> SampleLengths:
    """Return at most MOST_GROUPS lengths with the same tokens, and the same sum of squares but for rounding."""
    whole = sum(weights.values())
    if whole <= 0:
        raise FormatError(f"--lengths: shares of nothing; expected {EXPECTED}")
    rows = sorted((length, weight / whole) for length, weight in weights.items() if weight > 0)
    step = -(-len(rows) // MOST_GROUPS)
    groups = [rows[i : i + step] for i in range(0, len(rows), step)]
    return tuple(_merge(group) for group in groups)


def _merge(rows: list[tuple[int, float]]) -> tuple[int, float]:
    if len(rows) == 1:
        return rows[0]
    tokens = sum(length * share for length, share in rows)
    length = round(sum(length * length * share for length, share in rows) / tokens)
    return length, tokens / length
