"""A scan finds what is there, says what it means on the chip, and keeps apart what needs no change."""

from collections.abc import Callable

import pytest

from tianji.errors import FormatError, UnknownNameError
from tianji.migration import RepositoryScan
from tianji.migration.judging import Impact
from tianji.migration.resolving import Area
from tianji.migration.scan import find_target

from .conftest import TRAIN, symbols

ScanFiles = Callable[..., RepositoryScan]

CASES = {
    "f-string": ("x.to(f'cuda:{rank}')", "idiom:device-fstring"),
    "format": ("x.to('cuda:{}'.format(rank))", "idiom:device-string"),
    "sum": ("x.to('cuda:' + str(rank))", "idiom:device-fstring"),
    "device object": ("torch.device('cuda')", "idiom:device-object"),
    "method": ("x.cuda()", "idiom:cuda-method"),
    "rank as device": ("x.to(local_rank)", "idiom:device-int"),
    "branch": ("if device_type == 'cuda':\n    pass", "idiom:device-branch"),
    "membership": ("if device_type in ('cuda', 'xpu'):\n    pass", "idiom:device-branch"),
    "backend": ("dist.init_process_group('nccl')", "idiom:nccl-backend"),
    "backend branch": ("if backend == 'nccl':\n    pass", "idiom:nccl-branch"),
    "composite": ("dist.init_process_group('cpu:gloo,cuda:nccl')", "idiom:nccl-composite"),
    "mesh": ("init_device_mesh('cuda', (8,))", "idiom:device-mesh"),
    "visible devices": ("os.environ['CUDA_VISIBLE_DEVICES'] = '0'", "env:CUDA_VISIBLE_DEVICES"),
    "Ray option": ("import ray\nActor.options(num_gpus=1)", "idiom:ray-resource"),
    "Ray bundle": ("import ray\nbundle = {'GPU': 1, 'CPU': 4}", "idiom:ray-resource"),
    "alias": ("from torch import cuda as accelerator\naccelerator.synchronize()", "torch.cuda.synchronize"),
    "module alias": ("import torch.cuda as c\nc.set_device(0)", "torch.cuda.set_device"),
    "autocast": ("with torch.autocast('cuda'):\n    pass", "idiom:autocast-string"),
    "scaler": ("torch.cuda.amp.GradScaler()", "torch.cuda.amp.GradScaler"),
    "another device": ("if kind == 'xpu':\n    pass", "idiom:device-dispatch"),
    "error text": ("if 'CUDA out of memory' in str(e):\n    pass", "idiom:error-text"),
    "fork": ("torch.multiprocessing.set_start_method('fork')", "idiom:fork"),
    "float64": ("x = torch.float64", "torch.float64"),
    "peak": ("flops = 312e12", "idiom:peak-flops"),
    "pinned": ("DataLoader(d, pin_memory_device='cuda')", "idiom:pin-memory-device"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_idiom_is_found(case: str, scan: ScanFiles) -> None:
    code, symbol = CASES[case]
    found = scan({"train.py": f"import os\nimport torch\nimport torch.distributed as dist\n{code}\n"})
    assert symbol in symbols(found, "train.py")


def test_lines_answers_and_sources_are_those_of_the_place(scan: ScanFiles) -> None:
    found = scan({"train.py": TRAIN})
    lines = symbols(found, "train.py")
    assert lines["idiom:nccl-backend"] == 7
    assert lines["torch.cuda.set_device"] == 10
    finding = next(f for f in found.findings if f.symbol == "torch.cuda.set_device")
    assert finding.answer == "torch_npu.npu.set_device"
    assert finding.source.startswith("https://")
    assert found.files_to_change == ("train.py",)


def test_documentation_and_comments_are_no_sites(scan: ScanFiles) -> None:
    found = scan({"train.py": '"""Runs on "cuda" with nccl."""\n# torch.cuda.set_device(0)\nimport torch\n'})
    assert not found.findings


def test_what_is_inert_needs_no_change(scan: ScanFiles) -> None:
    code = "import torch\ntorch.backends.cudnn.benchmark = True\ntorch.cuda.empty_cache()\n"
    found = scan({"train.py": code})
    assert len(found.findings) == 2
    assert found.files_to_change == ()


def test_a_branch_for_another_device_is_left_alone(scan: ScanFiles) -> None:
    code = "import torch\nif torch.xpu.is_available():\n    torch.cuda.set_device(0)\n"
    found = scan({"train.py": code})
    inside = [f for f in found.findings if f.symbol == "torch.cuda.set_device"]
    assert inside
    assert not inside[0].needs_change


def test_a_framework_that_chooses_the_device_is_named(scan: ScanFiles) -> None:
    code = """
        import torch
        from accelerate import Accelerator
        accelerator = Accelerator()
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(1)
        torch.cuda.synchronize()
    """
    found = scan({"train.py": code})
    assert found.frameworks == {"accelerate": 1}
    assert {f.meaning for f in found.findings} == {Impact.HANDLED}
    assert found.files_to_change == ()


def test_groups_follow_the_imports_from_the_entry_points(scan: ScanFiles) -> None:
    files = {
        "train.py": "from pkg.model import build\nif __name__ == '__main__':\n    build().cuda()\n",
        "pkg/__init__.py": "",
        "pkg/model.py": "from .layers import layer\n",
        "pkg/layers.py": "import torch\ntorch.cuda.set_device(0)\n",
        "pkg/unused.py": "import torch\ntorch.cuda.set_device(0)\n",
        "inference.py": "import torch\nif __name__ == '__main__':\n    torch.cuda.set_device(0)\n",
        "tests/test_model.py": "import torch\ntorch.cuda.set_device(0)\n",
        "docs/conf.py": "device = 'cuda'\n",
        "examples/demo_chat.py": "device = 'cuda'\nprint(device)\n",
    }
    found = scan(files)
    groups = found.structure.areas
    assert groups["pkg/layers.py"] is Area.TRAINING
    assert groups["pkg/unused.py"] is Area.LIBRARY
    assert groups["inference.py"] is Area.SCRIPTS
    assert groups["tests/test_model.py"] is Area.TESTS
    assert groups["docs/conf.py"] is Area.DOCS
    assert groups["examples/demo_chat.py"] is Area.SCRIPTS
    on_path = ("pkg/layers.py", "pkg/unused.py", "train.py")
    assert found.files_on_path == on_path
    assert found.files_to_change == ("examples/demo_chat.py", "inference.py", *on_path)
    assert found.files_to_start == ("pkg/layers.py",)


def test_an_entry_narrows_what_is_reached(scan: ScanFiles) -> None:
    files = {
        "train.py": "import a\n",
        "a.py": "device = 'cuda'\n",
        "train_other.py": "import torch\ntorch.cuda.init()\n",
    }
    found = scan(files, entries=["train.py"])
    assert found.structure.reached == {"train.py", "a.py"}
    with pytest.raises(FormatError, match="no Python file"):
        scan(files, entries=["nothing.py"])


def test_a_tree_of_settings_is_one_matter_apart(scan: ScanFiles) -> None:
    settings = {f"configs/run_{i}.py": "env = dict(dist_cfg=dict(backend='nccl'))\n" for i in range(5)}
    found = scan({"train.py": "import torch\nif __name__ == '__main__':\n    torch.cuda.set_device(0)\n", **settings})
    assert found.files_to_change == ("train.py",)
    assert all(found.structure.areas[name] is Area.SETTINGS for name in settings)


def test_launch_files_are_read(scan: ScanFiles) -> None:
    found = scan(
        {
            "train.py": TRAIN,
            "run.sh": "export CUDA_VISIBLE_DEVICES=0,1\nexport NCCL_DEBUG=INFO\nnvidia-smi\ntorchrun go.py\n",
            "go.py": "import train\n",
            "Dockerfile": "FROM nvcr.io/nvidia/pytorch:24.01-py3\nRUN pip install flash-attn==2.5\n",
            "config.yaml": "backend: nccl\ndevice: cuda\n",
        }
    )
    assert {"env:CUDA_VISIBLE_DEVICES", "env:NCCL_DEBUG", "idiom:nvidia-smi"} <= set(symbols(found, "run.sh"))
    assert "idiom:cuda-image" in symbols(found, "Dockerfile")
    assert set(symbols(found, "config.yaml")) == {"idiom:nccl-backend", "idiom:device-string"}
    verdict = next(v for v in found.packages if v.name == "flash-attn")
    assert (verdict.status, verdict.clause) == ("plugin", "==2.5")


def test_kernels_stand_apart(scan: ScanFiles) -> None:
    code = "import triton\n@triton.jit\ndef kernel(x):\n    pass\ndef call(x, device='cuda'):\n    kernel[(1,)](x)\n"
    found = scan({"train.py": "import kernels\n", "kernels.py": code, "csrc/op.cu": "__global__ void f() {}\n"})
    assert "idiom:triton-kernel" in symbols(found, "kernels.py")
    assert "idiom:cuda-source" in symbols(found, "csrc/op.cu")
    assert found.files_to_change == ()


def test_names_of_torch_are_judged_by_chip_and_version(scan: ScanFiles) -> None:
    code = "import torch\nimport torch.nn.functional as F\nF.relu(torch.zeros(2))\ntorch.linalg.det(torch.eye(2))\n"
    found = scan({"train.py": code}, torch_version="2.10")
    uses = {use.name: use for use in found.apis}
    assert uses["torch.nn.functional.relu"].meaning is not Impact.UNKNOWN
    assert found.torch_version == "2.10"
    on_950 = {use.name: use for use in scan({"train.py": code}, target="atlas-950-superpod").apis}
    assert any(not use.is_verified for use in on_950.values()) or all(use.is_verified for use in on_950.values())


def test_a_version_newer_than_the_tables_is_said(scan: ScanFiles) -> None:
    found = scan({"train.py": "import torch\n"}, torch_version="3.4")
    assert "newer than the tables" in found.notes[0]


def test_targets_are_pools_chips_and_families() -> None:
    assert find_target("atlas-900-a3-superpod").key == "a3"
    assert find_target("ascend-950dt").key == "950dt"
    assert find_target("A2").key == "a2"
    with pytest.raises(UnknownNameError, match="hgx-h100"):
        find_target("hgx-h100")


@pytest.mark.parametrize(
    "line",
    [
        "ok = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 9)",
        "used = memory['cuda']",
        "languages = ['python', 'cpp', 'cuda', 'bash']",
        "if x.device.type in ['cuda', 'xpu', 'npu']:\n    pass",
        "if q.device.type == 'cuda' and mask is not None:\n    q = q.contiguous()\n    k = k.contiguous()",
        "os.environ['CUDA_VISIBLE_DEVICES'] = '-1'",
        "os.environ.pop('CUDA_VISIBLE_DEVICES', None)",
        "del os.environ['CUDA_VISIBLE_DEVICES']",
        "def fill(x, device='cuda'):\n    return x.to(device)",
        "state = torch.load(path, map_location='cpu' if device.type != 'cuda' else None)",
        "def put(x: 'torch.Tensor', kinds: Union[torch.cuda.LongTensor, torch.LongTensor]) -> None:\n    pass",
    ],
)
def test_what_may_stay_counts_as_no_file_to_change(line: str, scan: ScanFiles) -> None:
    found = scan({"train.py": f"import os\nimport torch\nfrom typing import Union\nprint(1)\n{line}\n"})
    assert found.files_to_change == (), [f.symbol for f in found.findings if f.needs_change]


@pytest.mark.parametrize(
    "line",
    [
        "limit = torch.cuda.get_device_capability()",
        "table = {'cuda': 'nccl', 'cpu': 'gloo'}[device.type]",
        "devices = ['cpu', 'cuda', 'mps']",
        "if x.device.type in ['cuda', 'xpu']:\n    pass",
        "if q.device.type == 'cuda':\n    q = q.half()",
        "os.environ['CUDA_VISIBLE_DEVICES'] = '0,1'",
        "def load(kind: Literal['cpu', 'cuda'] = 'cpu'):\n    pass",
        "def start(backend='nccl'):\n    pass",
        "def main(device='cuda'):\n    pass\nif __name__ == '__main__':\n    main()",
        "state = torch.load(path, map_location='cuda')",
        "from torch.cuda import CUDAGraph as Graph",
    ],
)
def test_what_looks_alike_and_breaks_counts(line: str, scan: ScanFiles) -> None:
    code = f"import os\nimport torch\nfrom typing import Literal\nprint(1)\n{line}\n"
    assert scan({"train.py": code}).files_to_change == ("train.py",)


def test_a_name_taken_from_each_accelerator_stands_for_cudas(scan: ScanFiles) -> None:
    code = """
        import envs
        if envs._is_cuda():
            from torch.cuda import synchronize
        elif envs._is_musa():
            from torch.musa import synchronize
        synchronize()
    """
    found = symbols(scan({"train.py": code}), "train.py")
    assert found["torch.cuda.synchronize"] == 6
    assert found["idiom:device-dispatch"] == 4


def test_a_table_of_available_packages_gets_the_npu(scan: ScanFiles) -> None:
    names = [f"is_{name}_available" for name in ("onnx", "vision", "flax", "sentry", "peft")]
    table = "".join(f"def {name}():\n    return True\n" for name in names)
    files = {
        "train.py": "import pkg.utils\n",
        "pkg/__init__.py": f"from .utils import {names[0]}\n",
        "pkg/utils/__init__.py": f"from .imports import {', '.join(names)}\n",
        "pkg/utils/imports.py": table,
    }
    assert scan(files).files_to_change == ("pkg/utils/__init__.py", "pkg/utils/imports.py")
    files["pkg/utils/imports.py"] = table + "def is_torch_npu_available():\n    return True\n"
    assert scan(files).files_to_change == ()


def test_examples_are_the_training_of_a_library_without_any(scan: ScanFiles) -> None:
    code = "import torch\nif __name__ == '__main__':\n    torch.cuda.set_device(0)\n"
    assert scan({"examples/train.py": code}).files_to_change == ("examples/train.py",)
    assert scan({"examples/train.py": code, "train.py": code}).files_to_change == ("train.py",)


def test_what_is_past_serves_or_is_cudas_alone_stands_apart(scan: ScanFiles) -> None:
    code = "import torch\ntorch.cuda.set_device(0)\n"
    files = {
        "train.py": "import core.legacy.old\nimport core.third_party.vllm_v_0_5_4.engine\nimport core.new\n",
        "core/new.py": code,
        "core/legacy/old.py": code,
        "core/third_party/vllm_v_0_5_4/engine.py": code,
        "core/third_party/vllm_v_0_8_5/engine.py": code,
        "core/kernels/marlin.py": code,
        "runtime/gpu/model/1/model.py": "import triton_python_backend_utils as pb_utils\n" + code,
        "runtime/gpu/model/1/decoder.py": code,
        "bin/export_onnx.py": "import bin.shared\n" + code,
        "bin/recognize_onnx.py": "import bin.export_onnx\n" + code,
        "bin/shared.py": code,
    }
    found = scan(files)
    on_path = ("core/new.py", "core/third_party/vllm_v_0_8_5/engine.py")
    assert found.files_on_path == on_path
    # Scripts are changed when a person starts them.
    scripts = {path for path, area in found.structure.areas.items() if area is Area.SCRIPTS}
    assert set(found.files_to_change) == {*on_path, *scripts}
    areas = {path: area.value for path, area in found.structure.areas.items()}
    assert areas["core/legacy/old.py"] == areas["core/third_party/vllm_v_0_5_4/engine.py"] == "superseded"
    assert areas["bin/shared.py"] == areas["runtime/gpu/model/1/decoder.py"] == "other scripts"


def test_what_chooses_a_device_is_to_start_with(scan: ScanFiles) -> None:
    weak = "import torch\n@torch.autocast('cuda')\ndef step(x):\n    return x\n"
    files = {
        "train.py": "import torch, pkg.step, pkg.rank\nif __name__ == '__main__':\n    pass\n",
        "pkg/__init__.py": "",
        "pkg/step.py": weak,
        "pkg/rank.py": "import torch\ntorch.cuda.set_device(0)\n",
    }
    found = scan(files)
    assert found.files_to_change == ("pkg/rank.py", "pkg/step.py")
    assert found.files_to_start == ("pkg/rank.py",)
    assert scan(files | {"pkg/rank.py": ""}).files_to_start == ("pkg/step.py",)


def test_memory_is_freed_for_others_or_by_a_loop(scan: ScanFiles) -> None:
    free = "import torch\ndef free():\n    torch.cuda.empty_cache()\n"
    files = {"pkg/__init__.py": "", "pkg/memory.py": free, "train.py": "import pkg.memory\n"}
    assert scan(files).files_to_change == ()
    found = scan(files | {f"pkg/model_{i}.py": "import pkg.memory\n" for i in range(2)})
    assert found.files_to_change == ("pkg/memory.py",)


def test_an_input_is_no_npu(scan: ScanFiles) -> None:
    assert not scan({"train.py": "from pkg import input_shape, read_input\n"}).has_npu
    assert scan({"train.py": "from pkg import is_npu_available\n"}).has_npu
