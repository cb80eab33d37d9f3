"""Checked access to the keys of a JSON object that nobody has checked yet."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from tianji.errors import FormatError

LARGEST = 10**7
"""Largest width or count that is taken for a real figure; the widest published layer has about 10**5."""
LARGEST_BY_WORD = {"num_layers": 10**5, "vocab_size": 10**9, "max_position_embeddings": 10**9}


class Fields:
    """Read counts and flags of a JSON object by our words, whatever a family calls them.

    ``spellings`` maps a word to the keys that may hold it (default: the word itself); ``defaults`` holds what the
    maker's own configuration class fills in for a key that the file leaves out. A key with the value null is *none*,
    not left out.
    """

    def __init__(
        self,
        data: Mapping[str, object],
        where: str,
        spellings: Mapping[str, tuple[str, ...]] | None = None,
        defaults: Mapping[str, object] | None = None,
    ) -> None:
        self.data, self.where = data, where
        self.spellings = spellings or {}
        self.defaults = defaults or {}

    def keys_of(self, word: str) -> tuple[str, ...]:
        """Return the keys that may hold a word, the usual one first."""
        return self.spellings.get(word, (word,))

    def value(self, word: str) -> object:
        """Return what the file, or else the family's default, says for a word; None where neither does.

        Raises FormatError when two spellings of the same word disagree.
        """
        present = [key for key in self.keys_of(word) if key in self.data]
        if not present:
            return self.defaults.get(word)
        values = [self.data[key] for key in present if self.data[key] is not None]
        if any(value != values[0] for value in values[1:]):
            stated = " and ".join(f"{key} = {_short(self.data[key])}" for key in present)
            raise FormatError(f"{self.where}: {stated} contradict each other; keep the one that is right")
        return values[0] if values else None

    def count(self, word: str, least: int = 1) -> int | None:
        """Return a whole number, or None where the word is not stated.

        Raises FormatError for anything but a whole number from ``least`` to the largest believable one.
        """
        value = self.value(word)
        if value is None:
            return None
        largest = LARGEST_BY_WORD.get(word, LARGEST)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= largest:
            raise self._wrong(word, f"a whole number from {least} to {largest:,}", value)
        return value

    def require(self, word: str, least: int = 1) -> int:
        """Return a whole number that must be stated.

        Raises FormatError where it is missing (with the nearest key of the file) or no such number.
        """
        value = self.count(word, least)
        if value is None:
            raise FormatError(self._missing(word))
        return value

    def flag(self, word: str) -> bool:
        """Return a switch; one that is not stated is off.

        Raises FormatError for anything but true or false.
        """
        value = self.value(word)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise self._wrong(word, "true or false", value)
        return value

    def counts(self, word: str) -> list[int] | None:
        """Return a list of whole numbers from 0 on, or None where the word is not stated.

        Raises FormatError for anything else.
        """
        value = self.value(word)
        if value is None:
            return None
        if not isinstance(value, list) or any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in value):
            raise self._wrong(word, "a list of whole numbers", value)
        return value

    def words(self, word: str) -> list[str] | None:
        """Return a list of texts, or None where the word is not stated.

        Raises FormatError for anything else.
        """
        value = self.value(word)
        if value is None:
            return None
        if not isinstance(value, list) or any(not isinstance(v, str) for v in value):
            raise self._wrong(word, "a list of texts", value)
        return value

    def check_spelling(self, words: Iterable[str], ignored: frozenset[str]) -> None:
        """Refuse a key that looks like a misspelt one of ``words``: it would silently be taken for left out.

        Raises FormatError naming both.
        """
        known = {key for word in words for key in self.keys_of(word)}
        absent = sorted(known.difference(self.data))
        for key in self.data:
            if key in known or key in ignored:
                continue
            near = get_close_matches(key, absent, n=1, cutoff=0.88)
            if near:
                raise FormatError(
                    f"{self.where}: unknown key {_short(key)}; did you mean {near[0]!r}? Correct it, or remove it if "
                    f"it is no part of the architecture"
                )

    def _wrong(self, word: str, expected: str, value: object) -> FormatError:
        named = next((key for key in self.keys_of(word) if key in self.data), self.keys_of(word)[0])
        return FormatError(f"{self.where}: {named}: expected {expected}, got {_short(value)}")

    def _missing(self, word: str) -> str:
        keys = self.keys_of(word)
        known = set(keys)
        names = [key for key in self.data if key not in known]
        near = get_close_matches(keys[0], names, n=1, cutoff=0.7)
        nearest = f"; the nearest key in it is {near[0]!r}" if near else ""
        state = "null" if any(key in self.data for key in keys) else "missing"
        return f"{self.where}: {' or '.join(map(repr, keys))} is {state}, but the architecture needs it{nearest}"


def _short(value: object) -> str:
    return reprlib.repr(value)
