"""What the manifests share: names that clusters take, resources of the chips, scripts within, and what a node starts."""

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import tianji
from tianji.exporters import render_plan
from tianji.exporters.contract import Limits
from tianji.exporters.schedulers.job_names import job_name
from tianji.exporters.schedulers.node_script import node_artefacts
from tianji.exporters.schedulers.pods import MANY_NODES, chip_resource
from tianji.parallel.plan import Plan


def plan_on(pool: str, chips: int, name: str = "", **strategy: object) -> Plan:
    job = tianji.make_job("llama-3.1-8b", global_batch_size=chips, seq_len=2048)
    if name:
        from dataclasses import replace

        job = replace(job, model=replace(job.model, name=name))
    return Plan(job, tianji.load_pool(pool, chips), tianji.Strategy(**{"dp": chips, **strategy}))  # type: ignore[arg-type]


@given(name=st.text(max_size=60))
def test_any_name_becomes_one_that_clusters_take(name: str) -> None:
    made = job_name(plan_on("hgx-h100", 8, name))
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", made)
    assert len(made) <= 40


@pytest.mark.parametrize(
    ("pool", "resource"),
    [
        ("hgx-h100", "nvidia.com/gpu"),
        ("atlas-900-a2", "huawei.com/Ascend910"),
        ("atlas-900-a3-dies", "huawei.com/Ascend910"),
        ("atlas-950-superpod", "huawei.com/npu"),
    ],
)
def test_each_chip_is_asked_for_under_its_name(pool: str, resource: str) -> None:
    assert chip_resource(plan_on(pool, 64)) == resource


def documents(target: str, plan: Plan) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(render_plan(plan, target).artefacts[0].text))


@pytest.mark.parametrize(("target", "key"), [("jobset", "pretrain_megatron.sh"), ("rayjob", "plan.json")])
def test_a_manifest_holds_its_files(target: str, key: str) -> None:
    files, job = documents(target, plan_on("hgx-h100", 16))
    assert files["data"][key].strip()
    assert files["metadata"]["name"] in yaml.safe_dump(job)


def test_a_jobset_asks_for_the_slices_of_its_fabric() -> None:
    (replicated,) = documents("jobset", plan_on("gb200-nvl72", 144))[1]["spec"]["replicatedJobs"]
    notes = replicated["template"]["spec"]["template"]["metadata"]["annotations"]
    assert int(notes["kueue.x-k8s.io/podset-slice-size"]) == 18
    (flat,) = documents("jobset", plan_on("hgx-h100", 16))[1]["spec"]["replicatedJobs"]
    assert "kueue.x-k8s.io/podset-slice-size" not in flat["template"]["spec"]["template"]["metadata"]["annotations"]


def test_a_rayjob_has_one_worker_for_each_node() -> None:
    spec = documents("rayjob", plan_on("hgx-h100", 64))[1]["spec"]
    (group,) = spec["rayClusterSpec"]["workerGroupSpecs"]
    assert group["minReplicas"] == group["replicas"] == group["maxReplicas"] == 8
    assert spec["entrypoint"].startswith("tianji run ")


def test_past_many_nodes_the_hosts_network_is_used() -> None:
    few, many = (plan_on("atlas-950-superpod", 8 * nodes) for nodes in (MANY_NODES, MANY_NODES + 8))
    assert "hostNetwork: true" not in render_plan(few, "volcano").artefacts[0].text
    assert "hostNetwork: true" in render_plan(many, "volcano").artefacts[0].text


@pytest.mark.parametrize(
    ("pool", "script"), [("hgx-h100", "pretrain_megatron.sh"), ("atlas-900-a2", "pretrain_mindspeed.sh")]
)
def test_a_node_starts_the_pools_own_framework_or_any_script(pool: str, script: str) -> None:
    limits = Limits("slurm")
    assert node_artefacts(plan_on(pool, 16), limits)[0].name == script
    assert not limits.refusals
    other = plan_on(pool, 16, pp=2, dp=8, schedule="zero-bubble")
    assert node_artefacts(other, limits)[0].name == "launch.sh"
    assert any("would run another plan" in note and "your TRAIN_SCRIPT" in note for note in limits.notes)
