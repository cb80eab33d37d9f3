"""The doors of a move: scan, versions, files, exit codes, messages."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tianji.cli import main
from tianji.report.views.migration import scan_view


def call(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["migrate", *words], input=stdin)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    code = "import torch\ntorch.cuda.set_device(0)\nmodel = torch.nn.Linear(2, 2).cuda()\n"
    (folder / "train.py").write_text(code)
    (folder / "requirements.txt").write_text("torch>=2.1\nxformers\n")
    return folder


def test_scan_says_what_to_change_and_writes_what_is_asked(repository: Path, tmp_path: Path) -> None:
    files = (
        "--constraints",
        str(tmp_path / "c.txt"),
        "--dockerfile",
        str(tmp_path / "D"),
        "--html",
        str(tmp_path / "p.html"),
    )
    done = call("scan", str(repository), *files)
    assert done.exit_code == 0, done.output
    assert "train.py:2" in done.stdout
    assert "torch_npu.npu.set_device" in done.stdout
    assert "torch==" in (tmp_path / "c.txt").read_text()
    assert "xformers: not as it is" in (tmp_path / "c.txt").read_text()
    assert "FROM" in (tmp_path / "D").read_text()
    assert "torch.cuda.set_device" in (tmp_path / "p.html").read_text()


def test_scan_as_json_has_the_keys_that_scripts_rely_on(repository: Path) -> None:
    document = json.loads(call("scan", str(repository), "--json").stdout)
    assert document["document"] == "migration_scan"
    assert document["files_to_change"] == ["train.py"]
    assert (document["route"], document["effort_class"]) == ("change its code", "A")
    assert {"path", "line", "symbol", "meaning", "answer", "mechanical", "source", "area"} <= set(
        document["findings"][0]
    )
    assert {p["name"]: p["status"] for p in document["packages"]}["xformers"] == "none"
    assert document["versions"]["fits"]


@pytest.mark.parametrize("target", ["atlas-900-a3-superpod", "atlas-950-superpod", "mindspore"])
def test_every_target_has_an_answer(target: str, repository: Path) -> None:
    document = json.loads(call("scan", str(repository), "--to", target, "--json").stdout)
    assert (document["mindspore"] is None) == (target != "mindspore")
    if target == "mindspore":
        page = scan_view(document)
        assert "written anew for MindSpore" in page.lead[0]
        assert page.highlights[0].label == "names without a known counterpart"
        assert page.sections[0].title == "MindSpore"
        assert document["versions"]["versions"]["mindspore"]
        assert document["mindspore"]["counterparts"][0]["torch"].startswith("torch.")


def test_examples_that_nothing_reaches_are_no_rows_to_change(repository: Path) -> None:
    (repository / "examples").mkdir()
    (repository / "examples" / "other.py").write_text("import torch\nx = torch.zeros(2).cuda()\n")
    document = json.loads(call("scan", str(repository), "--json").stdout)
    assert document["files_to_change"] == ["train.py"]
    assert "examples/other.py" in {finding["path"] for finding in document["findings"]}
    page = scan_view(document)
    section = next(section for section in page.sections if section.title == "What to change")
    assert {str(row[0]).split(":")[0] for row in section.blocks[0].rows} == {"train.py"}


def test_a_conflict_and_a_misfit_exit_with_one() -> None:
    assert call("versions").exit_code == 0
    conflict = call("versions", "--with", "vllm=0.11.0", "--torch", "2.10")
    assert conflict.exit_code == 1
    assert "vllm-ascend v0.11.0 needs" in " ".join(conflict.stdout.split())
    misfit = call("versions", "--environment", "-", stdin="torch==2.6.0\ntorch-npu==2.7.1\n")
    assert misfit.exit_code == 1
    assert "torch 2.6.0 with torch_npu 2.7.1" in " ".join(misfit.stdout.split())


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("scan", "no-such-folder"), "no such folder"),
        (("scan", ".", "--to", "hgx-h100"), "unknown target of a move"),
        (("scan", ".", "--to", "nothing"), "unknown"),
        (("versions", "--with", "cudnn"), "unknown component"),
        (("versions", "--environment", "no-such-file"), "cannot be read"),
        (("versions", "--environment", "-"), "names no package"),
    ],
)
def test_bad_input_ends_in_one_message(words: tuple[str, ...], says: str) -> None:
    done = call(*words)
    assert done.exit_code == 2
    assert says in done.stderr
    assert "Traceback" not in done.output


def write_run(path: Path, scale: float) -> str:
    rows = [{"step": i, "loss": scale * (2.0 + 5.0 / i), "grad_norm": 1.0 + 0.01 * (i % 7)} for i in range(1, 61)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_parity_passes_fails_and_draws(tmp_path: Path) -> None:
    one, two = write_run(tmp_path / "a.jsonl", 1.0), write_run(tmp_path / "b.jsonl", 1.05)
    done = call("parity", one, one, "--repeat", one, "--html", str(tmp_path / "page.html"))
    assert done.exit_code == 0, done.output
    assert "Loss by step" in (tmp_path / "page.html").read_text()
    failing = call("parity", one, two, "--standard", "verl-ascend-2pct", "--json")
    assert failing.exit_code == 1
    document = json.loads(failing.stdout)
    assert (document["document"], document["outcome"]) == ("migration_parity", "fail")
    check = next(c for c in document["checks"] if c["name"] == "verl-ascend-2pct")
    assert check["source"].startswith("https://")
    assert document["divergence"]["step"] == 1
    assert call("parity", one, two, "--standard", "nobody").exit_code == 2
    assert call("parity", one, str(tmp_path / "nothing")).exit_code == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--torch", "abc"], "--torch abc: expected a version, like 2.10"),
        (["--to", "mindspore", "--patch", "x.patch"], "leave it out for --to mindspore"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: list[str], says: str, repository: Path) -> None:
    done = call("scan", str(repository), *options)
    assert done.exit_code == 2
    assert says in done.stderr


LAUNCH = """#!/bin/bash
torchrun --nproc_per_node 8 --nnodes 2 pretrain_gpt.py \\
  --num-layers 16 --hidden-size 2048 --ffn-hidden-size 5632 --num-attention-heads 16 --seq-length 4096 \\
  --max-position-embeddings 4096 --micro-batch-size 1 --global-batch-size 64 --tensor-model-parallel-size 2 \\
  --swiglu --normalization RMSNorm --position-embedding-type rope --untie-embeddings-and-output-weights \\
  --disable-bias-linear --vocab-size 32000 --make-vocab-size-divisible-by 1 --bf16 --train-iters 100
