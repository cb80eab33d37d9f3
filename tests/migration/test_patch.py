"""A patch applies, changes nothing twice, keeps form and comments, and keeps what a repository computes on the CPU."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.errors import FormatError
from tianji.migration import RepositoryScan, estimate_effort, scan_repository
from tianji.migration.patching import write_patch
from tianji.migration.patching.device_neutral import rewrite

ScanFiles = Callable[..., RepositoryScan]
TRAIN = '''
    """Trains on "cuda" or the CPU."""
    from __future__ import annotations

    import os, torch   # two at once
    from pkg.step import take_step


    def main(backend="nccl"):
        device = f"cuda:{os.environ.get('LOCAL_RANK', 0)}" if torch.cuda.is_available() else "cpu"   # keep me
        torch.manual_seed(0)
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(0)
        model = torch.nn.Linear(4, 1).to(device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            print(f"{take_step(model, optimizer, device):.9f}")


    if __name__ == "__main__":
        main()
'''
STEP = """
    import torch
    names = {"cuda": "GPU", "cpu": "CPU"}


    def take_step(model, optimizer, device):
        x = torch.arange(8.0).reshape(2, 4).to(device)
        if x.is_cuda:
            torch.cuda.synchronize()
        assert names[str(device).split(":")[0]]
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss.item()
"""
FILES = {"train.py": TRAIN, "pkg/__init__.py": "", "pkg/step.py": STEP}


def apply(folder: Path, diff: str) -> None:
    done = subprocess.run(
        ["git", "apply", "-p1", "-"], cwd=folder, input=diff, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


def losses(folder: Path) -> str:
    done = subprocess.run([sys.executable, "train.py"], cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_cpu_computes_the_same_before_and_after(scan: ScanFiles, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    found = scan(FILES)
    before = losses(tmp_path)
    apply(tmp_path, write_patch(found, estimate_effort(found)).diff)
    assert "device_layer" in (tmp_path / "train.py").read_text()
    assert losses(tmp_path) == before
    assert before.count("\n") == 5


def test_a_patch_applies_and_a_second_one_is_empty(scan: ScanFiles, tmp_path: Path) -> None:
    found = scan(FILES)
    patch = write_patch(found, estimate_effort(found))
    assert set(patch.files) == {"train.py", "pkg/step.py", "pkg/device_layer.py"}
    apply(tmp_path, patch.diff)
    for path in patch.files:
        ast.parse((tmp_path / path).read_text())
    again = scan_repository(tmp_path)
    assert again.files_to_change == ("pkg/step.py",)  # the key of a table is left to a person
    assert write_patch(again, estimate_effort(again)).diff == ""
    text = (tmp_path / "train.py").read_text()
    for kept in ("# keep me", "import os, torch   # two at once", 'Trains on "cuda"'):
        assert kept in text
    assert text.index("device_layer") > text.index("__future__")
    assert '{"cuda": "GPU", "cpu": "CPU"}' in (tmp_path / "pkg/step.py").read_text()


def test_the_default_of_a_parameter_is_patched_beside_what_counts(scan: ScanFiles, tmp_path: Path) -> None:
    found = scan(
        {"train.py": "import pkg.fill\n", "pkg/fill.py": "def fill(x, device='cuda'):\n    return x.to(device)\n"}
    )
    assert found.files_to_change == ()
    apply(tmp_path, write_patch(found, estimate_effort(found)).diff)
    assert "device=device_layer.DEVICE" in (tmp_path / "pkg/fill.py").read_text()
    again = scan_repository(tmp_path)
    assert write_patch(again, estimate_effort(again)).diff == ""


def test_what_a_patch_leaves_is_said(scan: ScanFiles) -> None:
    found = scan({
        "train.py": "import torch\nfrom torch.cuda import set_device\nx = torch.zeros(1).cuda()\nset_device(0)\n"
        "g = torch.cuda.CUDAGraph()\nif __name__ == '__main__':\n    print(x, g)\n",
        "latin.py": "import torch\ntorch.cuda.set_device(0)\n",
    })  # fmt: skip
    patch = write_patch(found, estimate_effort(found))
    left = {(finding.path, finding.symbol) for finding in patch.by_hand}
    assert ("train.py", "torch.cuda.CUDAGraph") in left
    assert not {place for place in left if place[0] == "latin.py"}
    assert not {finding.line for finding in patch.by_hand if finding.path == "train.py"} & {3}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = 'cuda'", "x = device_layer.DEVICE"),
        ("x = f'cuda:{r}'", "x = f'{device_layer.DEVICE}:{r}'"),
        ("x = 'cuda:1'", 'x = f"{device_layer.DEVICE}:1"'),
        ("y = x.cuda()", "y = x.to(device_layer.DEVICE)"),
        ("y = x.cuda(non_blocking=True)", "y = x.to(device_layer.DEVICE, non_blocking=True)"),
        ("y = x.cuda(rank)", 'y = x.to(f"{device_layer.DEVICE}:{rank}")'),
        ("y = x.is_cuda", "y = (x.device.type == device_layer.DEVICE)"),
        ("torch.cuda.Event(enable_timing=True).record()", "device_layer.module.Event(enable_timing=True).record()"),
        ("init('cpu:gloo,cuda:nccl')", 'init(f"cpu:gloo,{device_layer.DEVICE}:{device_layer.BACKEND}")'),
        ("os.environ['CUDA_VISIBLE_DEVICES'] = '0'", "os.environ[device_layer.VISIBLE_DEVICES] = '0'"),
        ("a = 'nccl' if b == 'cuda' else 'gloo'", "a = device_layer.BACKEND if b == device_layer.DEVICE else 'gloo'"),
    ],
)
def test_each_form_has_its_own(old: str, new: str) -> None:
    text, count = rewrite(f"import torch\n{old}\n", "import device_layer")
    assert count >= 1
    assert text == f"import torch\nimport device_layer\n{new}\n"


@pytest.mark.parametrize(
    "text",
    [
        "x = {'cuda': 1}\n",
        "x: Literal['cuda'] = y\n",
        "print('cuda')\n",
        "def f():\n    'cuda'\n",
        "torch.cuda.nvtx.range_push('x')\n",
        "x = table['cuda']\n",
        "x = b'cuda'\n",
        "def f(:\n",
        "",
    ],
)
def test_what_has_no_sure_form_stays(text: str) -> None:
    assert rewrite(text, "import device_layer") == (text, 0)


@given(st.text(alphabet="abc=()[]{}'\"\n :cuda.fx#", max_size=60))
def test_any_text_stays_or_parses(text: str) -> None:
    new, count = rewrite(text, "import device_layer")
    assert count or new == text
    if count:
        ast.parse(new)


def test_megatron_gets_one_import_and_the_style_can_be_asked(scan: ScanFiles, tmp_path: Path) -> None:
    files = {
        "megatron/core/__init__.py": "import torch\ntorch.cuda.set_device(0)\n",
        "pretrain_gpt.py": '"""Pretrain."""\nfrom megatron import core\nif __name__ == "__main__":\n    core\n',
    }
    found = scan(files)
    patch = write_patch(found, estimate_effort(found))
    assert (patch.style, patch.files) == ("import", ("pretrain_gpt.py",))
    apply(tmp_path, patch.diff)
    assert "import mindspeed.megatron_adaptor" in (tmp_path / "pretrain_gpt.py").read_text()
    again = scan_repository(tmp_path)
    assert write_patch(again, estimate_effort(again), "import").diff == ""
    with pytest.raises(FormatError, match="--patch-style"):
        write_patch(found, estimate_effort(found), "magic")


def test_other_line_ends_and_a_missing_last_one_survive(scan: ScanFiles, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_bytes(
        b"import torch\r\nx = 'cuda'\r\nif __name__ == '__main__':\r\n    x = torch.device(x)"
    )
    found = scan_repository(tmp_path)
    apply(tmp_path, write_patch(found, estimate_effort(found)).diff)
    raw = (tmp_path / "train.py").read_bytes()
    assert b"x = device_layer.DEVICE\r\n" in raw
    assert not raw.endswith(b"\n")


def patched(scan: RepositoryScan) -> dict[str, str]:
    """The lines that a patch adds, by file."""
    added: dict[str, str] = {}
    path = ""
    for line in write_patch(scan, estimate_effort(scan)).diff.splitlines():
        if line.startswith("+++ b/"):
            path = line.removeprefix("+++ b/")
        elif line.startswith("+") and path:
            added[path] = added.get(path, "") + line[1:] + "\n"
    return added


CUDA = "import torch\ntorch.cuda.set_device(0)\nprint(1)\n"


def test_scripts_beside_a_package_share_its_helper(scan: ScanFiles) -> None:
    files = {"train.py": "import pkg.step\n" + CUDA, "pkg/__init__.py": "", "pkg/step.py": CUDA}
    added = patched(scan(files))
    assert set(added) == {"train.py", "pkg/step.py", "pkg/device_layer.py"}
    assert "from pkg import device_layer" in added["train.py"]


def test_a_namespace_package_has_one_helper_at_its_top(scan: ScanFiles) -> None:
    files = {"train.py": "from tools.inner import step\n" + CUDA, "tools/inner/step.py": CUDA, "tools/more.py": CUDA}
    files["train.py"] = "import tools.more\n" + files["train.py"]
    added = patched(scan(files))
    assert set(added) == {"train.py", "tools/inner/step.py", "tools/more.py", "tools/device_layer.py"}
    assert all("from tools import device_layer" in added[path] for path in ("tools/inner/step.py", "tools/more.py"))


@pytest.mark.parametrize(
    "files",
    [
        {"train.py": CUDA, "device_layer.py": "def other():\n    return 1\n"},
        {"train.py": CUDA + "device_layer = 3\nprint(device_layer)\n"},
    ],
)
def test_a_taken_name_gives_way_and_a_second_patch_is_empty(
    files: dict[str, str], scan: ScanFiles, tmp_path: Path
) -> None:
    found = scan(files)
    assert "import npu_device_layer" in patched(found)["train.py"]
    apply(tmp_path, write_patch(found, estimate_effort(found)).diff)
    again = scan_repository(tmp_path)
    assert write_patch(again, estimate_effort(again)).diff == ""
    (tmp_path / "train.py").write_text((tmp_path / "train.py").read_text() + "torch.cuda.synchronize()\n")
    third = scan_repository(tmp_path)
    apply(tmp_path, write_patch(third, estimate_effort(third)).diff)
    assert (tmp_path / "train.py").read_text().count("import npu_device_layer") == 1


def test_a_file_keeps_its_encoding(tmp_path: Path) -> None:
    raw = "# -*- coding: latin-1 -*-\nimport torch\nname = 'caf\xe9'\ntorch.cuda.set_device(0)\nprint(name)\n".encode(
        "latin-1"
    )
    (tmp_path / "train.py").write_bytes(raw)
    found = scan_repository(tmp_path)
    patch = write_patch(found, estimate_effort(found))
    (tmp_path / "npu.patch").write_bytes(patch.diff.encode("utf-8", "surrogateescape"))
    done = subprocess.run(["git", "apply", "-p1", "npu.patch"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "train.py").read_bytes()
    assert b"'caf\xe9'" in text
    assert b"device_layer.module.set_device(0)" in text
    ast.parse(text)


def test_a_line_of_two_calls_is_left_for_the_one_that_stays(scan: ScanFiles) -> None:
    found = scan({
        "train.py": "import torch\nfrom torch.cuda.amp import autocast, GradScaler\ndef main(s):\n"
        "    with torch.cuda.stream(s), autocast(dtype=torch.bfloat16):\n        print(torch.zeros(1).cuda())\n"
        "if __name__ == '__main__':\n    torch.cuda.set_device(0)\n    main(torch.cuda.Stream())\n",
    })  # fmt: skip
    patch = write_patch(found, estimate_effort(found))
    assert "with device_layer.module.stream(s), autocast" in patch.diff
    left = {(finding.line, finding.symbol) for finding in patch.by_hand}
    assert (4, "torch.cuda.amp.autocast") in left and (4, "torch.cuda.stream") not in left
