"""Reading a checkpoint that may come from anywhere: it can build tensors and their description, and nothing else.

The description (``.metadata``) is a pickle, by torch's format of distributed checkpoints, and a pickle may name any function to
call. Here it may name the few types of a description; every other name is refused before it is looked up. Tensors are read by
torch with ``weights_only``. Entries of bytes, which torch reads as free pickles, do not occur in our checkpoints and are refused.
"""

from __future__ import annotations

import pathlib
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint import FileSystemReader
from torch.distributed.checkpoint.metadata import Metadata, TensorStorageMetadata

from tianji.errors import RunError
from tianji.input_files import read_bytes
from tianji.units import GB

LARGEST_DESCRIPTION = 1 * GB
_CHECKPOINT = "torch.distributed.checkpoint"
ALLOWED = {
    (f"{_CHECKPOINT}.metadata", "BytesStorageMetadata"),
    (f"{_CHECKPOINT}.metadata", "ChunkStorageMetadata"),
    (f"{_CHECKPOINT}.metadata", "Metadata"),
    (f"{_CHECKPOINT}.metadata", "MetadataIndex"),
    (f"{_CHECKPOINT}.metadata", "StorageMeta"),
    (f"{_CHECKPOINT}.metadata", "TensorProperties"),
    (f"{_CHECKPOINT}.metadata", "TensorStorageMetadata"),
    (f"{_CHECKPOINT}.metadata", "_MEM_FORMAT_ENCODING"),
    (f"{_CHECKPOINT}.filesystem", "_StorageInfo"),
    ("torch", "Size"),
    ("torch.serialization", "_get_layout"),
    ("collections", "OrderedDict"),
}
"""What a description is made of; data types of torch and paths come on top."""
PATHS = ("Path", "PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath")


class CheckpointReader(FileSystemReader):
    """Reads the checkpoints that :class:`tianji.backends.trainer.checkpoint.Checkpoints` writes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.folder = path

    def read_metadata(self, *_: Any, **__: Any) -> Metadata:
        """Return the description of a checkpoint.

        Raises RunError for one that names what a description is not made of, or files outside the folder.
        """
        return read_description(self.folder)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if module.split(".", maxsplit=1)[0] == "pathlib" and name in PATHS:
            return pathlib.PurePath  # a text of where it was written: never opened
        if (module, name) in ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}, which is no part of a checkpoint's description")


def read_description(folder: Path) -> Metadata:
    """Return the description of the checkpoint in a folder; raises RunError as :meth:`CheckpointReader.read_metadata` does."""
    file = folder / ".metadata"
    try:
        description = _Unpickler(
            BytesIO(read_bytes(file, "the description of a checkpoint", LARGEST_DESCRIPTION))
        ).load()
    except Exception as error:  # a damaged pickle raises whatever its last whole instruction leads to
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise RunError(f"{file}: not the description of a checkpoint ({reason}); nothing of it was run") from None
    _check(description, file)
    assert isinstance(description, Metadata)
    return description


def _check(description: object, file: Path) -> None:
    if not isinstance(description, Metadata) or not isinstance(description.state_dict_metadata, dict):
        raise RunError(f"{file}: not the description of a checkpoint; take one that this trainer wrote")
    for name, entry in description.state_dict_metadata.items():
        if not isinstance(entry, TensorStorageMetadata):
            raise RunError(f"{file}: {name!r:.80} is not a tensor; only tensors are read from a checkpoint")
    stored = description.storage_data
    for place in stored.values() if isinstance(stored, dict) else (None,):
        part = getattr(place, "relative_path", None)
        is_inside = isinstance(part, str) and part not in ("", ".", "..") and not set(part) & {"/", "\\", "\0"}
        numbers = (getattr(place, "offset", None), getattr(place, "length", None))
        if not is_inside or not all(isinstance(n, int) and n >= 0 for n in numbers):
            raise RunError(
                f"{file}: names a part outside its folder, or none; take a checkpoint that this trainer wrote"
            )
        if getattr(place, "transform_descriptors", None):
            raise RunError(f"{file}: its parts are compressed; this trainer writes none that are")