"""


def test_the_model_is_told_from_a_launch_script(repository: Path) -> None:
    (repository / "scripts").mkdir()
    (repository / "scripts" / "pretrain.sh").write_text(LAUNCH)
    done = call("scan", str(repository), "--chips", "16", "--json")
    assert done.exit_code == 0, done.output
    speed = json.loads(done.stdout)["speed"]
    assert speed["found_in"] == "scripts/pretrain.sh"
    assert (speed["target"]["pool"], speed["target"]["chips"]) == ("atlas-900-a2", 16)
    assert 0 < speed["target"]["step_time_range_s"]["low"] <= speed["target"]["step_time_range_s"]["high"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--patch-style", "import"], "give the file for it with --patch"),
        (["--chips", "16"], "no model is known"),
    ],
)
def test_options_without_what_they_belong_to_are_refused(options: list[str], says: str, repository: Path) -> None:
    done = call("scan", str(repository), *options)
    assert done.exit_code == 2
    assert says in " ".join(done.stderr.split())


def test_a_dockerfile_leaves_out_cuda_and_installs_what_was_asked_for(tmp_path: Path) -> None:
    call("versions", "--with", "vllm", "--with", "mindspeed", "--dockerfile", str(tmp_path / "D"))
    text = (tmp_path / "D").read_text()
    assert "requirements-npu.txt" in text
    assert text.index("torch-npu") < text.index(" vllm\n") < text.index(" vllm-ascend\n")
    assert "github.com/Ascend/MindSpeed" in text
    pattern = text.split("grep -viE '")[1].split("'")[0]
    requirements = "torch==2.4.0+cu124\nnvidia-cublas-cu12==12\nflash_attn==2.5\nnumpy\ntransformers>=4.5\ntorchdata\n"
    requirements += "--extra-index-url https://example.org/whl/cu121\n"
    (tmp_path / "r.txt").write_text(requirements)
    done = subprocess.run(
        ["grep", "-viE", pattern, str(tmp_path / "r.txt")], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["numpy", "transformers>=4.5", "torchdata"]
