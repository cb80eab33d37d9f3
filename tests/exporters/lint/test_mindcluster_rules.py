"""MindCluster's rules: a right manifest passes, each broken rule is told with its fix."""

from pathlib import Path

import pytest

from tianji.exporters.lint.checks import check_file

RIGHT = """
apiVersion: mindxdl.gitee.com/v1
kind: AscendJob
metadata:
  name: train
  annotations:
    huawei.com/schedule_policy: chip8-node8-ra64-sp
    sp-block: "{sp}"
    ra-block: "{ra}"
spec:
  schedulerName: volcano
  runPolicy: {{schedulingPolicy: {{minAvailable: {least}, queue: default}}}}
  replicaSpecs:
    Master: &pods
      replicas: 1
      template:
        spec:
          containers:
          - name: ascend
            resources:
              requests: {{{resource}: {chips}}}
              limits: {{{resource}: {limits}}}
    Worker:
      <<: *pods
      replicas: {workers}
"""


def broken(tmp_path: Path, **fields: object) -> list[str]:
    workers = fields.get("workers", 15)
    assert isinstance(workers, int)
    values = {
        "sp": 64, "ra": 64, "workers": workers, "least": workers + 1, "chips": 8, "resource": "huawei.com/npu",
    } | fields  # fmt: skip
    path = tmp_path / "job.yaml"
    path.write_text(RIGHT.format(**{"limits": values["chips"]} | values))
    return [violation.rule for violation in check_file(str(path)).violations]


def test_a_right_manifest_breaks_no_rule(tmp_path: Path) -> None:
    assert broken(tmp_path) == []


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"sp": 60}, "sp-block is a multiple of 8"),
        ({"sp": 0}, "sp-block is a whole number above 0"),
        ({"sp": "x"}, "sp-block is a whole number above 0"),
        ({"sp": 8200, "workers": 1024}, "a super-pod has at most 1,024 nodes"),
        ({"sp": 48}, "the job is a whole number of logical super-pods"),
        ({"ra": 24}, "ra-block is 1, 2, 4, 8, 16, 32 or 64"),
        ({"sp": 32, "ra": 64}, "a rack block lies in one logical super-pod"),
        ({"sp": 96, "ra": 64, "workers": 11}, "a super-pod is a whole number of rack blocks"),
        ({"chips": 4}, "a pod of a distributed job takes a whole node of 8 chips"),
        ({"chips": 8, "limits": 4}, "requests and limits are equal"),
        ({"resource": "huawei.com/Ascend910"}, "resource of the chips"),
        ({"least": 3}, "all pods start or none"),
        ({"workers": 1279, "sp": 1024}, "past 1,000 nodes pods use the host's network"),
    ],
)  # fmt: skip
def test_each_broken_rule_is_told(fields: dict[str, object], rule: str, tmp_path: Path) -> None:
    assert any(found.startswith(rule) for found in broken(tmp_path, **fields)), broken(tmp_path, **fields)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('huawei.com/affinity-config: "level1=2,level2=3"', "replicas of a network level"),
        ('wait-reschedule-timeout: "500"', "wait-reschedule-timeout"),
        ('recover-strategy: "retry,exist"', "known recover strategy"),
        ("huawei.com/schedule_policy: chip8-node8-ra64", "known schedule policy"),
    ],
)
def test_annotations_are_checked(line: str, rule: str, tmp_path: Path) -> None:
    text = RIGHT.format(sp=64, ra=64, workers=15, least=16, chips=8, limits=8, resource="huawei.com/npu")
    if line.startswith("huawei.com/schedule_policy"):
        text = text.replace("    huawei.com/schedule_policy: chip8-node8-ra64-sp\n", "")
    path = tmp_path / "job.yaml"
    path.write_text(text.replace("  annotations:\n", f"  annotations:\n    {line}\n"))
    assert [v.rule for v in check_file(str(path)).violations if v.rule.startswith(rule)]
    assert all(v.fix for v in check_file(str(path)).violations)


def test_a_scheduler_without_chips_is_one_of_the_pods(tmp_path: Path) -> None:
    text = RIGHT.format(sp=64, ra=64, workers=15, least=17, chips=8, limits=8, resource="huawei.com/npu")
    path = tmp_path / "job.yaml"
    scheduler = "    Scheduler:\n      replicas: 1\n      template: {spec: {containers: [{name: ascend}]}}\n"
    path.write_text(text + scheduler)
    assert check_file(str(path)).violations == ()


def test_a_part_of_a_node_is_asked_for_outside_super_pods(tmp_path: Path) -> None:
    text = RIGHT.format(sp=64, ra=64, workers=1, least=2, chips=4, limits=4, resource="huawei.com/Ascend910")
    text = text.replace("chip8-node8-ra64-sp", "chip4-node8").replace("huawei.com/npu", "x")
    path = tmp_path / "job.yaml"
    path.write_text(text.replace('    sp-block: "64"\n    ra-block: "64"\n', ""))
    assert all(v.rule == "resource of the chips" for v in check_file(str(path)).violations)


@pytest.mark.parametrize("policy", ["multilevel", "chip1-softShareDev"])
def test_a_policy_that_binds_to_no_build_is_known(policy: str, tmp_path: Path) -> None:
    text = RIGHT.format(sp=64, ra=64, workers=1, least=2, chips=3, limits=3, resource="huawei.com/npu")
    path = tmp_path / "job.yaml"
    path.write_text(text.replace("chip8-node8-ra64-sp", policy))
    assert check_file(str(path)).violations == ()
