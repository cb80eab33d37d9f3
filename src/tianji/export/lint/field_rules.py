"""Rules between the fields of a manifest that a schema cannot say: counts that fit, names that are unique and exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tianji.export.lint.schemas import describe_path
from tianji.export.lint.violations import Violation

SLICE = "kueue.x-k8s.io/podset-slice-size"
LISTS = ("tasks", "replicatedJobs", "workerGroupSpecs", "containers", "volumes")
"""Lists whose items are told apart by their names."""


def check_counts(body: Mapping[str, Any], where: str) -> Iterator[Violation]:
    """Yield every such rule that a document breaks."""
    parts = list(_mappings(body, ()))
    added = {str(_child(t, "metadata").get("name")) for _, p in parts for t in _items(p, "templates")}
    added |= {"ray-token" for _, p in parts if "authOptions" in p}
    for path, part in parts:
        place = f"{where}, {describe_path(path) or 'top'}"
        yield from _check_names(part, place)
        yield from _check_mounts(part, place, added)
        yield from _check_replicas(part, place)
        yield from _check_slices(part, place)


def _mappings(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        yield path, value
        for key, inner in value.items():
            yield from _mappings(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _mappings(inner, (*path, i))


def _items(part: Any, key: str) -> list[Mapping[str, Any]]:
    found = part.get(key) if isinstance(part, Mapping) else None
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _child(part: Any, key: str) -> Mapping[str, Any]:
    found = part.get(key) if isinstance(part, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _check_names(part: Mapping[str, Any], place: str) -> Iterator[Violation]:
    for key in LISTS:
        names = Counter(
            str(n) for item in _items(part, key) if (n := item.get("name", item.get("groupName"))) is not None
        )
        for name, count in names.items():
            if count > 1:
                yield Violation("names are unique", place, f"{key}: {name} stands {count} times", "rename the others")


def _check_mounts(part: Mapping[str, Any], place: str, added: set[str]) -> Iterator[Violation]:
    """``added``: volumes that the job's controller adds by itself."""
    volumes = {str(v.get("name")) for v in _items(part, "volumes")}
    for container in (*_items(part, "containers"), *_items(part, "initContainers")):
        for mount in _items(container, "volumeMounts"):
            name = str(mount.get("name"))
            if name not in volumes | added:
                fix = (
                    f"add a volume {name}"
                    if not volumes
                    else f"add a volume {name}, or mount one of {', '.join(sorted(volumes))}"
                )
                yield Violation("a mount names a volume of its pod", place, f"volumeMounts: {name}", fix)


def _count(part: Any, key: str) -> int | None:
    found = part.get(key) if isinstance(part, Mapping) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _check_replicas(part: Mapping[str, Any], place: str) -> Iterator[Violation]:
    least, count, most = (_count(part, k) for k in ("minReplicas", "replicas", "maxReplicas"))
    if least is None or most is None:
        return
    if least > most or (count is not None and not least <= count <= most):
        found = f"minReplicas {least}, replicas {'unset' if count is None else count}, maxReplicas {most}"
        wanted = count if count is not None else least
        yield Violation(
            "minReplicas <= replicas <= maxReplicas",
            place,
            found,
            f"a plan is for one size: write {wanted} three times",
        )


def _check_slices(part: Mapping[str, Any], place: str) -> Iterator[Violation]:
    """A slice of Kueue is at most the pods of its set: those of a job, of all replicas of a replicated job, of a worker group."""
    job = _child(_child(part, "template"), "spec")
    pod = _child(job, "template") or _child(part, "template")
    size = str(_child(_child(pod, "metadata"), "annotations").get(SLICE, ""))
    if not (size.isascii() and size.isdigit() and len(size) < 12):
        return
    if "parallelism" in part:
        return  # a job within a set: the set counts its replicas too
    replicas = _count(part, "replicas")
    pods = (1 if replicas is None else replicas) * (_count(job, "parallelism") or 1) * (_count(part, "numOfHosts") or 1)
    if pods < 1:
        return
    if int(size) > pods:
        found = f"{SLICE}: {size}, {pods} pods"
        yield Violation("a slice is at most the pods of its set", place, found, f'write "{pods}" or less')
    elif int(size) and pods % int(size):
        found = f"{SLICE}: {size}, {pods} pods"
        yield Violation("a set is a whole number of slices", place, found, f"write a divisor of {pods}")
