"""Malformed, huge, hostile and unreadable repositories end in a clear answer, and nothing of them is run."""

import os
import time
from pathlib import Path

import pytest

from tianji.api.migrating import versions
from tianji.errors import FormatError
from tianji.migration import scan_repository
from tianji.migration.parity.dumps import read_dump
from tianji.migration.parity.run_files import read_run
from tianji.migration.reading.files import MAX_BYTES
from tianji.migration.twin.weight_files import open_weights


def test_a_link_out_of_the_tree_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("device = 'cuda'\n")
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "train.py").write_text("import torch\n")
    (repository / "linked.py").symlink_to(outside / "secret.py")
    (repository / "folder").symlink_to(outside, target_is_directory=True)
    found = scan_repository(repository)
    assert [facts.path for facts in found.files] == ["train.py"]
    assert found.left_out == (("linked.py", "a link; links are not followed"),)


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "train.py").write_text("import torch\n")
    assert len(scan_repository(tmp_path).files) == 1


def test_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"open({str(mark)!r}, 'w').write('x')\nimport torch\ntorch.cuda.set_device(0)\n"
    for name in ("train.py", "setup.py", "conftest.py", "__init__.py"):
        (tmp_path / name).write_text(code)
    scan_repository(tmp_path)
    assert not mark.exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe\x00\x00\x01",
        b"\x00" * 100,
        b"print 'python 2'\n",
        b"(" * 100_000,
        b"x = " + b"[" * 5_000 + b"]" * 5_000,
        b"def f(:\n",
        b"# -*- coding: utf-7 -*-\nx=1\n",
        b"x = '" + b"a" * 10_000 + b"'\n",
        b"1" * 10_000,
        "é".encode("latin-1") + b" = 'cuda'\n",
    ],
    ids=range(10),
)
def test_any_bytes_end_in_an_answer(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_bytes(raw)
    (tmp_path / "pyproject.toml").write_bytes(raw)
    (tmp_path / "run.sh").write_bytes(raw)
    (tmp_path / "config.yaml").write_bytes(raw)
    found = scan_repository(tmp_path)
    assert len(found.files) == 4


def test_a_file_too_large_is_left_out_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\n")
    (tmp_path / "data.py").write_bytes(b"#" * (MAX_BYTES + 1))
    found = scan_repository(tmp_path)
    assert found.left_out[0][0] == "data.py"


def test_names_that_are_no_text_are_shown(tmp_path: Path) -> None:
    path = os.path.join(os.fsencode(tmp_path), b"train\xff.py")
    try:
        with open(path, "wb") as file:
            file.write(b"device = 'cuda'\n")
    except OSError:
        pytest.skip("this file system takes no such name")
    assert len(scan_repository(tmp_path).findings) == 1


@pytest.mark.parametrize("name", ["nothing", "train.py", "\0", "a" * 5000])
def test_what_is_no_folder_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    with pytest.raises(FormatError, match="no such folder"):
        scan_repository(str(tmp_path) + "/" + name)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is empty"):
        scan_repository(tmp_path)


def test_thirty_thousand_lines_take_seconds(tmp_path: Path) -> None:
    block = "def f(x, device='cuda'):\n    y = torch.zeros(3, device=device).cuda()\n    return torch.matmul(y, x)\n"
    for index in range(30):
        (tmp_path / f"train_{index}.py").write_text("import torch\n" + block * 333)
    start = time.process_time()
    found = scan_repository(tmp_path)
    assert found.num_lines > 29_000
    # Far above the second that it takes: it tells a cost that grows with the square of the lines from a busy machine.
    assert time.process_time() - start < 40.0


def test_files_that_import_each_other_and_names_without_end(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import a\nfrom b import *\n")
    (tmp_path / "a.py").write_text("import b\nimport a\nfrom . import c\n")
    (tmp_path / "b.py").write_text("import a\nimport train\nx = " + ".".join(["y"] * 3000) + "\n")
    (tmp_path / "c.py").write_text("if " + " and ".join(["torch.cuda.is_available()"] * 3000) + ":\n    pass\n")
    assert len(scan_repository(tmp_path).files) == 4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pyproject.toml", "[project\nname = 3\ndependencies = [[[["),
        ("pyproject.toml", "project = 3\n"),
        ("pyproject.toml", '[project]\ndependencies = [1, {a = 2}, "torch=="]\noptional-dependencies = 3\n'),
        ("environment.yml", "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" * 200),
        ("environment.yml", "dependencies:\n  - pip:\n    - {{ torch }}\n\t- x\n"),
        ("setup.cfg", "[options\ninstall_requires = \n = \n"),
        ("requirements.txt", "torch==" + "9" * 100_000 + "\n-r requirements.txt\n-e git+https://x\n===\n@@@\n"),
        ("Dockerfile", "RUN pip install \\\n" * 20_000),
        ("run.sh", "torchrun " + "$(" * 10_000 + "\n'"),
        ("config.yaml", "x: " + "{" * 100_000),
        ("config.json", "[" * 100_000),
    ],
)
def test_files_that_are_no_good_end_in_an_answer(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import torch\ntorch.cuda.set_device(0)\n")
    (tmp_path / name).write_text(text)
    found = scan_repository(tmp_path)
    assert "torch.cuda.set_device" in {finding.symbol for finding in found.findings}


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_never_ends_is_not_read(kind: str, tmp_path: Path) -> None:
    endless = Path("/dev/zero")
    if kind == "pipe":
        endless = tmp_path / "pipe"
        os.mkfifo(endless)
    named = tmp_path / "model.safetensors"
    named.symlink_to(endless)
    with pytest.raises(FormatError, match="not a file"):
        read_run(endless)
    with pytest.raises(FormatError, match=r"has no dump\.json"):
        read_dump(endless)
    with pytest.raises(FormatError, match="not a file"):
        open_weights(named)
    with pytest.raises(FormatError, match="not a file"):
        versions(environment=str(endless))
