"""Only a checkpoint with its commit mark counts."""

from pathlib import Path

from tianji.backends.checkpoints import find_newest, list_complete, step_folder, step_of


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
