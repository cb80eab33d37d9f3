"""One command for each kind of answer, and what runs it."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from click.testing import CliRunner, Result

from tianji.catalog import load_pool, make_job
from tianji.cli import main
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import write_plan
from tianji.parallel.strategy import Strategy

COMMANDS = {
    "catalog": "catalog",
    "entry": "catalog pools cloudmatrix384",
    "targets": "export",
    "export": "export {folder}/plan.json --to slurm --out {folder}/export",
    "check": "export --check {folder}/job.yaml",
    "prediction": "predict llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 8 --tokens 1T",
    "plan": "plan llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tokens 1T --explain tp=8",
    "mixture": "plan llama-3.1-8b a100-h100 --tokens 1T",
}
"""By the name of the document; each as small as its answer allows."""
EXIT_CODES = {"check": 2}
"""Of the commands that end in another than 0."""
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


@cache
def prepared() -> Path:
    """Return a folder with the files that commands read."""
    folder = Path(mkdtemp(prefix="tianji-answers-"))
    job, pool = make_job("llama-3.1-8b", 4096, 64), load_pool("hgx-h100", 16)
    write_plan(Plan(job, pool, Strategy(tp=8, dp=2)), folder / "plan.json")
    (folder / "job.yaml").write_text(BROKEN)
    return folder


def run(name: str, *more: str, columns: int = 80) -> Result:
    """Run the command of a document with more words."""
    words = shlex.split(COMMANDS[name].replace("{folder}", str(prepared())))
    done = CliRunner().invoke(main, [*words, *more], env={"COLUMNS": str(columns)}, catch_exceptions=False)
    assert done.exit_code == EXIT_CODES.get(name, 0), done.stderr
    return done
