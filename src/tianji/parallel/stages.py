"""What each stage of a pipeline holds, as people and frameworks write it: ``Et*4|(t*4|)*14tmL``, or ``3,4,4,3``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from tianji.errors import FormatError

MOST_PARTS = 20_000
"""Letters of a text once its repetitions are written out: far beyond any pipeline, so that a file cannot fill the memory."""
EXPECTED = "expected the layers of each chunk, like 3,4,4,3, or Megatron's letters, like Et*4|(t*4|)*14tmL"


@dataclass(frozen=True, slots=True)
class Stages:
    """The chunks of a pipeline in the order in which a micro-batch passes them (without interleaving a chunk is a stage).

    The embedding lies in the first one, the head in the last.
    """

    layers: tuple[int, ...]
    """Transformer layers of each chunk."""
    modules: tuple[int, ...] = ()
    """Multi-token-prediction modules of each chunk; empty: all of them beside the head."""

    @property
    def num_modules(self) -> int:
        """Prediction modules that the chunks name."""
        return sum(self.modules)

    @property
    def is_hollow(self) -> bool:
        """Whether a chunk between the first and the last holds nothing."""
        modules = self.modules or (0,) * len(self.layers)
        return any(not n and not m for n, m in list(zip(self.layers, modules, strict=True))[1:-1])

    def complete(self, num_modules: int) -> Stages:
        """Return the same with each of ``num_modules`` prediction modules named: beside the head where nothing else is said."""
        if self.modules or not num_modules:
            return self
        return Stages(self.layers, (*(0,) * (len(self.layers) - 1), num_modules))

    def __str__(self) -> str:
        """Return Megatron's letters, equal neighbours as one.

        >>> str(Stages((4, 4, 4, 4, 1), (0, 0, 0, 0, 1)))
        'Et*4|(t*4|)*3tmL'
        """
        modules = self.modules or (0,) * len(self.layers)
        chunks = [_repeat("t", n) + "m" * m for n, m in zip(self.layers, modules, strict=True)]
        chunks[0] = "E" + chunks[0]
        text = ""
        for chunk, run in groupby(chunks[:-1]):
            count = len(list(run))
            text += f"({chunk}|)*{count}" if count > 1 else f"{chunk}|"
        return f"{text}{chunks[-1]}L"


def _repeat(letter: str, count: int) -> str:
    return f"{letter}*{count}" if count > 1 else letter * count


@lru_cache(maxsize=4096)
def read_stages(text: str, where: str = "strategy.stages") -> Stages:
    """Return the stages that a text names, as numbers of layers or in Megatron's letters, whose case is free.

    ``where`` names the text in a message. E is the embedding, t a layer, m a prediction module, L the head, ``|`` the next chunk,
    ``x*3`` and ``(...)*3`` repeat.

    >>> read_stages("3,4,4,3").layers, read_stages("Et*3|(tt|)*2mL").modules
    ((3, 4, 4, 3), (0, 0, 0, 1))

    Raises FormatError for any other text.
    """
    plain = re.sub(r"\s+", "", text)
    if re.fullmatch(r"\d{1,5}(,\d{1,5})*", plain):
        return Stages(tuple(int(n) for n in plain.split(",")))
    chunks = _write_out(plain.lower().replace(",", ""), text, where).split("|")
    letters = "".join(chunks)
    if not re.fullmatch(r"et*m*l", letters):
        raise FormatError(
            f"{where}: {EXPECTED}, got {text[:60]!r}: one E first, then t for each layer, m for each prediction module, L last"
        )
    modules = tuple(chunk.count("m") for chunk in chunks)
    return Stages(tuple(chunk.count("t") for chunk in chunks), modules if any(modules) else ())


def _write_out(text: str, given: str, where: str) -> str:
    """Return a text without its repetitions: those of groups first, then those of letters."""
    for pattern in (r"\(([^()]+)\)\*(\d{1,5})", r"([^()*\d])\*(\d{1,5})"):
        size = len(text) + sum(len(part) * int(times) for part, times in re.findall(pattern, text))
        if size > MOST_PARTS:
            raise FormatError(f"{where}: {given[:60]!r} has more than {MOST_PARTS:,} layers and chunks")
        text = re.sub(pattern, lambda match: match[1] * int(match[2]), text)
    if set(text) - set("etml|"):
        raise FormatError(f"{where}: {EXPECTED}, got {given[:60]!r}")
    return text


def fill_chunks(num_layers: int, chunks: int) -> Stages | None:
    """Return stages of one layer a chunk: ``num_layers`` in one or two ``chunks`` more, which hold the head or embedding alone.

    Megatron-LM's recipes for Llama 3.1 405B do so (126 layers in 128 chunks). None for any other numbers.

    >>> str(fill_chunks(126, 128))
    'E|(t|)*126L'
    """
    if num_layers < 1 or chunks - num_layers not in (1, 2):
        return None
    return Stages((*(0,) * (chunks - num_layers - 1), *(1,) * num_layers, 0))


def add_offsets(num_layers: int, pp: int, offsets: object) -> Stages | None:
    """Return the stages that MindFormers' ``offset`` makes of ``num_layers`` on ``pp`` pipeline ranks.

    ``offsets`` are the layers of each chunk beyond an even share, a row of ``pp`` numbers for each round of chunks. None where
    every chunk has its even share.

    >>> add_offsets(14, 4, [0, 1, 1, 0]).layers
    (3, 4, 4, 3)

    Raises FormatError where rows are not as long as the pipeline, or the layers do not add up.
    """
    rows: list[object] = offsets if isinstance(offsets, list) else [offsets] * pp
    if not any(isinstance(row, list) for row in rows):
        rows = [rows]
    read = [[n for n in row if type(n) is int] if isinstance(row, list) else [] for row in rows]
    if any(len(whole) != pp or whole != row for whole, row in zip(read, rows, strict=True)):
        raise FormatError(f"offset: expected {pp} whole numbers, or a list of such lists, got {offsets!r:.60}")
    base = num_layers // (pp * len(read))
    layers = tuple(base + extra for row in read for extra in row)
    if min(layers) < 0 or sum(layers) != num_layers:
        raise FormatError(f"offset {offsets!r:.60}: the stages hold {sum(layers)} layers, the model has {num_layers}")
    return Stages(layers) if len(set(layers)) > 1 else None
