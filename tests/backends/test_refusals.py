"""What cannot be run is said before anything starts or is written."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tianji.backends import machine
from tianji.backends.machine import available_memory, memory_of_ranks
from tianji.backends.support import check_support
from tianji.catalog import load_model, load_pool, make_job
from tianji.cli import main
from tianji.errors import IllegalStrategyError, InputError, UnsupportedModelError
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.units import GB

from .samples import CONFIGS, plan_of

Plans = Callable[..., str]


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(main, ["run", *arguments], catch_exceptions=False)
    assert done.exit_code == 2
    assert done.stdout == ""
    return done.stderr


@pytest.mark.parametrize(
    ("name", "strategy", "reason"),
    [
        ("llama", {"pp": 2, "schedule": "zbv", "zero": 3}, "lose their gradients"),
        (
            "llama",
            {"pp": 2, "schedule": "zero-bubble", "recompute": "selective"},
            "selective recomputation under a schedule",
        ),
        ("llama", {"recompute": "selective", "recompute_modules": "layernorm"}, "recompute_modules=layernorm: norms"),
        ("llama", {"pp": 2, "dp": 2, "zero": 2}, "reduce the gradients once a step"),
        ("qwen-moe", {"tp": 2, "etp": 2}, "etp above 1"),
        ("llama", {"offload_optimizer": True}, "offload_optimizer"),
        ("tied", {"pp": 2}, "tied embedding"),
        ("llama", {"pp": 4, "schedule": "dualpipe"}, "two layers on each pipeline rank"),
        ("llama", {"pp": 2, "schedule": "dualpipe", "stages": "3,1"}, "under DualPipe: it runs in its V-shaped form"),
        ("llama", {"pp": 2, "stages": "4,0"}, "a stage without a layer"),
        ("llama", {"dp": 3}, "does not divide by"),
        ("delta", {"tp": 4}, "tp=4 does not divide 2, a number of heads or a width of one kind of layer"),
        ("mamba", {"tp": 4}, "tp=4, which does not divide num_groups 2 of a mamba2"),
        ("delta", {"cp": 8, "cp_kind": "ring"}, "pieces of 2 tokens, fewer than the 3"),
        ("llama", {"pp": 2, "micro_batch_size": 8}, r"fewer micro-batches \(1\) than stages \(2\)"),
    ],
)
def test_a_strategy_that_the_trainer_lacks_is_refused_with_the_reason(
    name: str, strategy: dict[str, Any], reason: str
) -> None:
    with pytest.raises(IllegalStrategyError, match=reason):
        check_support(plan_of(name, strategy))


def test_a_model_that_the_trainer_lacks_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGS, "deepseek", {**CONFIGS["deepseek"], "num_nextn_predict_layers": 1})
    with pytest.raises(UnsupportedModelError, match="multi-token-prediction"):
        check_support(plan_of("deepseek", {}))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("kimi-linear-48b-a3b", "delta attention layers"),
        ("gpt-oss-20b", "attention with sinks=1"), ("deepseek-v3.2", "latent with selected"),
        ("deepseek-v4-flash", "compressed layers; .*hyper-connections"), ("gemma-4-26b-a4b", "parameters beside mixer"),
    ],
)  # fmt: skip
def test_a_part_of_a_layer_that_the_trainer_lacks_is_named(name: str, reason: str) -> None:
    plan = Plan(
        make_job(replace(load_model(name), num_mtp_layers=0), 4096, 8), load_pool("hgx-h100", 8), Strategy(dp=8)
    )
    with pytest.raises(UnsupportedModelError, match=reason):
        check_support(plan)


def test_number_formats_that_the_trainer_lacks_are_refused() -> None:
    with pytest.raises(InputError, match="runs fp32 and bf16"):
        check_support(plan_of("llama", {}, "fp8"))


def test_what_the_trainer_can_run_passes() -> None:
    check_support(plan_of("deepseek", {"dp": 2, "ep": 2}))


def test_a_missing_extra_is_named(plan_file: Plans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    out = tmp_path / "out"
    assert "pip install '.[run]'" in refused(plan_file(dp=2), "--out", str(out))
    assert not out.exists()


def test_a_plan_too_big_for_the_machine_is_refused(
    plan_file: Plans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 0.3 * GB)
    out = tmp_path / "out"
    said = refused(plan_file(dp=4), "--out", str(out), "--device", "cpu")
    assert "for its 4 ranks together" in said
    assert "300 MB free" in said
    assert not out.exists()


def test_a_disk_without_room_is_named(plan_file: Plans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LEAST_DISK", 1e18)
    assert "are free on its disk" in refused(plan_file(), "--out", str(tmp_path / "out"), "--device", "cpu")


def test_memory_of_ranks_grows_with_them() -> None:
    one, four = memory_of_ranks(plan_of("llama", {})), memory_of_ranks(plan_of("llama", {"dp": 4}))
    assert 0.25 * GB < one < four < 4.5 * one
    assert available_memory() > 0


def test_a_corrupt_plan_is_refused(plan_file: Plans, tmp_path: Path) -> None:
    whole = Path(plan_file(dp=2))
    whole.write_text(whole.read_text()[:-100])
    assert "not valid JSON" in refused(str(whole), "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_another_run_is_not_overwritten(plan_file: Plans, tmp_path: Path) -> None:
    (tmp_path / "rank-00000.jsonl").write_text("")
    assert "holds another run" in refused(plan_file(), "--out", str(tmp_path), "--device", "cpu")


def test_a_folder_that_cannot_be_made_is_named(plan_file: Plans, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refused(plan_file(), "--out", str(tmp_path / "file" / "out"), "--device", "cpu")


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--engine", "locale", "did you mean local"),
        ("--backend", "torchh", "did you mean torch"),
        ("--steps", "0", "at least 1"),
        ("--optimizer", "adam", "adamw, sgd"),
        ("--learning-rate", "nan", "a positive number"),
        ("--learning-rate", "inf", "a positive number"),
        ("--device", "cuda", "expected cpu"),
        ("--checkpoint-every", "-3", "at least 0"),
        ("--data", "no-such-file.txt", "cannot be read as tokens"),
        ("--resume", "no-such-folder", "not a complete checkpoint"),
    ],
)
def test_a_slip_in_an_option_is_answered_before_a_folder_is_made(
    plan_file: Plans, option: str, value: str, reason: str, tmp_path: Path
) -> None:
    assert reason in refused(plan_file(), option, value, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_leaves_no_step_is_refused_and_a_folder_of_some_names_the_newest(
    plan_file: Plans, tmp_path: Path
) -> None:
    newest = tmp_path / "checkpoints" / "step-000000009"
    newest.mkdir(parents=True)
    (newest / ".metadata").write_bytes(b"mark")
    assert "10 steps behind it already" in refused(plan_file(), "--resume", str(newest))
    assert f"the newest in there is {newest}" in refused(plan_file(), "--resume", str(tmp_path))


@pytest.mark.parametrize(("command", "code"), [("predict", 0), ("run", 2)])
def test_without_torch_the_core_predicts_and_run_says_what_is_missing(
    plan_file: Plans, command: str, code: int
) -> None:
    hidden = f"import sys; sys.modules['torch'] = None; from tianji.cli import main; main([{command!r}, {plan_file(dp=2)!r}])"
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert ("pip install '.[run]'" in done.stderr) == (command == "run")
    assert "Traceback" not in done.stderr
