"""Every example of the help and of the documents works as it stands."""

import re
import shlex
import shutil
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tianji.catalog.entries import DATA
from tianji.cli import main

ROOT = Path(__file__).parents[2]
RUN = """
MODEL=$1
torchrun --nnodes $NNODES --nproc_per_node 8 pretrain_gpt.py --tensor-model-parallel-size 2 --num-layers 32 \\
    --hidden-size 4096 --ffn-hidden-size 14336 --num-attention-heads 32 --group-query-attention --num-query-groups 8 \\
    --seq-length 8192 --max-position-embeddings 8192 --vocab-size 128256 --swiglu --normalization RMSNorm --bf16 \\
    --untie-embeddings-and-output-weights --position-embedding-type rope --disable-bias-linear \\
    --micro-batch-size $2 --global-batch-size $3 --use-distributed-optimizer
"""
FACTORY = """
model_name_or_path: Qwen/Qwen3-8B
stage: sft
do_train: true
finetuning_type: full
cutoff_len: 2048
per_device_train_batch_size: 1
gradient_accumulation_steps: 2
bf16: true
deepspeed: ds_z3_config.json
"""
MINE = ("browse", "plan", "predict", "goodput", "compare", "replace", "size")


def in_help() -> list[str]:
    context = click.Context(main)
    texts = [(main.get_command(context, name) or main).help or "" for name in MINE]
    return [line.strip() for text in texts for line in text.splitlines() if line.strip().startswith("tianji ")]


def in_documents() -> list[str]:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    found = [
        line for page in pages for line in re.findall(r"^```console\n\$ (tianji .*)$", page.read_text(), re.MULTILINE)
    ]
    return [line for line in found if line.split()[1] in MINE]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the examples name: a config.json, a launch.sh, and a plan.json where one is read."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(DATA / "models" / "llama-3.1-8b" / "config.json", tmp_path)
    script = ROOT / "tests" / "exporters" / "golden" / "megatron" / "pretrain_megatron.sh.golden"
    shutil.copy(script, tmp_path / "launch.sh")
    (tmp_path / "run.sh").write_text(RUN)
    (tmp_path / "qwen3_full_sft.yaml").write_text(FACTORY)
    made = CliRunner().invoke(main, shlex.split("plan llama-3.1-8b hgx-h100 --batch 64 --out plan.json"))
    assert made.exit_code == 0
    return tmp_path


def test_there_are_examples() -> None:
    assert len(in_help()) >= 10
    assert in_documents()


@pytest.mark.parametrize("line", dict.fromkeys([*in_help(), *in_documents()]))
def test_an_example_works(line: str, folder: Path) -> None:
    words = shlex.split(re.split(r"\s{2,}| > ", line)[0])[1:]  # a remark may stand behind two spaces
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert done.stdout
