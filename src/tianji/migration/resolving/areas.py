"""Sort a repository's files by what a move needs from them: training path, library, and what lies apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tianji.errors import FormatError
from tianji.migration.facts import FileFacts, FileKind
from tianji.migration.resolving.import_graph import ImportGraph


class Area(StrEnum):
    """Where in a repository a file stands."""

    TRAINING = "training path"
    """Reached through imports from a training entry point."""
    LIBRARY = "library"
    """Code of the repository's own packages that no entry point imports by name (plug-ins, registries)."""
    LAUNCH = "launch and installation"
    """Scripts, images, requirements and settings that start it."""
    SETTINGS = "settings"
    """Configurations, in YAML or as Python that only assigns."""
    EXAMPLES = "examples"
    SCRIPTS = "other scripts"
    """Inference, conversion, measurement: started by hand and imported by nothing."""
    ONE_DEVICE = "implementation for one device"
    """Kept as it is; a move adds a sibling for the new device. Also what wraps a technology that is CUDA's alone."""
    SUPERSEDED = "superseded"
    """Deprecated, or for a version of an engine that is older than the first on Ascend."""
    TESTS = "tests"
    DOCS = "documentation and CI"


CHANGED = (Area.TRAINING, Area.LIBRARY, Area.EXAMPLES)
"""Groups whose files a first support changes; the rest is reported apart."""

DEVICE_LAYER = "device_layer.py"
"""The helper that a patch adds: it names CUDA because it chooses."""
_TESTS = frozenset({"test", "tests", "testing", "unittest", "unittests", "test_utils", "unit_tests", "e2e"})
_DOCS = frozenset({"doc", "docs", ".github", ".ci", "ci", ".circleci", ".buildkite", "doc_source"})
_EXAMPLES = frozenset(
    {"example", "examples", "demo", "demos", "tutorial", "tutorials", "notebooks", "cookbook", "samples"}
) | {
    "research_projects",
    "projects",
    "community",
    "contrib",
}
_OTHER_DEVICES = frozenset({"npu", "ascend", "xpu", "hpu", "rocm", "hip", "musa", "mlu"})
_SUPERSEDED = re.compile(r"(?:^|_)(?:legacy|depr[ae]cated|archived?|obsolete)(?:_|$)")
_VLLM = re.compile(r"(?:^|_)vllm_v?_?(\d+)_(\d+)(?:_\d+)*(?:_|$)")
FIRST_VLLM = (0, 7)
"""vllm-ascend exists from vLLM 0.7.1 on (the table of versions); copies of older ones have no counterpart."""
_CUDA_ALONE = frozenset(
    {
        "tensorrt",
        "trt",
        "exllama",
        "exllamav",
        "marlin",
        "machete",
        "bitblas",
        "bnb",
        "bitsandbytes",
        "unsloth",
        "cutlass",
    }
    | {"smoothquant", "nvshmem", "flashinfer", "autogptq", "cudagraph", "cudagraphs", "nvtx", "dali"}
)
"""Technologies without a counterpart on Ascend, as words of a file's or folder's name."""
_DEPLOYED = frozenset(
    {"triton_python_backend_utils", "tritonclient", "tensorrt", "onnxruntime", "openvino", "coremltools", "rknn", "MNN"}
)
"""Modules of run-times that serve a finished model."""
_CUDA_FOLDERS = frozenset({"cuda", "nvidia", "gpu"})
_SOURCES = "csrc"
"""The folder of kernels in CUDA: Python in it builds, wraps and checks them."""
_ASIDE_FOLDERS = frozenset(
    {
        "ui",
        "webui",
        "web_ui",
        "gui",
        "serve",
        "serving",
        "server",
        "inference",
        "infer",
        "deploy",
        "deployment",
        "export",
    }
)
_ASIDE = re.compile(
    r"(?:^|_)(?:infer|inference|inferencing|chat|chatbot|demo|serve|server|serving|export|exporter|convert|converter|conversion|"
    r"merge|bench|benchmark|benchmarks|estimation|estimate|plot|visualize|install|download|prepare|preprocess|sample|webui|gui|"
    r"quantize|upload|profile|profiling|onnx|tensorrt|trt|openvino|coreml)(?:_|$|\d)"
)
_TRAINING = re.compile(
    r"(?:^|_|-)(?:train|training|trainer|finetune|finetuning|pretrain|pretraining|sft|dpo|ppo|grpo|ddpo|kto|orpo|rlhf|reward|rl|"
    r"lora|distill|main|run|recipe|launch|cli|fit)(?:_|-|$|\d)"
)


