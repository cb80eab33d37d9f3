"""Rules between the fields of a manifest that a schema cannot say: counts that fit, names that are unique and exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tianji.exporters.formats.nested import child, count, items
from tianji.exporters.lint.schemas import describe_path
from tianji.exporters.lint.violations import Violation

SLICE = "kueue.x-k8s.io/podset-slice-size"
LISTS = ("tasks", "replicatedJobs", "workerGroupSpecs", "containers", "volumes")
"""Lists whose items are told apart by their names."""


def check_counts(body: Mapping[str, Any], where: str) -> Iterator[Violation]:
    """Yield every such rule that a document breaks."""
    parts = list(_mappings(body, ()))
    added = {str(child(t, "metadata").get("name")) for _, p in parts for t in items(p, "templates")}
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


def _check_names(part: Mapping[str, Any], place: str) -> Iterator[Violation]:
    for key in LISTS:
        names = Counter(
            str(n) for item in items(part, key) if (n := item.get("name", item.get("groupName"))) is not None
        )
        for name, times in names.items():
            if times > 1:
                yield Violation("names are unique", place, f"{key}: {name} stands {times} times", "rename the others")


def _check_mounts(part: Mapping[str, Any], place: str, added: set[str]) -> Iterator[Violation]:
    """``added``: volumes that the job's controller adds by itself."""
    volumes = {str(v.get("name")) for v in items(part, "volumes")}
    for container in (*items(part, "containers"), *items(part, "initContainers")):
        for mount in items(container, "volumeMounts"):
            name = str(mount.get("name"))
            if name not in volumes | added:
                fix = (
                    f"add a volume {name}"
                    if not volumes
                    else f"add a volume {name}, or mount one of {', '.join(sorted(volumes))}"
                )
                yield Violation("a mount names a volume of its pod", place, f"volumeMounts: {name}", fix)


def _check_replicas(part: Mapping[str, Any], place: str) -> Iterator[Violation]:
    least, replicas, most = (count(part, k) for k in ("minReplicas", "replicas", "maxReplicas"))
    if least is None or most is None:
        return
    if least > most or (replicas is not None and not least <= replicas <= most):
        actual = f"minReplicas {least}, replicas {'unset' if replicas is None else replicas}, maxReplicas {most}"
        wanted = replicas if replicas is not None else least
        yield Violation(
            "minReplicas <= replicas <= maxReplicas",
            place,
            actual,
            f"a plan is for one size: write {wanted} three times",
        )


def _check_slices(part: Mapping[str, Any], place: str) -> Iterator[Violation]:
    """A slice of Kueue is at most the pods of its set: those of a job, of all replicas of a replicated job, of a worker group."""
    job = child(child(part, "template"), "spec")
    pod = child(job, "template") or child(part, "template")
    size = str(child(child(pod, "metadata"), "annotations").get(SLICE, ""))
    if not (size.isascii() and size.isdigit() and len(size) < 12):
        return
    if "parallelism" in part:
        return  # a job within a set: the set counts its replicas too
    replicas = count(part, "replicas")
    pods = (1 if replicas is None else replicas) * (count(job, "parallelism") or 1) * (count(part, "numOfHosts") or 1)
    if pods < 1:
        return
    if int(size) > pods:
        actual = f"{SLICE}: {size}, {pods} pods"
        yield Violation("a slice is at most the pods of its set", place, actual, f'write "{pods}" or less')
    elif int(size) and pods % int(size):
        actual = f"{SLICE}: {size}, {pods} pods"
        yield Violation("a set is a whole number of slices", place, actual, f"write a divisor of {pods}")
