"""From journals to a result, without a run."""

import json
from pathlib import Path

import pytest

from tianji.backends.measured import measure
from tianji.backends.options import RunOptions
from tianji.errors import RunError

from .samples import plan_of


def write_steps(folder: Path, losses: list[float], first: int = 0) -> RunOptions:
    lines = [
        {
            "event": "step",
            "index": index,
            "at": 2.0 * index,
            "seconds": 1.0 + index,
            "loss": loss,
            "gradient_norm": 1.0,
            "memory_peak": 1e6,
        }
        for index, loss in enumerate(losses, first)
    ]
    lines.append({"event": "done", "chip": "cpu", "versions": {"torch": "2.13.0"}})
    folder.mkdir(exist_ok=True)
    (folder / "rank-00000.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return RunOptions(steps=first + len(losses), out=str(folder), trace=False)


def test_the_warm_up_that_is_told_is_the_one_that_was_left_out(tmp_path: Path) -> None:
    whole = measure(plan_of("llama", {}), write_steps(tmp_path / "whole", [5.0, 4.0, 3.0]), "local").measurement
    resumed = measure(plan_of("llama", {}), write_steps(tmp_path / "few", [5.0, 4.0], first=7), "local").measurement
    assert whole is not None
    assert resumed is not None
    assert (whole.warmup, whole.step_times) == (2, (3.0,))
    assert (resumed.warmup, resumed.step_times) == (1, (9.0,))


def test_a_run_that_diverged_says_where_and_what_to_do(tmp_path: Path) -> None:
    options = write_steps(tmp_path, [5.0, float("nan"), float("nan")])
    with pytest.raises(RunError, match=r"from step 1 on the loss is nan.*smaller --learning-rate"):
        measure(plan_of("llama", {}), options, "local")
