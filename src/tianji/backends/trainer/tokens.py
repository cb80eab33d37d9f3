"""Real tokens: a text read byte by byte, or a memory-mapped file of token numbers.

A sequence of a step depends on the step and on its place in the global batch alone, never on the cut: every layout, and
a resumed run, sees the same tokens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tianji.errors import FormatError

if TYPE_CHECKING:
    from torch import Tensor

DEFAULT = Path(__file__).parent / "data" / "horses.txt"
TOKEN_DTYPES = {".u16": np.uint16, ".u32": np.uint32}
"""Endings of memory-mapped token files, little-endian whole numbers one after another."""


class Corpus:
    """A stream of tokens; token t is byte or number t of the file, modulo the vocabulary."""

    def __init__(self, path: Path | None, seq_len: int, vocab_size: int) -> None:
        self.path = path or DEFAULT
        kind = TOKEN_DTYPES.get(self.path.suffix, np.uint8)
        try:
            self.tokens: NDArray[np.unsignedinteger] = np.memmap(self.path, dtype=kind, mode="r")
        except (OSError, ValueError) as error:
            raise FormatError(
                f"{self.path}: cannot be read as tokens ({getattr(error, 'strerror', None) or error})"
            ) from None
        self.seq_len, self.vocab_size = seq_len, vocab_size
        if len(self.tokens) < 2:
            raise FormatError(f"{self.path}: expected at least two tokens, got {len(self.tokens)}")

    def sequences(self, step: int, first: int, count: int, batch: int) -> Tensor:
        """Return :meth:`numbers` as a tensor."""
        import torch  # late: a backend without torch reads the same tokens

        return torch.from_numpy(self.numbers(step, first, count, batch))

    def numbers(self, step: int, first: int, count: int, batch: int) -> NDArray[np.int64]:
        """Return (count, seq_len + 1) tokens: sequences ``first`` on of a step with ``batch`` of them; inputs and targets.

        Past the end of the file it begins again.
        """
        starts = (np.arange(first, first + count) + step * batch)[:, None] * self.seq_len
        places = (starts + np.arange(self.seq_len + 1)) % len(self.tokens)
        return self.tokens[places].astype(np.int64) % self.vocab_size
