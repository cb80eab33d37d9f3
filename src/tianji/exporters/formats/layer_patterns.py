"""Which layers are of a kind, as Megatron's list expressions: ``[0]*3+[1]*58``. Written and read here."""

from __future__ import annotations

import re
from itertools import groupby

from tianji.errors import FormatError

MAX_LAYERS = 10**4


def format_moe_pattern(num_layers: int, leading: int, step: int) -> str:
    """Return which layers are MoE: 0 a dense layer, 1 a MoE layer.

    Of the layers after the ``leading`` dense ones, the last of every ``step`` is MoE; a remainder is dense.

    >>> format_moe_pattern(61, 3, 1)
    '[0]*3+[1]*58'
    """
    full, rest = divmod(num_layers - leading, step)
    parts = [f"[0]*{leading}"] if leading else []
    if full:
        parts.append(f"[1]*{full}" if step == 1 else f"([0]*{step - 1}+[1])*{full}")
    if rest:
        parts.append(f"[0]*{rest}")
    return "+".join(parts)


def format_pattern(layers: list[int]) -> str:
    """Return a list of zeros and ones as its shortest period and how often it comes.

    >>> format_pattern([1, 1, 1, 0] * 12), format_pattern([0, 1, 1])
    ('([1]*3+[0])*12', '[0]+[1]*2')
    """
    size = next(
        n for n in range(1, len(layers) + 1) if len(layers) % n == 0 and layers[:n] * (len(layers) // n) == layers
    )
    runs = [(kind, len(list(run))) for kind, run in groupby(layers[:size])]
    text = "+".join(f"[{kind}]*{count}" if count > 1 else f"[{kind}]" for kind, count in runs)
    times = len(layers) // size
    if times == 1:
        return text
    return f"[{runs[0][0]}]*{times * runs[0][1]}" if len(runs) == 1 else f"({text})*{times}"


def read_pattern(text: str, where: str) -> list[int]:
    """Return the list that a pattern such as ``[0]*3+([0]+[1])*29`` spells; nothing is evaluated as code.

    >>> read_pattern("[0]*2+([0]+[1])*2", "script")
    [0, 0, 0, 1, 0, 1]

    Raises FormatError for another form, or for more entries than a model has layers.
    """
    kinds, rest = _read_sum(re.sub(r"\s", "", text), where, text)
    if rest:
        raise FormatError(f"{where}: expected a pattern like [0]*3+[1]*58, got {text[:60]!r}")
    return kinds


def _read_sum(rest: str, where: str, whole: str) -> tuple[list[int], str]:
    total: list[int] = []
    while True:
        part, rest = _read_term(rest, where, whole)
        total += part
        if len(total) > MAX_LAYERS:
            raise FormatError(f"{where}: the pattern {whole[:60]!r} has more than {MAX_LAYERS:,} entries")
        if not rest.startswith("+"):
            return total, rest
        rest = rest[1:]


def _read_term(rest: str, where: str, whole: str) -> tuple[list[int], str]:
    literal = re.match(r"\[([01](?:,[01])*)?\]", rest)
    if literal:
        part, rest = [int(n) for n in (literal[1] or "").split(",") if n], rest[literal.end() :]
    elif rest.startswith("(") and rest.count("(") < 50:
        part, rest = _read_sum(rest[1:], where, whole)
        if not rest.startswith(")"):
            raise FormatError(f"{where}: a bracket of the pattern {whole[:60]!r} is never closed")
        rest = rest[1:]
    else:
        raise FormatError(f"{where}: expected a pattern like [0]*3+[1]*58, got {whole[:60]!r}")
    times = re.match(r"\*(\d{1,6})", rest)
    if times:
        count = int(times[1])
        if len(part) * count > MAX_LAYERS:
            raise FormatError(f"{where}: the pattern {whole[:60]!r} has more than {MAX_LAYERS:,} entries")
        part, rest = part * count, rest[times.end() :]
    return part, rest
