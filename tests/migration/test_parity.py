"""Readers of logs, the judgement of curves, dumps; and real runs with planted faults."""

import gc
import importlib.util
import json
import math
import struct
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.errors import FormatError, UnknownNameError
from tianji.migration.parity import (
    CheckOutcome,
    RunLog,
    compare_dumps,
    judge_parity,
    load_standards,
    read_dump,
    read_run,
)
from tianji.migration.parity.run_files import read_text
from tianji.migration.parity.statistics import find_spikes, find_stuck, fit_slope

MEGATRON = (
    " [2026-01-01 10:00:00] iteration        1/     100 | consumed samples:          256 | elapsed time per iteration: 812.3 | "
    "learning rate: 1.5E-06 | global batch size:   256 | lm loss: 1.105331E+01 | loss scale: 1.0 | grad norm: 2.317 | "
    "number of skipped iterations:   0 | number of nan iterations:   0 |\n"
    " [2026-01-01 10:00:01] iteration        2/     100 | lm loss: 1.0990E+01 | loss scale: 1.0 | grad norm: 2.2 | "
    "number of nan iterations:   0 |\n"
)
MINDFORMERS = (
    "2026-01-01 - INFO - { Epoch:[  1/  2], step:[    2/  100], loss: 10.512, per_step_time: 812ms, "
    "lr: 1e-06, global_norm: [1.27] }\n"
)


def curve(steps: int = 200, scale: float = 1.0, noise: float = 0.0, name: str = "run") -> RunLog:
    losses = {
        step: (2.0 + 8.0 * math.exp(-step / 60)) * scale * (1 + noise * math.sin(step * 12.9898 + 78.233))
        for step in range(1, steps + 1)
    }
    return RunLog(name, "test", losses, {step: 1.0 + 0.1 * math.cos(step) for step in losses})


@pytest.mark.parametrize(
    ("text", "losses", "norm"),
    [
        (MEGATRON, {1: 11.05331, 2: 10.99}, 2.317),
        (MINDFORMERS, {2: 10.512}, 1.27),
        ("step,loss,grad_norm\n1,2.5,0.5\n2,2.4,0.4\n", {1: 2.5, 2: 2.4}, 0.5),
        ('{"step": 1, "loss": 2.5, "grad_norm": 0.5}\n{"step": 2, "loss": 2.4}\n{"st', {1: 2.5, 2: 2.4}, 0.5),
        ('{"log_history": [{"step": 5, "loss": 1.5, "grad_norm": 0.5}, {"eval_x": 2}]}', {5: 1.5}, 0.5),
        ('{"lm loss": {"start_step": 1, "step_interval": 5, "values": [3.0, 2.0]}}', {1: 3.0, 6: 2.0}, None),
        ('{"step": [1, 2], "loss": [3.0, 2.0], "grad_norm": [0.5, 1]}', {1: 3.0, 2: 2.0}, 0.5),
        ("step: 3 loss: 1.25 grad_norm: 0.5\n", {3: 1.25}, None),
    ],
    ids=["megatron", "mindformers", "csv", "json lines", "history", "golden", "columns", "printed"],
)
def test_logs_of_each_kind_are_read(text: str, losses: dict[int, float], norm: float | None) -> None:
    log = read_text(text, "log")
    assert log.losses == losses
    if norm is not None:
        assert next(iter(log.norms.values())) == norm


def record(step: int, tag: str, value: float) -> bytes:
    scalar = b"\x0a" + bytes([len(tag)]) + tag.encode() + b"\x15" + struct.pack("<f", value)
    summary = b"\x0a" + bytes([len(scalar)]) + scalar
    event = b"\x09" + struct.pack("<d", 0.0) + b"\x10" + bytes([step]) + b"\x2a" + bytes([len(summary)]) + summary
    return struct.pack("<Q", len(event)) + b"\0" * 4 + event + b"\0" * 4


def test_event_files_are_read_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(record(1, "lm loss", 2.5) + record(2, "lm loss", 2.25) + record(2, "grad_norm", 0.5) + b"\x01\x02")
    assert read_run(path).losses == {1: 2.5, 2: 2.25}
    assert read_run(tmp_path).norms == {2: 0.5}


@given(st.one_of(st.text(max_size=200), st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "replace"))))
def test_any_text_ends_in_a_log_or_a_message(text: str) -> None:
    try:
        assert read_text(text, "log").losses
    except FormatError:
        return


def test_a_run_agrees_with_itself_by_every_standard() -> None:
    parity = judge_parity(curve(1200), curve(1200), [curve(1200)], tuple(load_standards()), "fp32")
    assert parity.outcome is CheckOutcome.PASS
    assert parity.divergence is None


@pytest.mark.parametrize(("scale", "outcome"), [(1.003, CheckOutcome.PASS), (1.03, CheckOutcome.FAIL)])
def test_the_mean_is_judged_by_its_standard(scale: float, outcome: CheckOutcome) -> None:
    assert judge_parity(curve(), curve(scale=scale), standards=("verl-ascend-2pct",)).outcome is outcome


def test_what_noise_explains_does_not_fail_and_what_it_does_not_is_said() -> None:
    repeats = [curve(noise=noise) for noise in (0.028, 0.031, 0.034)]
    noisy = judge_parity(curve(), curve(noise=0.033), repeats, ("verl-ascend-2pct",))
    assert noisy.outcome is CheckOutcome.PASS
    assert "spread of the repeats" in next(c.says for c in noisy.checks if c.name == "verl-ascend-2pct")
    quiet = judge_parity(curve(), curve(scale=1.005), [curve(), curve()], ("verl-ascend-2pct",), "fp32")
    assert quiet.outcome is CheckOutcome.NOISE


def test_drift_and_spikes_and_broken_numbers_are_found() -> None:
    base = curve(400)
    drifting = RunLog("b", "test", {s: v * (1 + 0.0001 * s) for s, v in base.losses.items()}, base.norms)
    assert next(c for c in judge_parity(base, drifting).checks if c.name == "drift").outcome is CheckOutcome.FAIL
    spiky = RunLog("b", "test", {s: v * (2 if s % 40 == 0 else 1) for s, v in base.losses.items()}, base.norms)
    assert next(c for c in judge_parity(base, spiky).checks if c.name == "spikes").outcome is CheckOutcome.FAIL
    broken = RunLog("b", "test", {s: math.nan if s > 100 else v for s, v in base.losses.items()}, base.norms)
    assert "from step 101" in judge_parity(base, broken).checks[0].says
    empty = RunLog("b", "test", dict.fromkeys(base.losses, math.nan), base.norms)
    twice = judge_parity(empty, empty)
    assert twice.outcome is CheckOutcome.FAIL
    assert "finite in neither" in twice.checks[0].says
    assert not any(check.outcome is CheckOutcome.PASS and "loss" in check.name for check in twice.checks)
    stuck = RunLog("b", "test", {s: 3.0 if s > 100 else v for s, v in base.losses.items()}, base.norms)
    assert "stands still from step 101" in judge_parity(base, stuck).checks[0].says


def test_a_run_that_ends_early_says_so() -> None:
    short = RunLog("b", "test", {s: v for s, v in curve().losses.items() if s <= 20})
    assert any("ends at step 20" in line for line in judge_parity(curve(), short).open_questions)


@given(st.lists(st.floats(1.0, 2.0), min_size=40, max_size=80), st.floats(0.5, 2.0))
def test_a_slope_of_equal_shape_is_none(values: list[float], scale: float) -> None:
    slope = fit_slope(values, [value * scale for value in values])
    assert slope is not None
    assert abs(slope.gained) < 1e-9


def test_spikes_and_standstill_by_hand() -> None:
    steps = list(range(30))
    assert find_spikes(steps, [1.0] * 20 + [5.0] + [1.0] * 9) == [20]
    assert find_stuck(steps[:6], [3.0, 2.0, 1.0, 1.0, 1.0, 0.5]) == [2]


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="standard of parity"):
        judge_parity(curve(), curve(), standards=("nobody",))
    with pytest.raises(FormatError, match="steps in common"):
        judge_parity(curve(10), RunLog("b", "test", {500: 1.0}))
    with pytest.raises(FormatError, match="--precision"):
        judge_parity(curve(), curve(), precision="fp7")
    with pytest.raises(FormatError, match="cannot be read"):
        read_run(tmp_path / "nothing")
    with pytest.raises(FormatError, match=r"no result\.json"):
        read_run(tmp_path)


def tensor(value: float, dtype: str = "torch.bfloat16") -> dict[str, object]:
    return {
        "type": "torch.Tensor",
        "dtype": dtype,
        "shape": [2, 4],
        "Max": value,
        "Min": -value,
        "Mean": value / 10,
        "Norm": value * 2,
    }


def write_dump(folder: Path, outputs: dict[str, float]) -> Path:
    place = folder / "step0" / "rank0"
    place.mkdir(parents=True)
    data, before = {}, 1.0
    for name, value in outputs.items():
        data[name] = {"input_args": [tensor(before)], "input_kwargs": {}, "output": [tensor(value)]}
        before = value
    (place / "dump.json").write_text(json.dumps({"task": "statistics", "level": "L1", "data": data}))
    (place / "construct.json").write_text(json.dumps({name: "Module.layers.0.Block.forward.0" for name in outputs}))
    (place / "stack.json").write_text(
        json.dumps({name: ["File model.py, line 7, in forward, \n y = norm(x)"] for name in outputs})
    )
    return folder