@dataclass(frozen=True, slots=True)
class Structure:
    """The order of a repository: its entry points, what they reach, and the area of each file."""

    entries: tuple[str, ...]
    areas: Mapping[str, Area]
    reached: frozenset[str]
    importers: Mapping[str, int]
    """Files that import each file, as far as any does."""

    def is_changed(self, path: str) -> bool:
        """Return whether a file stands where a first support makes its changes; of the examples, entry points."""
        area = self.areas[path]
        return area in CHANGED and (area is not Area.EXAMPLES or path in self.reached)


def resolve_structure(files: Sequence[FileFacts], entries: Sequence[str] = ()) -> Structure:
    """Return how a repository's files hang together.

    ``entries`` are paths in the repository to start from; without them, entry points are the files that can be started or
    that launch scripts start and whose names speak of training. A repository without any is a library: all its modules count.

    Raises FormatError for an entry that is no Python file of the repository.
    """
    graph = ImportGraph(files)
    asked = tuple(entry.removeprefix("./") for entry in entries)
    for entry in asked:
        if entry not in graph.python:
            near = [path for path in graph.python if path.endswith("/" + entry.rsplit("/", 1)[-1])][:3]
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise FormatError(f"--entry {entry}: no Python file of that path in the repository{hint}")
    starts = asked or _find_entries(files, graph)
    reached = graph.reach(starts)
    importers = graph.count_importers()
    folders = {part for facts in files for part in facts.path.split("/")[:-1]}
    aside = _find_aside(graph, reached, frozenset(starts))
    layout = Layout(reached, frozenset(importers), folders, frozenset(starts), aside)
    areas = {facts.path: _area_of(facts, layout) for facts in files}
    return Structure(starts, areas, reached, importers)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the area of a file depends on beside the file."""

    reached: frozenset[str]
    imported: frozenset[str]
    folders: set[str]
    entries: frozenset[str]
    aside: frozenset[str]


def _find_aside(graph: ImportGraph, reached: frozenset[str], entries: frozenset[str]) -> frozenset[str]:
    """Return the files that serve, convert or measure by their names or by what they load, and what those alone import.

    A file that other code imports is none of them, whatever it is called.
    """
    importers: dict[str, set[str]] = {path: set() for path in graph.python}
    for path, targets in graph.arrows.items():
        for target in targets if not path.endswith("__init__.py") else ():
            importers[target].add(path)
    serving = {
        p.rpartition("/")[0] for p, facts in graph.python.items() if _loads(facts, {"triton_python_backend_utils"})
    }

    def is_named(path: str) -> bool:
        *above, name = path.split("/")
        return bool(
            _ASIDE.search(name.removesuffix(".py").lower())
            or _ASIDE_FOLDERS.intersection(above)
            or path.rpartition("/")[0] in serving
            or (path not in reached and _loads(graph.python[path], _DEPLOYED))
        )

    aside = {path for path in graph.python if path not in entries and is_named(path)}
    while kept := {path for path in aside if not importers[path] <= aside}:
        aside -= kept
    while entries and (
        more := {p for p, by in importers.items() if by and by <= aside and p not in aside and p not in reached}
    ):
        aside |= more
    return frozenset(aside)


def _loads(facts: FileFacts, modules: Collection[str]) -> bool:
    return any(entry.module.split(".")[0] in modules for entry in facts.imports)


def _find_entries(files: Sequence[FileFacts], graph: ImportGraph) -> tuple[str, ...]:
    launched = {name.rsplit("/", 1)[-1] for facts in files for name in facts.launches}
    found = []
    for path, facts in graph.python.items():
        parts = path.split("/")
        name = parts[-1].removesuffix(".py")
        if _place_of(parts) in (Area.TESTS, Area.DOCS) or _ASIDE.search(name):
            continue
        if (facts.has_main or parts[-1] in launched or len(parts) == 1) and _TRAINING.search(name):
            found.append(path)
    # What examples start is the training of a library that starts none itself.
    own = [path for path in found if _place_of(path.split("/")) is not Area.EXAMPLES]
    return tuple(sorted(own or found))


def _area_of(facts: FileFacts, layout: Layout) -> Area:
    reached, imported, entries = layout.reached, layout.imported, layout.entries
    parts = facts.path.split("/")
    place = _place_of(parts)
    if place in (Area.TESTS, Area.DOCS):
        return place
    if facts.kind in (FileKind.SHELL, FileKind.DOCKERFILE, FileKind.REQUIREMENTS):
        return Area.LAUNCH
    if facts.kind is FileKind.CONFIG or (facts.is_settings and facts.path not in imported and not facts.has_main):
        return Area.SETTINGS
    if parts[-1] == "setup.py":
        return Area.LAUNCH
    if _is_superseded(parts):
        return Area.SUPERSEDED
    if _is_for_one_device(parts, layout):
        return Area.ONE_DEVICE
    is_leaf = facts.path not in imported
    if facts.path in layout.aside:
        return Area.SCRIPTS
    if place is Area.EXAMPLES:
        return Area.EXAMPLES
    if facts.path in reached:
        return Area.TRAINING
    beside = {entry.rpartition("/")[0] for entry in entries}
    if is_leaf and facts.has_main and facts.path.rpartition("/")[0] not in beside:
        return Area.SCRIPTS
    return Area.LIBRARY


def is_outside_tests(path: str) -> bool:
    """Return whether a file stands neither among tests nor among documents and CI."""
    return _place_of(path.split("/")) not in (Area.TESTS, Area.DOCS)


def speaks_of_training(path: str) -> bool:
    """Return whether a file's name or its folders' speak of training, and of nothing that is done beside it."""
    parts = [part.lower() for part in path.rsplit(".", 1)[0].split("/")]
    return any(map(_TRAINING.search, parts)) and not any(map(_ASIDE.search, parts))


def _place_of(parts: Sequence[str]) -> Area | None:
    folders, name = [part.lower() for part in parts[:-1]], parts[-1].lower()
    if _TESTS.intersection(folders) or name.startswith("test_") or name.endswith("_test.py") or name == "conftest.py":
        return Area.TESTS
    if _DOCS.intersection(folders):
        return Area.DOCS
    if any(folder.startswith("benchmark") for folder in folders):
        return Area.TESTS
    if _EXAMPLES.intersection(folders):
        return Area.EXAMPLES
    return None


def _is_superseded(parts: Sequence[str]) -> bool:
    """Return whether a file is kept for what is past, by its own name or a folder's."""
    for part in (*parts[:-1], parts[-1].removesuffix(".py")):
        if _SUPERSEDED.search(part.lower()):
            return True
        if (match := _VLLM.search(part.lower())) and (int(match[1]), int(match[2])) < FIRST_VLLM:
            return True
    return False


def _is_for_one_device(parts: Sequence[str], layout: Layout) -> bool:
    """Return whether a file is one device's implementation beside others', by its own name or its folder's."""
    if parts[-1] in (DEVICE_LAYER, f"npu_{DEVICE_LAYER}"):
        return True
    folders = layout.folders
    words = frozenset(re.split(r"[_\d]+", parts[-1].removesuffix(".py").lower()))
    above = frozenset(part.lower() for part in parts[:-1])
    if (words | {word for part in parts[1:-1] for word in re.split(r"[_\d]+", part.lower())}) & _CUDA_ALONE:
        return True
    if "cuda" in words or words & _OTHER_DEVICES or above & (_OTHER_DEVICES | {_SOURCES}):
        return True
    return bool(above & _CUDA_FOLDERS) and bool(folders & (_OTHER_DEVICES | {"cpu"}))
