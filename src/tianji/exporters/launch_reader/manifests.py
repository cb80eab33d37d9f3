"""Kubernetes manifests as launches: the command of a job's pods as a script, its environment, and the chips of all pods.

Read are kinds whose pods hold ``containers``: PyTorchJob, MPIJob, TrainJob, Job, JobSet, Volcano's and MindCluster's jobs,
RayJob's entry point, LeaderWorkerSet. Scripts in a ConfigMap of the same file are read where a command starts them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tianji.exporters.formats.nested import child, items

CHIPS = re.compile(
    r"(nvidia\.com/(gpu|mig-)|huawei\.com/(npu|Ascend)|amd\.com/gpu|google\.com/tpu|metax|cambricon|iluvatar)", re.I
)
"""Resources that are chips."""
COUNTS = ("replicas", "parallelism", "numNodes", "size")
"""Keys that say how many pods there are of what lies below them."""
SHELLS = frozenset({"bash", "sh", "/bin/bash", "/bin/sh", "/usr/bin/bash"})
DEEPEST = 40


@dataclass(frozen=True, slots=True)
class PodCommand:
    """What the pods of one role run: a text for a shell, how many pods there are, and chips of each."""

    text: str
    pods: int
    chips: int
    role: str = ""


@dataclass(slots=True)
class ManifestLaunch:
    """A manifest as a script: the commands of its pods one after the other, those on chips last, and files that it brings."""

    text: str = ""
    node: int = 0
    """Chips of one pod; 0 where no pod asks for any."""
    pods: int = 0
    files: dict[str, str] = field(default_factory=dict)

    @property
    def chips(self) -> int:
        """Chips of all pods."""
        return self.node * self.pods


def is_manifest(documents: Sequence[Any]) -> bool:
    """Return whether a file holds a document of Kubernetes."""
    return any(isinstance(d, Mapping) and {"apiVersion", "kind"} <= set(d) for d in documents)


def read_manifests(documents: Sequence[Any]) -> ManifestLaunch:
    """Return what the documents of a file start."""
    launch = ManifestLaunch()
    runs: list[PodCommand] = []
    for body in documents:
        if not isinstance(body, Mapping):
            continue
        if body.get("kind") == "List":
            inner = read_manifests(items(body, "items"))
            runs.append(PodCommand(inner.text, inner.pods, inner.node))
            launch.files |= inner.files
        elif body.get("kind") == "ConfigMap":
            launch.files |= {str(name): text for name, text in child(body, "data").items() if isinstance(text, str)}
        else:
            runs += _find_commands(body, 1, "", 0)
    busy = [pod for pod in runs if pod.chips]
    launch.node, launch.pods = max((p.chips for p in busy), default=0), sum(p.pods for p in busy)
    launch.text = "\n".join(p.text for p in sorted(runs, key=lambda p: p.chips))
    return launch


def _find_commands(part: Any, pods: int, role: str, depth: int) -> Iterator[PodCommand]:
    """Yield what the pods below a part of a manifest run; numbers of pods multiply on the way down."""
    if depth > DEEPEST:
        return
    if isinstance(part, list):
        for inner in part:
            yield from _find_commands(inner, pods, role, depth + 1)
        return
    if not isinstance(part, Mapping):
        return
    count = next((n for n in (part.get(key) for key in COUNTS) if isinstance(n, int) and not isinstance(n, bool)), 1)
    pods *= max(count, 0)
    if isinstance(part.get("containers"), list):
        for container in items(part, "containers"):
            yield PodCommand(_shell_text(container), pods, _count_chips(container), role)
        return
    if isinstance(part.get("entrypoint"), str):
        yield PodCommand(part["entrypoint"], 1, 0, role)
    trainer = child(part, "trainer")
    if trainer:
        number = trainer.get("numNodes")
        nodes = number if isinstance(number, int) and not isinstance(number, bool) else 1
        chips = _count_chips({"resources": child(trainer, "resourcesPerNode")})
        yield PodCommand(_shell_text(trainer), pods * nodes, chips, "trainer")
    for name, inner in part.items():
        if isinstance(inner, Mapping | list) and name not in ("trainer", "initContainers", "metadata", "status"):
            yield from _find_commands(inner, pods, str(name), depth + 1)


def _count_chips(container: Mapping[str, Any]) -> int:
    resources = child(container, "resources")
    for side in ("limits", "requests"):
        for name, count in child(resources, side).items():
            text = str(count)
            if CHIPS.search(str(name)) and text.isascii() and text.isdigit():
                return int(text[:6])
    return 0


def _shell_text(container: Mapping[str, Any]) -> str:
    """Return the command of a container as a script, with its environment before it."""
    names = "|".join(re.escape(str(e["name"])) for e in items(container, "env") if "name" in e)
    words = [str(w) for key in ("command", "args") for w in _words(container.get(key))]
    words = [re.sub(rf"\$\(({names})\)", r"${\1}", word) for word in words] if names else words
    lines = [
        f"export {e['name']}={shlex.quote(str(e['value']))}"
        for e in items(container, "env")
        if re.fullmatch(r"[A-Za-z_]\w*", str(e.get("name", ""))) and "value" in e
    ]
    inner = _inner_script(words)
    text = inner if inner is not None else " ".join(map(_quote, words))
    return "\n".join([*lines, text])


def _words(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _inner_script(words: list[str]) -> str | None:
    """Return the text behind ``bash -c``; its further words are the arguments from ``$0`` on."""
    if not words or words[0] not in SHELLS:
        return None
    for i, word in enumerate(words[1:], 1):
        if re.fullmatch(r"-\w*c", word) and i + 1 < len(words):
            rest = words[i + 3 :]
            return (f"set -- {' '.join(map(_quote, rest))}\n" if rest else "") + words[i + 1]
        if not word.startswith("-"):
            return None
    return None


def _quote(word: str) -> str:
    """Return a word for a shell; names of variables stay open, as Kubernetes fills them in."""
    return word if re.fullmatch(r"[\w@%+=:,./${}()\[\]*-]+", word) and "$(" not in word else shlex.quote(word)
