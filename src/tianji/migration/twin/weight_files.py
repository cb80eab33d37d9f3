"""Read the files that hold a model's weights: safetensors by hand, PyTorch's without running what is pickled, npz."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tianji.errors import FormatError

Read = Callable[[], NDArray[np.float32]]
LONGEST_HEADER = 100_000_000
"""Bytes of a header that the format allows."""
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_TORCH = (".bin", ".pt", ".pth")
EXPECTED = "expected safetensors, a state dict of PyTorch (.pt, .pth, .bin), npz, or a folder of them"


def open_weights(path: Path) -> dict[str, Read]:
    """Return what reads each array of a file, or of all files of a folder, by the names that the file has.

    Raises FormatError for what holds no weights.
    """
    readers: dict[str, Read] = {}
    for file in _files_of(path):
        readers.update(_open_file(file))
    if not readers:
        raise FormatError(f"{path}: holds no weights; {EXPECTED}")
    return readers


def _files_of(path: Path) -> list[Path]:
    try:
        if not path.is_dir():
            return [path]
        files = sorted(file for file in path.iterdir() if file.is_file())
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); {EXPECTED}") from None
    # A published folder often has the same weights in two formats.
    for suffixes in ((".safetensors",), (".bin",), (".pt", ".pth"), (".npz",)):
        chosen = [
            file for file in files if file.suffix in suffixes and not file.name.startswith(("optimizer", "training_"))
        ]
        if chosen:
            return chosen
    raise FormatError(f"{path}: no file of weights in it; {EXPECTED}")


def _open_file(path: Path) -> dict[str, Read]:
    if os.path.exists(path) and not os.path.isfile(path):
        raise FormatError(f"{path}: a pipe or a device, not a file; {EXPECTED}")
    try:
        if path.suffix == ".safetensors":
            return dict(_open_safetensors(path))
        if path.suffix in _TORCH:
            return _open_torch(path)
        if path.suffix == ".npz":
            return _open_npz(path)
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror or 'damaged'}); {EXPECTED}") from None
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, RecursionError, zipfile.BadZipFile) as error:
        raise FormatError(f"{path}: holds no weights ({str(error)[:120]}); {EXPECTED}") from None
    raise FormatError(f"{path}: a file of an unknown kind; {EXPECTED}")


def _open_safetensors(path: Path) -> Iterator[tuple[str, Read]]:
    """Yield the arrays: 8 bytes of the header's length, the header in JSON, then all numbers, little-endian."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(LONGEST_HEADER, size - 8):
            raise ValueError(f"a header of {length:,} bytes in a file of {size:,}")
        header = json.loads(file.read(length))
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = (int(offset) for offset in entry["data_offsets"])
        shape = tuple(int(count) for count in entry["shape"])
        if not 0 <= start <= end <= size - 8 - length or any(count < 0 for count in shape):
            raise ValueError(f"{name} lies outside the file")
        if entry["dtype"] in _TYPES:
            yield name, _reader(path, 8 + length + start, end - start, entry["dtype"], shape)


def _reader(path: Path, start: int, length: int, dtype: str, shape: tuple[int, ...]) -> Read:
    def read() -> NDArray[np.float32]:
        with path.open("rb") as file:
            file.seek(start)
            numbers = np.frombuffer(file.read(length), _TYPES[dtype])
        if dtype == "BF16":  # The upper half of an fp32.
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        if numbers.size != int(np.prod(shape)):
            raise FormatError(f"{path}: an array of shape {shape} has {numbers.size:,} numbers")
        return np.ascontiguousarray(numbers.astype(np.float32).reshape(shape))

    return read


def _open_torch(path: Path) -> dict[str, Read]:
    import torch

    try:
        data: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # What a damaged or hostile pickle raises is anybody's.
        raise ValueError(f"{type(error).__name__}: not a plain state dict") from None
    for key in ("model", "state_dict", "module"):
        if isinstance(data, dict) and isinstance(data.get(key), dict):
            data = data[key]
    tensors = {
        name: value for name, value in data.items() if isinstance(value, torch.Tensor) and value.is_floating_point()
    }
    return {str(name): _torch_reader(value) for name, value in tensors.items()}


def _torch_reader(tensor: Any) -> Read:
    def read() -> NDArray[np.float32]:
        numbers: NDArray[np.float32] = tensor.float().numpy()
        return numbers

    return read


def _open_npz(path: Path) -> dict[str, Read]:
    if not zipfile.is_zipfile(path):
        path.stat()
        raise ValueError("no zip")
    if not zipfile.is_zipfile(path):
        path.stat()
        raise ValueError("no zip")
    archive = np.load(path)  # Without pickles: arrays only.

    def reader(name: str) -> Read:
        return lambda: np.asarray(archive[name], np.float32)

    return {name: reader(name) for name in archive.files}
