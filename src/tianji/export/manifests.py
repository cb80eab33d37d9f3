"""YAML manifests as plain values: documents, annotations, pods and the chips that each asks for. Nothing is executed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tianji.errors import FormatError
from tianji.units import MB, show

LARGEST_FILE = 5 * MB
RESOURCES = ("huawei.com/npu", "huawei.com/Ascend910", "nvidia.com/gpu")


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods of one kind: how many, and what each asks for."""

    role: str
    replicas: int
    resource: str
    requests: int | None
    limits: int | None
    uses_host_network: bool

    @property
    def chips(self) -> int:
        """Chips of one pod."""
        return self.limits if self.limits is not None else self.requests or 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """One document that starts pods on chips."""

    where: str
    kind: str
    annotations: Mapping[str, str]
    pods: tuple[Pods, ...]
    body: Mapping[str, Any]

    @property
    def num_pods(self) -> int:
        """All pods that ask for chips."""
        return sum(p.replicas for p in self.pods if p.chips)

    @property
    def num_chips(self) -> int:
        """Chips of all pods."""
        return sum(p.replicas * p.chips for p in self.pods)


def read_manifests(path: str) -> list[Manifest]:
    """Return the documents of a YAML file that start pods on chips.

    Raises FormatError for a file that cannot be read, is no YAML, or has no such document.
    """
    found = [_read(item, f"{path}, document {i}") for i, item in enumerate(_load(path), 1) if isinstance(item, Mapping)]
    manifests = [item for item in found if item.num_chips or "sp-block" in item.annotations]
    if not manifests:
        kinds = sorted({item.kind for item in found if item.kind})
        came = f" (it holds {', '.join(kinds)})" if kinds else ""
        raise FormatError(
            f"{path}: nothing that MindCluster's scheduler places asks for chips{came}; expected an AscendJob, a Volcano"
            f" or a Kubernetes job with one of {', '.join(RESOURCES)}"
        )
    return manifests


def _load(path: str) -> list[Any]:
    import yaml

    file = Path(path)
    try:
        if file.is_dir():
            raise FormatError(f"{path}: a folder; expected a YAML file")
        size = file.stat().st_size
        if size > LARGEST_FILE:
            raise FormatError(
                f"{path}: {show(size, 'bytes')} is too big for a manifest ({show(LARGEST_FILE, 'bytes')})"
            )
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise FormatError(f"{path}: cannot be read ({reason}); expected a YAML file") from None
    try:
        return list(yaml.safe_load_all(text))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise FormatError(f"{path}: not valid YAML{place}: {problem}") from None


def _read(body: Mapping[str, Any], where: str) -> Manifest:
    spec = _child(body, "spec")
    pods = tuple(_find_pods(str(body.get("kind", "")), spec))
    annotations: dict[str, str] = {}
    for owner in (*_templates(spec), body):
        given = _child(_child(owner, "metadata"), "annotations")
        annotations |= {str(k): str(v) for k, v in given.items()}
    return Manifest(where, str(body.get("kind", "")), annotations, pods, body)


def _child(value: Any, key: str) -> Mapping[str, Any]:
    found = value.get(key) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _groups(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for role, replica in _child(spec, "replicaSpecs").items():
        if isinstance(replica, Mapping):
            yield str(role), replica
    tasks = spec.get("tasks")
    for task in tasks if isinstance(tasks, list) else []:
        if isinstance(task, Mapping):
            yield str(task.get("name", "task")), task
    if isinstance(spec.get("template"), Mapping) and "replicaSpecs" not in spec:
        yield "pods", spec


def _templates(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for _, group in _groups(spec):
        yield _child(group, "template")


def _find_pods(kind: str, spec: Mapping[str, Any]) -> Iterator[Pods]:
    for role, group in _groups(spec):
        pod = _child(_child(group, "template"), "spec")
        count = group.get("replicas", group.get("parallelism", 1))
        replicas = count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else 1
        yield _read_pods(role, replicas, pod)
    if kind == "Pod":
        yield _read_pods("pod", 1, spec)


def _read_pods(role: str, replicas: int, pod: Mapping[str, Any]) -> Pods:
    containers = pod.get("containers")
    wanted: dict[str, dict[str, int]] = {"requests": {}, "limits": {}}
    for container in containers if isinstance(containers, list) else []:
        for side, found in wanted.items():
            for name, count in _child(_child(container, "resources"), side).items():
                if name in RESOURCES and str(count).isdigit():
                    found[name] = found.get(name, 0) + int(count)
    resource = next((r for r in RESOURCES if r in wanted["limits"] or r in wanted["requests"]), "")
    requests, limits = wanted["requests"].get(resource), wanted["limits"].get(resource)
    return Pods(role, replicas, resource, requests, limits, pod.get("hostNetwork") is True)
