"""The model of a repository is found, and its speed is that of the planner."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from tianji import migrate
from tianji.catalog import load_calibration, load_model, load_pool, make_job
from tianji.catalog.entries import DATA
from tianji.migration import RepositoryScan, scan_repository
from tianji.migration.mindspore import cover_with_mindspore, offer_twin
from tianji.migration.speed import estimate_speed, find_model, find_switches
from tianji.search import plan

ScanFiles = Callable[..., RepositoryScan]
CONFIG = DATA / "models" / "llama-3.1-8b" / "config.json"


def test_a_config_of_the_repository_says_the_model(scan: ScanFiles, tmp_path: Path) -> None:
    found = scan({"train.py": "import torch\n", "a/config.json": '{"architectures": 3}', "b/config.json": "{" * 100})
    assert find_model(found) is None
    (tmp_path / "z").mkdir()
    shutil.copy(CONFIG, tmp_path / "z" / "config.json")
    model = find_model(scan_repository(tmp_path))
    assert model is not None
    assert (model[1], model[0].num_layers) == ("z/config.json", 32)


def test_the_speed_is_that_of_the_fastest_plan(scan: ScanFiles) -> None:
    found = scan({"train.py": "import torch\nimport xformers\nimport ray\n"})
    pool, calibration = load_pool("atlas-900-a2", 16), load_calibration("default")
    job = make_job("llama-3.1-8b", chips=16)
    speed = estimate_speed(found, job, "--model", pool, calibration)
    assert speed.target.step_time == plan(job, pool, calibration, uneven="named").results[0].step_time
    assert speed.present is None
    assert speed.lost == ("xformers",)
    names = [s.switch for s in find_switches(found, 16)]
    assert any(name.startswith("HCCL_NPU_SOCKET") for name in names)
    assert not any(name.startswith("HCCL_CONNECT") for name in names)
    assert any(s.switch.startswith("HCCL_CONNECT") for s in find_switches(found, 2048))


def test_a_launch_says_the_model_where_no_config_does(scan: ScanFiles, tmp_path: Path) -> None:
    yaml = "model_name_or_path: Qwen/Qwen3-4B\nstage: sft\ndo_train: true\nfinetuning_type: full\ncutoff_len: 2048\n"
    scan({"train.py": "import torch\n", "conf/sft.yaml": yaml, "examples/inference/qwen3.yaml": yaml})
    speed = migrate.scan(tmp_path, present="16xhgx-h100").document["speed"]
    assert (speed["model"], speed["found_in"]) == ("qwen3-4b", "conf/sft.yaml")
    assert speed["target"]["chips"] == 16


def test_mindspore_has_names_that_its_published_table_lacks(scan: ScanFiles) -> None:
    code = "import torch\ntorch.tensor(1)\nwith torch.no_grad():\n    torch.nn.functional.layer_norm(x, 4)\n"
    found = cover_with_mindspore(scan({"train.py": code})).counterparts
    assert {c.torch.split(".")[-1]: (c.relation, "2.10.0" in c.source) for c in found} == {
        "tensor": ("name_match", True),
        "layer_norm": ("name_match", True),
        "no_grad": ("different", True),
    }


def test_mindspore_covers_names_with_their_differences(scan: ScanFiles) -> None:
    code = "import torch\nimport torch.nn.functional as F\ntorch.abs(x)\ntorch.nansum(x)\ntorch.float32\nF.relu(x)\n"
    code += "torch.nothing_here(x)\n"
    coverage = cover_with_mindspore(scan({"train.py": code}))
    relations = {c.torch: c.relation for c in coverage.counterparts}
    assert relations["torch.abs"] == "consistent"
    assert relations["torch.nansum"] == "different"
    assert relations["torch.nothing_here"] == "unlisted"
    assert "torch.float32" not in relations
    assert 0 < coverage.share_of_uses < 1


def test_a_twin_is_offered_for_what_both_executors_run() -> None:
    twin = offer_twin(load_model("llama-3.1-8b"), "llama-3.1-8b")
    assert twin.runs
    assert twin.commands[0].startswith("tianji migrate twin llama-3.1-8b")
    for name in ("deepseek-v3", "gemma-3-4b", "gpt-oss-20b"):
        assert not offer_twin(load_model(name), name).runs, name
    assert json.dumps(twin.commands)
