"""One command for each kind of answer, and what runs it."""

from __future__ import annotations

import json
import re
import shlex
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
from click.testing import CliRunner, Result

from samples import write_operation
from tianji.backends.first_weights import FirstWeights, weight_shapes, write_first_weights
from tianji.catalog import load_pool, make_job
from tianji.cli import main
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import write_plan
from tianji.parallel.strategy import Strategy
from tianji.workload.huggingface import read_config

GUIDE = Path(__file__).parents[2] / "docs" / "extending.md"

COMMANDS = {
    "catalog": "browse",
    "entry": "browse pools cloudmatrix384",
    "targets": "export",
    "export": "export {folder}/plan.json --to slurm --out {folder}/export",
    "check": "export --check {folder}/job.yaml",
    "prediction": "predict llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 8 --tokens 1T",
    "plan": "plan llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tokens 1T --explain tp=8",
    "mixture": "plan llama-3.1-8b 8xhgx-a100+8xhgx-h100 --batch 64 --tokens 1T",
    "mixed_goodput": "goodput llama-3.1-8b 8xhgx-a100+8xhgx-h100 --batch 64 --tokens 1T",
    "goodput": "goodput llama-3.1-8b hgx-h100 --chips 512 --batch 1024 --tp 4 --price '2 USD' --tokens 1T",
    "comparison": "compare llama-3.1-8b 64xhgx-h100 64xatlas-900-a2 64xatlas-950-superpod --tokens 1T",
    "replacement": "replace llama-3.1-8b --from 64xhgx-h100 --with atlas-900-a2 --batch 256 --points 4 --buy",
    "sizing": "size llama-3.1-8b hgx-h100 --batch 256 --tokens 1T --days 30 --budget 1000000",
    "smallest": "smallest llama-3.1-8b hgx-h100 --tasks sft,lora --batch 32 --most 8",
    "described_model": "model tower {folder}/seeing.json --images 4 --image-tokens 256 --out {folder}/seeing.toml",
    "validation": "validate {folder}/runs.csv --group-by chip,feature",
    "calibration": "calibrate {folder}/runs.csv --out {folder}/mine.toml --date 2026-11-30",
    "operation_status": "operate status {folder}/operation",
    "operation_report": "operate report {folder}/operation",
    "columns": "validate --columns",
    "migration_versions": "migrate versions --to a3 --with vllm",
    "migration_scan": "migrate scan {folder}/repository --to a3",
    "migration_parity": "migrate parity {folder}/one.jsonl {folder}/two.jsonl",
    "migration_twin": "migrate twin {folder}/tiny --weights {folder}/tiny/weights.npz --out {folder}/twin --no-run",
    "migration_dumps": "migrate parity {folder}/dump-one {folder}/dump-two",
}
"""By the name of the document; each as small as its answer allows. ``runs.csv`` is the table of the extending guide."""
OF_REAL_PROCESSES = (
    "run", "explanation", "operation", "operation_request", "simulation", "machine", "pool_node", "pool_status",
)  # fmt: skip
"""Documents whose commands need real processes, or print a text of their own: ``test_run_views`` makes them of
results that are put together."""
EXIT_CODES = {"check": 2, "migration_dumps": 1}
"""Of the commands that end in another than 0."""
TOWERS = json.loads((Path(__file__).parents[1] / "workload" / "data" / "towers.json").read_text("utf-8"))["counts"]
BROKEN = """apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {name: train}
spec:
  minAvailable: 2
  tasks:
  - name: Node
    replicas: "2"
    template: {spec: {containers: [{name: main, image: x}]}}
"""


def read_runs() -> str:
    """Return the table of measured runs that docs/extending.md shows."""
    (text,) = re.findall(r"^`runs.csv`:\n\n```csv\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(text)


TRAIN = """import torch
import torch.distributed as dist

dist.init_process_group(backend="nccl")
model = torch.nn.Linear(8, 8).cuda()
device = torch.device(f"cuda:{dist.get_rank()}")
"""


TINY = {
    "model_type": "llama", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24,
    "vocab_size": 64,
}  # fmt: skip


def write_move(folder: Path) -> None:
    """Write a small repository, a tiny model, two logs and two dumps."""
    repository = folder / "repository"
    repository.mkdir()
    (repository / "train.py").write_text(TRAIN)
    (repository / "requirements.txt").write_text("torch==2.7.1\nflash-attn\ntransformers>=4.50\n")
    tiny = folder / "tiny"
    tiny.mkdir()
    (tiny / "config.json").write_text(json.dumps(TINY))
    shapes = weight_shapes(read_config(TINY, "tiny"))
    write_first_weights(FirstWeights({n: np.ones(s, np.float32) for n, s in shapes.items()}), tiny / "weights.npz")
    for name, slope in (("one", 0.01), ("two", 0.0101)):
        lines = [json.dumps({"step": i, "loss": 10.0 - slope * i, "grad_norm": 1.0}) for i in range(1, 61)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
        place = folder / f"dump-{name}" / "step0" / "rank0"
        place.mkdir(parents=True)
        value = 1.0 if name == "one" else 1.5
        tensor = {
            "type": "torch.Tensor",
            "dtype": "torch.float32",
            "shape": [4],
            "Max": value,
            "Min": -1.0,
            "Mean": 0.1,
            "Norm": value,
        }
        same = tensor | {"Max": 1.0, "Norm": 1.0}
        call = {"input_args": [same], "input_kwargs": {}, "output": [tensor]}
        (place / "dump.json").write_text(
            json.dumps({"task": "statistics", "level": "L1", "data": {"Torch.relu.0.forward": call}})
        )


@cache
def prepared() -> Path:
    """Return a folder with the files that commands read."""
    folder = Path(mkdtemp(prefix="tianji-answers-"))
    job, pool = make_job("llama-3.1-8b", 4096, 64), load_pool("hgx-h100", 16)
    write_plan(Plan(job, pool, Strategy(tp=8, dp=2)), folder / "plan.json")
    (folder / "job.yaml").write_text(BROKEN)
    (folder / "runs.csv").write_text(read_runs(), encoding="utf-8")
    (folder / "seeing.json").write_text(json.dumps(TOWERS["qwen2_vl"]["config"]))
    write_move(folder)
    write_operation(folder / "operation")
    return folder


def run(name: str, *more: str, columns: int = 80) -> Result:
    """Run the command of a document with more words."""
    words = shlex.split(COMMANDS[name].replace("{folder}", str(prepared())))
    done = CliRunner().invoke(main, [*words, *more], env={"COLUMNS": str(columns)}, catch_exceptions=False)
    assert done.exit_code == EXIT_CODES.get(name, 0), done.stderr
    return done
