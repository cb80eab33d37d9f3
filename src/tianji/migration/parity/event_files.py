"""TensorBoard's event files, parsed by hand: framed records, each a small protocol buffer."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from tianji.errors import FormatError

_LOSS_TAGS = ("loss", "lm loss", "lm-loss", "train/loss", "train_loss", "training/loss", "lm loss vs samples")
_DT_FLOAT, _DT_DOUBLE = 1, 2


def read_events(raw: bytes, name: str) -> Iterator[dict[str, object]]:
    """Yield a row for each scalar of an event file: its step and its tag with the value.

    A last record that was cut short is left out. Raises FormatError for bytes that are no event file.
    """
    at, count = 0, 0
    while at + 12 <= len(raw):
        (length,) = struct.unpack_from("<Q", raw, at)
        if length > len(raw) - at:
            break
        record = raw[at + 12 : at + 12 + length]
        at += 12 + length + 4
        count += 1
        try:
            yield from _read_event(record)
        except (struct.error, IndexError, UnicodeDecodeError):
            raise FormatError(f"{name}: record {count} is no event of TensorBoard") from None
    if count == 0:
        raise FormatError(f"{name}: holds no record; expected TensorBoard's event file")


def _read_event(record: bytes) -> Iterator[dict[str, object]]:
    step = 0
    summaries = []
    for number, value in _fields(record):
        if number == 2 and isinstance(value, int):
            step = value
        elif number == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in _fields(summary):
            if number == 1 and isinstance(value, bytes):
                tag, scalar = _read_value(value)
                if tag and scalar is not None:
                    yield {"step": step, "loss" if tag.lower() in _LOSS_TAGS else tag: scalar}


def _read_value(record: bytes) -> tuple[str, float | None]:
    tag, scalar = "", None
    for number, value in _fields(record):
        if number == 1 and isinstance(value, bytes):
            tag = value.decode("utf-8")
        elif number == 2 and isinstance(value, bytes) and len(value) == 4:
            (scalar,) = struct.unpack("<f", value)
        elif number == 8 and isinstance(value, bytes):
            scalar = _read_tensor(value)
    return tag, scalar


def _read_tensor(record: bytes) -> float | None:
    """Return the number of a tensor of one number."""
    kind, content = 0, b""
    for number, value in _fields(record):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number in (4, 5, 6) and isinstance(value, bytes):
            content = value
    form = {_DT_FLOAT: "<f", _DT_DOUBLE: "<d"}.get(kind)
    if form is None or len(content) != struct.calcsize(form):
        return None
    (scalar,) = struct.unpack(form, content)
    return float(scalar)


def _fields(record: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of a protocol buffer's fields; fixed ones as bytes."""
    at = 0
    while at < len(record):
        key, at = _varint(record, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(record, at)
            yield number, value
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
            yield number, record[at : at + size]
            at += size
        elif wire == 2:
            length, at = _varint(record, at)
            if length > len(record) - at:
                raise IndexError
            yield number, record[at : at + length]
            at += length
        else:
            raise IndexError


def _varint(record: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = record[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError
