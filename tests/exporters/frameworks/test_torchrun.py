"""torchrun: the plan's own file reads back as the plan, and the variables are its fields."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings

from legal_plans import plans
from tianji.exporters import render_plan, write_bundle
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import read_plan


@settings(max_examples=20)
@given(plan=plans(("hgx-h100", "atlas-950-superpod")))
def test_the_plans_file_is_the_plan(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("torchrun")
    write_bundle(render_plan(plan, "torchrun"), folder)
    again = read_plan(str(folder / "plan.json"))
    assert again.strategy == plan.strategy
    assert again.job.global_batch_size == plan.job.global_batch_size


@settings(max_examples=10)
@given(plan=plans(("hgx-h100",)))
def test_the_variables_reach_the_training_script(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder: Path = tmp_path_factory.mktemp("torchrun")
    write_bundle(render_plan(plan, "torchrun"), folder)
    (folder / "torchrun").write_text("#!/bin/sh\nenv\n")  # in place of the real one: prints what it would start with
    (folder / "torchrun").chmod(0o755)
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "TRAIN_SCRIPT": "train.py", "NODE_RANK": "0", "MASTER_ADDR": "a"}
    done = subprocess.run(
        ["bash", "launch.sh"], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    lines = set(done.stdout.splitlines())
    assert {f"TIANJI_TP={plan.strategy.tp}", f"TIANJI_SCHEDULE={plan.strategy.schedule}"} <= lines
    assert f"TIANJI_OVERLAP_DP={'on' if plan.strategy.overlap_dp else 'off'}" in lines
