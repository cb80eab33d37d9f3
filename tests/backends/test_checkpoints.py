"""Only a checkpoint with its commit mark counts."""

from pathlib import Path

import pytest

from tianji.backends.checkpoints import (
    SEAL,
    drop,
    find_newest,
    is_unchanged,
    list_complete,
    step_folder,
    step_of,
    write_seal,
)
from tianji.operation.real_world import FolderStore


def make(folder: Path, index: int, *, complete: bool = True) -> Path:
    path = step_folder(folder, index)
    path.mkdir(parents=True)
    (path / "__0_0.distcp").write_bytes(b"part")
    if complete:
        (path / ".metadata").write_bytes(b"mark")
    return path


def test_the_newest_complete_one_is_found(tmp_path: Path) -> None:
    old, new = make(tmp_path, 9), make(tmp_path, 100)
    torn = make(tmp_path, 101, complete=False)
    (tmp_path / "step-x").mkdir()
    assert list_complete(tmp_path) == [old, new]
    assert find_newest(tmp_path) == new
    assert (step_of(new), step_of(torn), step_of(tmp_path)) == (100, None, None)


def test_where_nothing_is_there_is_none(tmp_path: Path) -> None:
    assert find_newest(tmp_path / "nowhere") is None


def test_one_whose_file_was_cut_short_or_lost_afterwards_does_not_count(tmp_path: Path) -> None:
    old, cut, lost = make(tmp_path, 9), make(tmp_path, 19), make(tmp_path, 29)
    for path in (old, cut, lost):
        write_seal(path)
    assert find_newest(tmp_path) == lost
    (lost / "__0_0.distcp").unlink()
    (cut / "__0_0.distcp").write_bytes(b"pa")
    assert find_newest(tmp_path) == old


def test_a_dropped_one_loses_its_mark_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path, 9)
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # killed before the first file is gone
    drop(path)
    assert find_newest(tmp_path) is None


def test_a_flipped_bit_is_found_and_the_one_before_is_loaded(tmp_path: Path) -> None:
    old, new = make(tmp_path, 9), make(tmp_path, 19)
    for path in (old, new):
        write_seal(path)
    assert FolderStore(tmp_path).find_loadable() == 19
    (new / "__0_0.distcp").write_bytes(b"pasT")
    assert (is_unchanged(old), is_unchanged(new)) == (True, False)
    store = FolderStore(tmp_path)
    assert (store.newest(), store.find_loadable(), store.newest()) == (19, 9, 9)
    assert (tmp_path / "step-000000019.damaged").is_dir()


@pytest.mark.parametrize(
    "text",
    ["null", "7", "[]", '{"files": {"../../etc/passwd": {"bytes": 1, "sha256": ""}}}', '{"files": 1}', "[" * 9_000, ""],
)
def test_a_seal_that_is_none_makes_no_checkpoint(tmp_path: Path, text: str) -> None:
    old, new = make(tmp_path, 9), make(tmp_path, 19)
    (new / SEAL).write_text(text)
    assert find_newest(tmp_path) == old
    assert not is_unchanged(new)


def test_a_file_in_place_of_the_folder_holds_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("")
    assert FolderStore(tmp_path / "checkpoints").find_loadable() is None