def test_the_first_call_whose_input_agrees_and_whose_output_does_not_is_named(tmp_path: Path) -> None:
    good = {"Torch.embedding.0.forward": 1.0, "Functional.rms_norm.0.forward": 2.0, "Torch.matmul.0.forward": 3.0}
    bad = {**good, "Functional.rms_norm.0.forward": 2.6, "Torch.matmul.0.forward": 4.5}
    one, two = read_dump(write_dump(tmp_path / "a", good)), read_dump(write_dump(tmp_path / "b", bad))
    assert compare_dumps(one, one).first is None
    compared = compare_dumps(one, two)
    assert compared.first is not None
    assert compared.first.name == "Functional.rms_norm.0.forward"
    assert "model.py, line 7" in compared.stack
    assert compared.parent.startswith("Module.layers.0")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"data": 3}', "{" * 5000])
def test_a_broken_dump_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "dump.json").write_text(text)
    with pytest.raises(FormatError):
        read_dump(tmp_path)


def load_runs() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "parity_runs.py"
    spec = importlib.util.spec_from_file_location("parity_runs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["parity_runs"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_real_runs_with_planted_faults_are_caught_and_located() -> None:
    pytest.importorskip("torch")
    runs = load_runs()
    reference = runs.run("reference", steps=12)
    repeats = [runs.run("repeat", steps=12, micro_batch=layout) for layout in (4, 8)]
    honest = judge_parity(reference, runs.run("other layout", steps=12, micro_batch=1), repeats)
    assert honest.outcome is CheckOutcome.PASS
    assert judge_parity(reference, runs.run("bf16", steps=12, precision="bf16")).outcome is CheckOutcome.PASS
    places = {"norm-epsilon": "forward", "half-gradients": "backward", "adam-epsilon": "optimizer"}
    for fault, stage in places.items():
        parity = judge_parity(reference, runs.run(fault, steps=12, fault=fault), repeats)
        assert parity.outcome is not CheckOutcome.PASS, fault
        assert parity.divergence is not None
        assert stage in parity.divergence.stage
    saturated = judge_parity(reference, runs.run("saturated", steps=12, fault="saturated"), repeats)
    assert "stands still" in saturated.checks[0].says


@pytest.mark.slow
def test_a_run_leaves_no_descriptor_behind() -> None:
    pytest.importorskip("torch")
    runs, folder = load_runs(), Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("descriptors are counted in /proc")
    counts = []
    for seed in range(3):
        runs.run("a run", steps=3, seed=seed)
        # What tests before this one left is closed here, and does not make up for what a run leaves.
        gc.collect()
        counts.append(len(list(folder.iterdir())))
    assert counts[2] <= counts[1]


_TAIL = "| loss scale: 1.0 | grad norm: 2.2 | number of skipped iterations:   0 | number of nan iterations:   0 |\n"


@pytest.mark.parametrize(
    ("text", "losses", "norms"),
    [
        # Steps that fp16 skips have no loss.
        (
            " [2026-01-02 03:04:05] iteration       10/    1000 | consumed samples:          160 | loss scale: 8388608.0 | "
            "number of skipped iterations:  10 | number of nan iterations:   0 |\n"
            " [2026-01-02 03:04:15] iteration       20/    1000 | throughput per GPU (TFLOP/s/GPU): 101.2 | lm loss: 1.08E+01 | "
            "grad norm: 12.5 | num zeros: 12 | params norm: 500.1 |\n",
            {20: 10.8},
            {20: 12.5},
        ),
        (" iteration      122/  250000 | consumed samples:       124928 | lm loss: 2.5E+00 " + _TAIL, {122: 2.5}, {122: 2.2}),
        (" iteration      100/  500000 | learning rate 1.342E-04 | lm loss 7.5E+00 | loss scale 16384.0 |\n", {100: 7.5}, {}),
        ("[default7]: iteration   5/infinity | lm loss: 8.5E+00 | load_balancing_loss: 1.02E+00 " + _TAIL, {5: 8.5}, {5: 2.2}),
        (
            " iteration        5/      10 | lm loss: 8.5E+00 " + _TAIL
            + "----\n validation loss at iteration 5 | lm loss value: 1.23E+01 | lm loss PPL: 2.2E+05 | \n",
            {5: 8.5},
            {5: 2.2},
        ),
        (
            "{'loss': 2.5, 'grad_norm': 1.25, 'learning_rate': 5e-05, 'epoch': 0.01}\n"
            "{'loss': 2.25, 'grad_norm': 1.5, 'learning_rate': 5e-05, 'epoch': 0.02}\n",
            {0: 2.5, 1: 2.25},
            {0: 1.25, 1: 1.5},
        ),
        ("[rank0]:[titan] 2026-01-02 - INFO - step:  1  loss:  8.125  grad_norm:  1.25  tps: 1,234\n", {1: 8.125}, {1: 1.25}),
        ("step:3 - global_seqlen/mean:100 - actor/pg_loss:0.125 - actor/grad_norm:0.5\n", {3: 0.125}, {3: 0.5}),
    ],
    ids=["skipped", "undated", "first", "ranks", "validation", "trainer", "titan", "verl"],
)  # fmt: skip
def test_lines_of_the_shapes_that_trainers_print(text: str, losses: dict[int, float], norms: dict[int, float]) -> None:
    log = read_text(text, "log")
    assert (dict(log.losses), dict(log.norms)) == (losses, norms)
