"""Which framework chooses the device, in a file and in a repository."""

from __future__ import annotations

from collections.abc import Iterable

from tianji.migration.facts import FileFacts, FileKind

_CHOOSERS: dict[str, frozenset[str]] = {
    "accelerate": frozenset({"Accelerator", "PartialState", "AcceleratorState"}),
    "transformers": frozenset({"Trainer", "Seq2SeqTrainer", "TrainingArguments", "Seq2SeqTrainingArguments"}),
    "trl": frozenset({"SFTTrainer", "DPOTrainer", "PPOTrainer", "RewardTrainer", "GRPOTrainer"}),
    "lightning": frozenset({"Trainer", "Fabric", "LightningModule"}),
    "pytorch_lightning": frozenset({"Trainer", "LightningModule"}),
    "lightning_fabric": frozenset({"Fabric"}),
    "mmengine": frozenset({"Runner", "Config", "read_base"}),
    "deepspeed": frozenset({"get_accelerator"}),
}
"""Packages whose objects, once they are used in a file, carry the choice of its device."""


def framework_of(facts: FileFacts, own: frozenset[str]) -> str:
    """Return the framework that chooses the device in a file, empty where the file chooses itself."""
    for entry in facts.imports:
        top = entry.module.split(".")[0]
        if top in own:
            continue
        names = _CHOOSERS.get(top)
        if names is not None and (entry.name in names or f"{top}.{_only_use(facts, top, names)}" in facts.names):
            return top
    return ""


def _only_use(facts: FileFacts, top: str, names: frozenset[str]) -> str:
    return next((name for name in sorted(names) if f"{top}.{name}" in facts.names), "")


def frameworks_of(files: Iterable[FileFacts], own: frozenset[str]) -> dict[str, int]:
    """Return the frameworks that choose devices in a repository, with the files where each does."""
    counts: dict[str, int] = {}
    for facts in files:
        if facts.kind is FileKind.PYTHON and (name := framework_of(facts, own)):
            counts[name] = counts.get(name, 0) + 1
    return counts


def own_names(files: Iterable[FileFacts]) -> frozenset[str]:
    """Return the top-level names under which a repository's own code is imported."""
    python = [facts for facts in files if facts.kind is FileKind.PYTHON]
    paths = [facts.path for facts in python]
    packages = {path.removesuffix("/__init__.py") for path in paths if path.endswith("/__init__.py")}
    tops = {path.split("/")[-1] for path in packages if path.rsplit("/", 1)[0] not in packages or "/" not in path}
    scripts = {path.removesuffix(".py") for path in paths if "/" not in path}
    # A folder without __init__.py is a package too where the repository imports from it by that name.
    folders = {part for path in paths for part in path.removeprefix("src/").split("/")[:1] if "/" in path}
    imported = {entry.module.split(".")[0] for facts in python for entry in facts.imports}
    return frozenset(tops | scripts | (folders & imported))
