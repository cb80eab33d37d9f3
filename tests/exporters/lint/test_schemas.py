"""Schemas: they are schemas, cite their documentation, and what a document breaks is told in words."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import tianji
from tianji.exporters.lint import schemas
from tianji.exporters.lint.schemas import (
    CONFIGURATIONS,
    DEEPSPEED,
    KUBERNETES,
    MINDFORMERS,
    SCHEMAS,
    check_document,
    describe_path,
    read_schema,
)

FOLDER = Path(tianji.__file__).parent / "exporters" / "lint" / "schemas"
NAMES = sorted(path.name for path in FOLDER.glob("*.json"))
POD = {"containers": [{"name": "node", "image": "x", "volumeMounts": []}], "restartPolicy": "Never"}
TEMPLATE = {"spec": POD}
HEAD = {"template": TEMPLATE, "rayStartParams": {}}
ROLE = {"replicas": 1, "restartPolicy": "Never", "template": {"spec": {"containers": [{"name": "ascend"}]}}}
RIGHT: dict[str, dict[str, Any]] = {
    "AscendJob": {"replicaSpecs": {"Master": ROLE}, "runPolicy": {"schedulingPolicy": {"minAvailable": 1}}},
    "Job": {
        "minAvailable": 1,
        "tasks": [{"name": "node", "replicas": 1, "template": TEMPLATE}],
        "policies": [{"event": "PodFailed", "action": "RestartJob"}],
        "networkTopology": {"mode": "hard"},
    },
    "JobSet": {
        "replicatedJobs": [{"name": "n", "template": {"spec": {"template": TEMPLATE, "backoffLimit": 0}}}],
        "failurePolicy": {"restartStrategy": "Recreate"},
    },
    "RayJob": {
        "entrypoint": "run",
        "rayClusterSpec": {
            "headGroupSpec": HEAD,
            "workerGroupSpecs": [{"groupName": "n", "minReplicas": 1, "maxReplicas": 1, "template": TEMPLATE}],
        },
    },
}


def right(kind: str) -> dict[str, Any]:
    version = next(v for v, k in SCHEMAS if k == kind and v != "batch/v1")
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "train"}, "spec": copy.deepcopy(RIGHT[kind])}


def broken(kind: str, path: list[Any], value: Any) -> list[tuple[str, str, str, str]]:
    body = right(kind)
    at: Any = body
    for part in path[:-1]:
        at = at.setdefault(part, {}) if isinstance(at, dict) else at[part]
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    schema = SCHEMAS[body["apiVersion"], kind]
    return [(v.rule, v.where, v.actual, v.fix) for v in check_document(body, schema, "f")]


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_a_schema_that_cites_its_documentation(name: str) -> None:
    schema = read_schema(name)
    Draft202012Validator.check_schema(schema)
    assert re.search(r"Written from .*https://", schema["description"])
    assert schema["title"]
    assert schema["$id"] == name


@pytest.mark.parametrize("name", NAMES)
def test_every_reference_within_the_schemas_is_met(name: str) -> None:
    for ref in re.findall(r'"\$ref": "([^"]+)"', (FOLDER / name).read_text()):
        file, _, inner = ref.partition("#")
        part: Any = read_schema(file or name)
        for step in inner.split("/")[1:]:
            part = part[step]
        assert part


def test_every_file_is_in_use() -> None:
    used = {s.partition("#")[0] for s in SCHEMAS.values()} | {*CONFIGURATIONS, KUBERNETES.partition("#")[0]}
    assert used == set(NAMES)


@pytest.mark.parametrize("kind", RIGHT)
def test_a_right_document_breaks_nothing(kind: str) -> None:
    body = right(kind)
    assert check_document(body, SCHEMAS[body["apiVersion"], kind], "f") == []


SPEC: list[Any] = ["spec"]
TASK: list[Any] = ["spec", "tasks", 0]
META: list[Any] = ["metadata", "annotations"]


@pytest.mark.parametrize(
    ("kind", "path", "value", "rule", "fix"),
    [
        ("Job", [*SPEC, "minavailable"], 2, "known field", "write minAvailable"),
        ("Job", [*SPEC, "min_available"], 2, "known field", "write minAvailable"),
        ("Job", [*SPEC, "minAvailable"], "2", "type of a field", "write 2, without quotes"),
        ("Job", [*SPEC, "minAvailable"], True, "type of a field", "expected a whole number"),
        ("Job", [*SPEC, "tasks"], None, "required field", "add tasks"),
        ("Job", [*SPEC, "tasks"], [], "something stands here", "add at least 1"),
        ("Job", [*TASK, "replicas"], -1, "range of a value", "write at least 0"),
        ("Job", [*TASK, "name"], "Node_1", "form of a value", "small letters"),
        ("Job", [*TASK, "partitionPolicy"], {"totalPartitions": 2}, "required field", "add partitionSize"),
        ("Job", [*TASK, "template", "spec", "priorityClass"], "high", "known field", "write priorityClassName"),
        ("Job", [*SPEC, "networkTopology", "mode"], "strict", "known value", "hard, soft"),
        ("Job", [*SPEC, "networkTopology"], {"highestTierAllowed": 1, "highestTierName": "a"}, "the highest tier", "one of"),
        ("Job", [*SPEC, "policies", 0, "event"], "PodFail", "known value", "write PodFailed"),
        ("Job", [*SPEC, "policies", 0, "exitCode"], 3, "a policy waits for an event or an exit code", "keep one"),
        ("Job", [*SPEC, "partitionPolicy"], {}, "known field", "it belongs in spec.tasks"),
        ("Job", [*META, "sp-block"], 64, "type of a field", 'write "64", in quotes'),
        ("Job", [*META, "sp_block"], "64", "known name", "write sp-block"),
        ("Job", [*META, "huawei.com/schedule-policy"], "x", "known name", "write huawei.com/schedule_policy"),
        ("Job", [*META, "kueue.x-k8s.io/podset-slice-size"], "2", "fields that need each other", "slice-required-topology"),
        ("Job", ["metadata", "labels", "fault-scheduling"], "graceful", "known value", "write grace"),
        ("AscendJob", [*SPEC, "minAvailable"], 2, "known field", "it belongs in spec.runPolicy.schedulingPolicy"),
        ("AscendJob", [*SPEC, "replicaSpecs"], None, "required field", "add replicaSpecs"),
        ("AscendJob", [*SPEC, "replicaSpecs", "Workers"], ROLE, "known field", "write Worker"),
        ("AscendJob", [*SPEC, "replicaSpecs", "Master", "restartPolicy"], "never", "known value", "write Never"),
        (
            "AscendJob", [*SPEC, "replicaSpecs", "Master", "template", "spec", "containers", 0, "name"], "train",
            "one container is called ascend", "ascend",
        ),
        ("JobSet", [*SPEC, "failurePolicy", "restartStrategy"], "InPlaceRestart", "required field", "podReplacementPolicy"),
        ("JobSet", [*SPEC, "failurePolicy", "restartStrategy"], "recreate", "known value", "write Recreate"),
        ("JobSet", [*SPEC, "replicatedJobs", 0, "template", "spec", "completionMode"], "Indexed", "required", "completions"),
        ("JobSet", [*SPEC, "replicatedJobs", 0, "parallelism"], 2, "known field", "replicatedJobs.template.spec"),
        ("RayJob", [*SPEC, "entrypoint"], None, "a RayJob says what it runs", "add entrypoint"),
        ("RayJob", [*SPEC, "rayClusterSpec"], None, "a RayJob has a cluster", "add rayClusterSpec"),
        ("RayJob", [*SPEC, "ttlSecondsAfterFinished"], 60, "required field", "add shutdownAfterJobFinishes"),
        ("RayJob", ["metadata", "name"], "a" * 48, "length of a value", "47"),
        ("RayJob", [*SPEC, "rayClusterSpec", "headGroupSpec", "rayStartParams", "num-cpus"], 0, "type", 'write "0"'),
    ],
)  # fmt: skip
def test_what_is_broken_is_told(kind: str, path: list[Any], value: Any, rule: str, fix: str) -> None:
    found = broken(kind, path, value)
    assert any(v[0].startswith(rule) and fix in v[3] for v in found), found


def test_a_place_is_named_as_people_write_it() -> None:
    ((_, where, found, _),) = broken("Job", [*TASK, "replicas"], -1)
    assert (where, found) == ("f, spec.tasks[0].replicas", "replicas: -1")
    assert describe_path(["a", "b.c", 1, "d/e"]) == "a['b.c'][1]['d/e']"


def test_a_long_value_is_cut() -> None:
    assert len(schemas.describe_value("x" * 1000)) < 80


def test_fields_of_stage_3_have_two_names() -> None:
    zero = {
        "stage": 3,
        "max_live_parameters": 0,
        "stage3_max_reuse_distance": 0,
        "gather_16bit_weights_on_model_save": True,
    }
    assert check_document({"train_batch_size": 8, "zero_optimization": zero}, DEEPSPEED, "f") == []


@pytest.mark.parametrize(
    ("change", "rule", "fix"),
    [
        ({"zero_optimization": {"stage": 4}}, "known value", "0, 1, 2, 3"),
        ({"zero_optimization": {"overlap_com": True}}, "known field", "write overlap_comm"),
        ({"zero_optimisation": {}}, "known field", "write zero_optimization"),
        ({"stage": 3}, "known field", "it belongs in zero_optimization"),
        ({"bf16": {"enabled": "true"}}, "type of a field", "write true, without quotes"),
        ({"train_batch_size": 0}, "range of a value", "at least 1"),
        ({"optimizer": {"params": {}}}, "required field", "add type"),
    ],
)
def test_deepspeed_is_checked_key_by_key(change: dict[str, Any], rule: str, fix: str) -> None:
    body = {"train_batch_size": 8, "zero_optimization": {"stage": 1, "reduce_bucket_size": 5e8}}
    assert check_document(body, DEEPSPEED, "f") == []
    found = check_document(body | change, DEEPSPEED, "f")
    assert any(v.rule == rule and fix in v.fix for v in found), json.dumps([v.fix for v in found])


@pytest.mark.parametrize(
    ("path", "value", "rule", "fix"),
    [
        (["runner_config", "batch_size"], "1", "type of a field", "write 1, without quotes"),
        (["parallel_config", "data_parallel"], 0, "range of a value", "at least 1"),
        (["parallel_config", "model_paralel"], 2, "known name", "write model_parallel"),
        (["parallel_config", "context_parallel_algo"], "ring", "known value", "colossalai_cp"),
        (["parallel", "pipeline_config", "pipeline_scheduler"], "1F1B", "known value", "1f1b"),
        (["recompute_config", "recompute"], "full", "type of a field", "true or false or a list"),
        (["model", "model_config", "hidden_size"], 5120.5, "type of a field", "a whole number"),
        (["model", "model_config", "compute_dtype"], "bf16", "known value", "bfloat16"),
        (["optimizer", "betas"], 0.9, "type of a field", "a list"),
        (["use_paralel"], True, "known name", "write use_parallel"),
        (["callbacks"], [{"save_checkpoint_steps": 5}], "required field", "add type"),
    ],
)
def test_mindformers_is_checked_by_the_types_of_its_values(path: list[str], value: Any, rule: str, fix: str) -> None:
    body: dict[str, Any] = {
        "trainer": {"type": "CausalLanguageModelingTrainer"},
        "runner_config": {"epochs": 1, "batch_size": 1},
        "parallel_config": {"data_parallel": 2},
        "parallel": {"pipeline_config": {"pipeline_scheduler": "1f1b"}},
        "recompute_config": {"recompute": [2, 2]},
        "model": {"model_config": {"hidden_size": 5120, "a_setting_of_its_own": 3}},
        "optimizer": {"betas": [0.9, 0.95]},
        "callbacks": [{"type": "MFLossMonitor"}],
    }
    assert check_document(body, MINDFORMERS, "f") == []
    place = body
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    found = check_document(body, MINDFORMERS, "f")
    assert any(v.rule == rule and fix in v.fix for v in found), [(v.rule, v.fix) for v in found]
