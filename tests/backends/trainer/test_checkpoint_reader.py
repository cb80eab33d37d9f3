"""A checkpoint from elsewhere runs nothing: its description may name the types of a description only."""

import collections
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from torch.distributed import checkpoint
from torch.distributed.checkpoint.metadata import BytesStorageMetadata, Metadata

from tianji.backends.trainer.checkpoint_reader import CheckpointReader, read_description
from tianji.errors import RunError

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled")


class Planted:
    """What a crafted description holds: a call of the reader's machine."""

    def __init__(self, call: tuple[Any, tuple[object, ...]]) -> None:
        self.call = call

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.call


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    state = {
        "model.a": torch.arange(6.0).reshape(2, 3),
        "b": torch.ones(3, dtype=torch.bfloat16),
        "step": torch.tensor(4),
    }
    checkpoint.save(state, checkpoint_id=tmp_path / "step-000000004", no_dist=True)
    return tmp_path / "step-000000004"


def test_what_torch_wrote_is_read_back(saved: Path) -> None:
    state = {"model.a": torch.zeros(2, 3), "b": torch.zeros(3, dtype=torch.bfloat16), "step": torch.tensor(0)}
    checkpoint.load(state, storage_reader=CheckpointReader(saved), no_dist=True)
    assert state["model.a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert (state["b"].tolist(), int(state["step"])) == ([1, 1, 1], 4)


@pytest.mark.parametrize("call", ["system", "eval", "getattr", "hidden"])
def test_a_planted_call_is_not_made(saved: Path, tmp_path: Path, call: str) -> None:
    mark = tmp_path / "ran"
    calls: dict[str, tuple[Any, tuple[object, ...]]] = {
        "system": (os.system, (f"touch {mark}",)),
        "eval": (eval, (f"open({str(mark)!r}, 'w')",)),
        "getattr": (getattr, (str, "format")),
        "hidden": (collections.OrderedDict, ([(1, Planted((os.mkdir, (str(mark),))))],)),
    }
    (saved / ".metadata").write_bytes(pickle.dumps({"x": Planted(calls[call])}))
    with pytest.raises(RunError, match="no part of a checkpoint's description"):
        read_description(saved)
    assert not mark.exists()


def test_an_entry_of_bytes_is_refused(saved: Path) -> None:
    description = read_description(saved)
    description.state_dict_metadata["step"] = BytesStorageMetadata()
    (saved / ".metadata").write_bytes(pickle.dumps(description))
    with pytest.raises(RunError, match="'step' is not a tensor"):
        read_description(saved)


@pytest.mark.parametrize("place", ["../../other", "/etc/passwd", "", "..", "a\0b"])
def test_a_part_outside_the_folder_is_refused(saved: Path, place: str) -> None:
    description = read_description(saved)
    for part in description.storage_data.values():
        part.relative_path = place
    (saved / ".metadata").write_bytes(pickle.dumps(description))
    with pytest.raises(RunError, match="outside its folder"):
        read_description(saved)


@pytest.mark.parametrize("content", [b"", b"mark", b"\x80\x04K\x01.", pickle.dumps(Metadata({}))[:40], b"(" * 100_000])
def test_a_damaged_description_is_refused(saved: Path, content: bytes) -> None:
    (saved / ".metadata").write_bytes(content)
    with pytest.raises(RunError, match="not the description of a checkpoint"):
        read_description(saved)
