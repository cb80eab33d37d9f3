"""Rules between fields: each broken one is told, right ones are not."""

from typing import Any

import pytest

from tianji.exporters.lint.field_rules import check_counts

SLICE = "kueue.x-k8s.io/podset-slice-size"


def rules(body: dict[str, Any]) -> list[str]:
    return [v.rule for v in check_counts(body, "f")]


def pod(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations}, "spec": {"containers": [{"name": "c"}]}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"minReplicas": 2, "replicas": 2, "maxReplicas": 2}, []),
        ({"minReplicas": 3, "replicas": 2, "maxReplicas": 2}, ["minReplicas <= replicas <= maxReplicas"]),
        ({"minReplicas": 3, "maxReplicas": 2}, ["minReplicas <= replicas <= maxReplicas"]),
        ({"tasks": [{"name": "a"}, {"name": "b"}]}, []),
        ({"tasks": [{"name": "a"}, {"name": "a"}]}, ["names are unique"]),
        ({"workerGroupSpecs": [{"groupName": "a"}, {"groupName": "a"}]}, ["names are unique"]),
        ({"containers": [{"name": "c", "volumeMounts": [{"name": "v"}]}], "volumes": [{"name": "v"}]}, []),
        (
            {"containers": [{"name": "c", "volumeMounts": [{"name": "w"}]}], "volumes": [{"name": "v"}]},
            ["a mount names a volume of its pod"],
        ),
        # One set of 6 pods: slices of 3 fill it, of 4 do not, of 12 are larger.
        ({"replicas": 2, "template": {"spec": {"parallelism": 3, "template": pod(**{SLICE: "3"})}}}, []),
        (
            {"replicas": 2, "template": {"spec": {"parallelism": 3, "template": pod(**{SLICE: "4"})}}},
            ["a set is a whole number of slices"],
        ),
        (
            {"replicas": 2, "template": {"spec": {"parallelism": 3, "template": pod(**{SLICE: "12"})}}},
            ["a slice is at most the pods of its set"],
        ),
        ({"replicas": 5, "template": pod(**{SLICE: "10"})}, ["a slice is at most the pods of its set"]),
    ],
)
def test_rules_between_fields(body: dict[str, Any], expected: list[str]) -> None:
    assert rules({"spec": body}) == expected


def test_a_volume_that_the_controller_adds_is_there() -> None:
    body = {"containers": [{"name": "c", "volumeMounts": [{"name": "w"}]}]}
    claim = {"volumeClaimPolicies": [{"templates": [{"metadata": {"name": "w"}}]}]}
    assert rules({"spec": {**claim, "pod": body}}) == []
