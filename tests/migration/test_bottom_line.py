"""The bottom line of a move says its route: changed code, a plugin, a blocker, MindSpore, or nothing that could be judged."""

from pathlib import Path

import pytest

from tianji import migrate

CUDA = "import torch\ntorch.cuda.set_device(0)\n"
LIGHTNING = "import lightning\nclass Module(lightning.LightningModule):\n    pass\n"
KERNELS = "import triton\n" + "@triton.jit\ndef kernel(x):\n    pass\n" * 30


@pytest.mark.parametrize(
    ("files", "target", "answer", "amounts"),
    [
        ({"train.py": CUDA}, "a2", "Yes: it can be moved, class A", "quartiles of 14 measured moves"),
        ({"ops.py": KERNELS}, "a2", "class D", "150 to 300 for each of 30 kernels"),
        ({"megatron/core/__init__.py": CUDA}, "a3", "Yes: a plugin takes it over, MindSpeed", "no lines of its own"),
        (
            {f"p/m{i}.py": LIGHTNING for i in range(4)},
            "a2",
            "No: 1 blocker first (lightning",
            "days, cost and power need",
        ),
        ({"train.py": "import jax\n"}, "a2", "Open: not judged, none of its 1 Python file", "no lines"),
        (
            {"train.py": CUDA + "torch.nothing()\n"},
            "mindspore",
            "is written anew for MindSpore; 1 of 1 names",
            "class A",
        ),
    ],
)
def test_the_bottom_line_says_the_route(
    files: dict[str, str], target: str, answer: str, amounts: str, tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    line = migrate.scan(tmp_path, to=target).document["bottom_line"]
    assert answer in line["answer"]
    assert amounts in line["amounts"] + line["hinge"]


def test_the_bottom_line_has_the_time_where_a_model_is_known(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(CUDA)
    line = migrate.scan(tmp_path, model="llama-3.1-8b", chips=8).document["bottom_line"]
    assert "llama-3.1-8b takes" in line["amounts"]
    assert "a step on 8 x atlas-900-a2" in line["amounts"]
