"""Route, class, lines and neighbours follow from what was measured."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tianji.migration import RepositoryScan, estimate_effort
from tianji.migration.measured_moves import CLASSES, EffortClass, find_record, lines_a_file
from tianji.migration.routes import Route

from .conftest import TRAIN

ScanFiles = Callable[..., RepositoryScan]


def test_a_small_trainer_is_a_device_layer(scan: ScanFiles) -> None:
    effort = estimate_effort(scan({"train.py": TRAIN}))
    assert (effort.route, effort.effort_class) == (Route.CODE, EffortClass.A)
    assert 10 <= effort.lines_low <= effort.lines_mid <= effort.lines_high <= 200
    assert len(effort.neighbours) == 3
    assert all(n.source.startswith("http") for n in effort.neighbours)


def test_a_framework_without_an_answer_blocks(scan: ScanFiles) -> None:
    code = "import lightning as L\nclass Module(L.LightningModule):\n    pass\n"
    files = {f"pkg/part_{i}.py": code for i in range(4)} | {"pkg/__init__.py": "", "train.py": "import lightning\n"}
    effort = estimate_effort(scan(files))
    assert effort.route is Route.BLOCKED
    assert "lightning" in effort.blockers[0]


def test_an_optional_framework_does_not_block(scan: ScanFiles) -> None:
    code = "def build():\n    import lightning\n    return lightning.Trainer()\n"
    files = {f"pkg/part_{i}.py": code for i in range(4)} | {"pkg/__init__.py": "", "train.py": TRAIN}
    assert estimate_effort(scan(files)).route is Route.CODE


def test_a_repository_with_a_plugin_is_left_as_it_is(scan: ScanFiles) -> None:
    old = {"megatron/__init__.py": "", "megatron/model.py": "import torch\ntorch.cuda.set_device(0)\n"}
    assert estimate_effort(scan(old | {"pretrain_gpt.py": "from megatron import model\n"})).route is Route.CODE
    files = {"megatron/core/__init__.py": "", "megatron/core/model.py": "import torch\ntorch.cuda.set_device(0)\n"}
    effort = estimate_effort(scan(files | {"pretrain_gpt.py": "from megatron.core import model\n"}))
    assert effort.route is Route.PLUGIN
    assert "MindSpeed" in effort.answer


@pytest.mark.parametrize(("version", "route"), [("0.0.2", Route.CODE), ("0.2.2", Route.PLUGIN)])
def test_a_plugin_counts_from_the_version_that_it_supports(version: str, route: Route, scan: ScanFiles) -> None:
    files = {"version.txt": f"{version}\n", "torchtitan/__init__.py": "", "torchtitan/train.py": TRAIN}
    assert estimate_effort(scan(files)).route is route


def test_many_kernels_decide(scan: ScanFiles) -> None:
    kernel = "@triton.jit\ndef kernel_{}(x):\n    pass\n"
    code = "import triton\n" + "".join(kernel.format(i) for i in range(30))
    effort = estimate_effort(scan({"ops/__init__.py": "", "ops/kernels.py": code}))
    assert effort.effort_class is EffortClass.D
    assert effort.num_triton_kernels == 30


def test_many_files_are_several_back_ends(scan: ScanFiles) -> None:
    files = {f"pkg/part_{i}.py": "import torch\ntorch.cuda.set_device(0)\n" for i in range(30)}
    effort = estimate_effort(scan(files | {"pkg/__init__.py": ""}))
    assert effort.effort_class is EffortClass.B
    assert effort.lines_low >= CLASSES[EffortClass.B][1]


def test_breakage_stands_in_the_usual_order_with_places_here(scan: ScanFiles) -> None:
    checklist = estimate_effort(scan({"train.py": TRAIN})).checklist
    assert [name for name, *_ in checklist][:3] == [
        "installation and versions",
        "device strings and lazy CUDA init",
        "distributed start",
    ]
    occurrences = {name: (count, places) for name, _, count, places in checklist}
    assert occurrences["distributed start"] == (1, ("train.py:7",))


def test_lines_a_file_are_quartiles_of_what_was_measured() -> None:
    low, mid, high = lines_a_file()
    assert 2 < low < mid < high < 20


def test_kernels_compiled_on_demand_do_not_decide(scan: ScanFiles) -> None:
    source = "".join(f"__global__ void kernel_{i}() {{}}\n" for i in range(30))
    files = {"csrc/ops.cu": source, "train.py": TRAIN}
    assert estimate_effort(scan(files)).effort_class is EffortClass.D
    loaded = files | {"ops.py": "from torch.utils.cpp_extension import load\nload('ops', ['csrc/ops.cu'])\n"}
    effort = estimate_effort(scan(loaded))
    assert (effort.effort_class, effort.num_cuda_kernels) == (EffortClass.A, 30)
    built = "from torch.utils.cpp_extension import CUDAExtension\nCUDAExtension('ops', ['csrc/ops.cu'])\n"
    assert estimate_effort(scan(loaded | {"setup.py": built})).effort_class is EffortClass.D


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"readme.sh": "echo\n"}, "no Python was found"),
        ({"train.py": "print 'x'\n"}, "could be read"),
        ({"train.py": "import jax\n"}, "imports PyTorch"),
    ],
)
def test_what_cannot_be_judged_is_not_called_small(files: dict[str, str], why: str, scan: ScanFiles) -> None:
    effort = estimate_effort(scan(files))
    assert effort.route is Route.UNREAD
    assert why in effort.answer
    assert estimate_effort(scan(files | {"go.py": TRAIN})).route is Route.CODE


def test_a_class_says_how_often_it_was_right_as_the_page_says_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "migrate.md").read_text()
    for kind in EffortClass:
        record = find_record(kind)
        assert record.cases == record.right + sum(record.others.values())
        assert f"\n| {kind} | {record.cases} | {record.right} | " in page
