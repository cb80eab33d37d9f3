"""Small repositories of our own, written for each kind of finding."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from tianji.migration import RepositoryScan, scan_repository

Write = Callable[..., Path]
TRAIN = """
    import os
    import torch
    import torch.distributed as dist

    device = "cuda"
    if int(os.environ.get("RANK", -1)) >= 0:
        dist.init_process_group(backend="nccl")
        rank = int(os.environ["LOCAL_RANK"])
        device = f"cuda:{rank}"
        torch.cuda.set_device(device)
    model = torch.nn.Linear(4, 4).to(device)

    if __name__ == "__main__":
        print(model(torch.ones(2, 4, device=device)).sum())
"""


@pytest.fixture
def repository(tmp_path: Path) -> Write:
    """Return a function that writes files, given by their paths, and returns the folder."""

    def write(**files: str) -> Path:
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"))
        return tmp_path

    return write


@pytest.fixture
def scan(tmp_path: Path) -> Callable[..., RepositoryScan]:
    """Return a function that writes files, by a mapping of paths, and scans them."""

    def write_and_scan(files: dict[str, str], **options: object) -> RepositoryScan:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text).lstrip("\n"))
        return scan_repository(tmp_path, **options)  # type: ignore[arg-type]

    return write_and_scan


def symbols(found: RepositoryScan, path: str) -> dict[str, int]:
    """Return the symbols of a file with the lines where they stand first."""
    lines: dict[str, int] = {}
    for finding in sorted(found.findings, key=lambda f: f.line):
        if finding.path == path:
            lines.setdefault(finding.symbol, finding.line)
    return lines
