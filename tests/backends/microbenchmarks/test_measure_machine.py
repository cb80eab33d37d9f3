"""`tianji calibrate --here` on real processes: files that other commands take, and a plan that a run bears out, roughly."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from processes import GUARD, children, is_alive, wait_for
from samples import HEARING
from tianji.backends import RunOptions, run
from tianji.catalog import load_calibration, load_pool
from tianji.cli import main
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.prediction import predict
from tianji.workload import Job, find_precision
from tianji.workload.huggingface import read_config

pytestmark = pytest.mark.slow

CONFIG = {
    "model_type": "llama", "hidden_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4,
    "intermediate_size": 512, "vocab_size": 256,
}  # fmt: skip
QUICK = ("--processes", "2", "--rounds", "3", "--seconds", "0.01", "--device", "cpu")
LOOSE = 4.0
"""Other tests run beside this one, on the same cores."""


def call(*words: str) -> Result:
    return CliRunner().invoke(main, words, catch_exceptions=False)


def measured(plan: Plan, folder: Path) -> Iterator[float]:
    """Up to three runs: another program may hold the cores throughout one of them."""
    for number in range(3):
        options = RunOptions(steps=6, out=str(folder / f"run{number}"), trace=False, device="cpu")
        yield run(plan, options).step_time.nominal


def test_a_plan_made_with_what_was_measured_predicts_a_real_run(tmp_path: Path) -> None:
    out = tmp_path / "mine.toml"
    done = call("calibrate", "--here", "--out", str(out), *QUICK, "--json")
    assert done.exit_code == 0, done.stderr
    document = json.loads(done.stdout)
    assert [size["chips"] for size in document["sizes"]] == [1, 2]
    assert document["sizes"][1]["constants"]["scale_up_latency"]["value"] > 0
    assert all(len(sample["seconds"]) == 3 for size in document["sizes"] for sample in size["samples"])
    text = out.read_text() + (tmp_path / "mine-calibration.toml").read_text()
    assert str(Path.home()) not in text
    assert os.uname().nodename not in text
    calibration = load_calibration(tmp_path / "mine-calibration.toml")
    job = Job(read_config(CONFIG, "tiny"), 128, 8, find_precision("fp32"))
    plan = Plan(job, load_pool(out, 2), Strategy(dp=2, micro_batch_size=2))
    predicted = predict(plan, calibration).step_time.nominal
    assert any(predicted / LOOSE < time < predicted * LOOSE for time in measured(plan, tmp_path))
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    more = ("--calibration", document["calibration"], "--chips", "2", "--batch", "8", "--seq", "128")
    planned = call("plan", str(config), str(out), *more, "--precision", "fp32", "--json")
    assert planned.exit_code == 0, planned.stderr
    assert json.loads(planned.stdout)["pool"]["chips"] == 2


def test_an_interruption_leaves_neither_files_nor_processes(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "tianji", "calibrate", "--here", "--out", str(tmp_path / "pool.toml"), *QUICK]
    child = subprocess.Popen([sys.executable, "-c", HEARING, *words], stderr=subprocess.PIPE, text=True)
    working = wait_for(lambda: child.poll() is not None or (len(found := children(child.pid)) > 1 and found))
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=GUARD)
    assert child.returncode == 130, said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
    wait_for(lambda: not any(map(is_alive, working)))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--processes", "1000"), "expected 1 to 64 processes on this machine, got 1000"),
        (("--processes", "0"), "expected 1 to 64 processes on this machine, got 0"),
        (("--rounds", "0"), "expected --rounds from 1"),
        (("table.csv",), "--here measures this machine and takes no table"),
    ],
)
def test_a_slip_is_answered(words: tuple[str, ...], reason: str, tmp_path: Path) -> None:
    done = call("calibrate", "--here", "--device", "cpu", "--out", str(tmp_path / "pool.toml"), *words)
    assert done.exit_code == 2
    assert reason in done.stderr
