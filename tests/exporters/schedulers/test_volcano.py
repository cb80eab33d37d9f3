"""MindCluster and Volcano: how chips are built together, blocks that divide the job, and one Master."""

from typing import Any

import pytest
import yaml

import tianji
from tianji.exporters import render_plan
from tianji.exporters.schedulers.mindcluster import POLICIES
from tianji.exporters.schedulers.volcano import schedule_policy
from tianji.parallel.plan import Plan


def plan_on(pool: str, chips: int) -> Plan:
    job = tianji.make_job("llama-3.1-8b", global_batch_size=chips, seq_len=2048)
    return Plan(job, tianji.load_pool(pool, chips), tianji.Strategy(dp=chips))


def job_of(pool: str, chips: int) -> dict[str, Any]:
    text = render_plan(plan_on(pool, chips), "volcano").artefacts[0].text
    job: dict[str, Any] = list(yaml.safe_load_all(text))[1]
    return job


@pytest.mark.parametrize(
    ("pool", "policy"),
    [
        ("atlas-900-a2", "chip8-node8"),
        ("atlas-900-a3-dies", "chip2-node16-sp"),
        ("atlas-950-superpod", "chip8-node8-ra64-sp"),
    ],
)
def test_each_pool_has_the_policy_of_its_build(pool: str, policy: str) -> None:
    plan = plan_on(pool, 64)
    assert schedule_policy(plan) == policy
    assert POLICIES[policy].node == plan.pool.node


@pytest.mark.parametrize("chips", [8, 64, 128, 512])
def test_blocks_divide_the_job_and_one_pod_is_the_master(chips: int) -> None:
    job = job_of("atlas-950-superpod", chips)
    notes, replicas = job["metadata"]["annotations"], job["spec"]["replicaSpecs"]
    assert chips % int(notes["sp-block"]) == int(notes["sp-block"]) % int(notes["ra-block"]) == 0
    assert replicas["Master"]["replicas"] == 1
    assert sum(r["replicas"] for r in replicas.values()) == chips // 8


def test_volcanos_own_job_is_cut_into_scale_up_units() -> None:
    (task,) = job_of("gb200-nvl72", 144)["spec"]["tasks"]
    parts = task["partitionPolicy"]
    assert parts["totalPartitions"] * parts["partitionSize"] == task["replicas"] == 36
