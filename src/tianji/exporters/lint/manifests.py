"""YAML manifests as plain values: documents, annotations, pods and the chips that each asks for. Nothing is executed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tianji.errors import FormatError
from tianji.exporters.formats.nested import child, items
from tianji.exporters.formats.yaml_text import DEEPEST, LARGEST_DOCUMENT, parse_documents
from tianji.exporters.lint.violations import Violation
from tianji.input_files import read_text
from tianji.units import MB

LARGEST_FILE = 5 * MB
LONGEST_COUNT = 10
"""Digits of a number of chips that is read; one with more is no count."""
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


SCRIPTS = (".py", ".sh", ".sbatch", ".toml")
"""What an export holds beside YAML and JSON."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file as plain values: keys are text, and what stands there as null is left out, as servers do."""

    where: str
    body: Mapping[str, Any]
    violations: tuple[Violation, ...] = ()


def read_documents(path: str) -> list[Document]:
    """Return the documents of a YAML or JSON file; those of a ``kind: List`` one by one.

    Raises FormatError for a file that cannot be read, is no YAML, holds nothing, or holds something else than mappings.
    """
    documents: list[Document] = []
    for number, item in enumerate(_load(path), 1):
        if item is None:
            continue
        where = f"{path}, document {number}"
        if not isinstance(item, Mapping):
            came = "a list" if isinstance(item, list) else f"{str(item)[:40]!r}"
            raise FormatError(f"{where}: {came}; expected a mapping with apiVersion and kind, one that asks for chips")
        cleaner = _Cleaner(where)
        body = cleaner.clean(item, 0)
        if body.get("kind") == "List" and isinstance(body.get("items"), list):
            inner = [i for i in body["items"] if isinstance(i, Mapping)]
            documents += [Document(f"{where}, item {n}", i) for n, i in enumerate(inner, 1)]
        else:
            documents.append(Document(where, body, tuple(cleaner.violations)))
    if not documents:
        raise FormatError(f"{path}: empty; expected a YAML manifest of a job that asks for chips")
    return documents


class _Cleaner:
    """Copies a document with keys as text and without nulls; a document whose aliases unfold without end is refused."""

    def __init__(self, where: str) -> None:
        self.where, self.count = where, 0
        self.violations: list[Violation] = []

    def clean(self, value: Any, depth: int) -> Any:
        self.count += 1
        if self.count > LARGEST_DOCUMENT or depth > DEEPEST:
            raise FormatError(f"{self.where}: its aliases unfold into more than a manifest holds")
        if isinstance(value, Mapping):
            for key in value:
                if not isinstance(key, str):
                    actual, fix = f"{key!r} ({type(key).__name__})", f'write "{key}", in quotes'
                    self.violations.append(Violation("keys are text", self.where, actual, fix))
            return {str(k): self.clean(v, depth + 1) for k, v in value.items() if v is not None}
        if isinstance(value, list):
            return [self.clean(v, depth + 1) for v in value]
        return value if isinstance(value, str | int | float) else str(value)


def _load(path: str) -> list[Any]:

    file = Path(path)
    if file.suffix in SCRIPTS and os.path.exists(file):
        raise FormatError(f"{path}: a script or a configuration in another language; expected YAML or JSON")
    text = read_text(path, "a YAML or JSON file")
    return parse_documents(text, path, path.endswith(".json"))


def read_manifest(body: Mapping[str, Any], where: str) -> Manifest:
    """Return a document with its pods and annotations taken out."""
    spec = child(body, "spec")
    pods = tuple(_find_pods(str(body.get("kind", "")), spec))
    annotations: dict[str, str] = {}
    for owner in (*_templates(spec), body):
        given = child(child(owner, "metadata"), "annotations")
        annotations |= {str(k): str(v) for k, v in given.items()}
    return Manifest(where, str(body.get("kind", "")), annotations, pods, body)


def _groups(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for role, replica in child(spec, "replicaSpecs").items():
        if isinstance(replica, Mapping):
            yield str(role), replica
    for task in items(spec, "tasks"):
        yield str(task.get("name", "task")), task
    if isinstance(spec.get("template"), Mapping) and "replicaSpecs" not in spec:
        yield "pods", spec


def _templates(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for _, group in _groups(spec):
        yield child(group, "template")


def _find_pods(kind: str, spec: Mapping[str, Any]) -> Iterator[Pods]:
    for role, group in _groups(spec):
        pod = child(child(group, "template"), "spec")
        count = group.get("replicas", group.get("parallelism", 1))
        replicas = count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else 1
        yield _read_pods(role, replicas, pod)
    if kind == "Pod":
        yield _read_pods("pod", 1, spec)


def _read_pods(role: str, replicas: int, pod: Mapping[str, Any]) -> Pods:
    wanted: dict[str, dict[str, int]] = {"requests": {}, "limits": {}}
    for container in items(pod, "containers"):
        for side, chips in wanted.items():
            for name, count in child(child(container, "resources"), side).items():
                text = str(count)
                if name in RESOURCES and text.isascii() and text.isdigit() and len(text) < LONGEST_COUNT:
                    chips[name] = chips.get(name, 0) + int(text)
    resource = next((r for r in RESOURCES if r in wanted["limits"] or r in wanted["requests"]), "")
    requests, limits = wanted["requests"].get(resource), wanted["limits"].get(resource)
    return Pods(role, replicas, resource, requests, limits, pod.get("hostNetwork") is True)
