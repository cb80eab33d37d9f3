"""The documents of ``tianji export``: the targets, the files of one, and what a manifest breaks.

The rooms ``export`` and ``report`` stand side by side, so the builders take plain values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from tianji.report.documents.checked_lines import check_line
from tianji.report.documents.three_lines import BottomLineDocument


class TargetDocument(TypedDict):
    """An engine or a scheduler that a plan can be written for."""

    name: str
    about: str


class TargetsDocument(TypedDict):
    """All that ``tianji export`` answers without arguments."""

    document: Literal["targets"]
    targets: list[TargetDocument]


class FileDocument(TypedDict):
    """A file of an export."""

    name: str
    executable: bool
    text: str


class ExportDocument(TypedDict):
    """All that ``tianji export PLAN.json --to TARGET`` answers."""

    document: Literal["export"]
    target: str
    notes: list[str]
    """What the target does otherwise than the plan says, and what is to be filled in."""
    files: list[FileDocument]
    written: list[str]
    """Paths of the files, with ``--out``."""


class ViolationDocument(TypedDict):
    """A rule that a manifest breaks."""

    rule: str
    where: str
    actual: str
    """What stands there."""
    fix: str


class CheckDocument(TypedDict):
    """All that ``tianji export --check FILE`` answers."""

    document: Literal["check"]
    bottom_line: BottomLineDocument
    file: str
    schemas: list[str]
    """Kinds of objects in the file that have a schema."""
    violations: list[ViolationDocument]


def targets_document(targets: Mapping[str, str]) -> TargetsDocument:
    """Return the targets with what each is, by name."""
    return {"document": "targets", "targets": [{"name": name, "about": about} for name, about in targets.items()]}


def export_document(
    target: str, notes: Sequence[str], files: Sequence[FileDocument], written: Sequence[str]
) -> ExportDocument:
    """Return the files of an export with their texts."""
    return {
        "document": "export", "target": target, "notes": list(notes), "files": list(files), "written": list(written),
    }  # fmt: skip


def check_document(file: str, schemas: Sequence[str], violations: Sequence[ViolationDocument]) -> CheckDocument:
    """Return what a manifest breaks."""
    return {
        "document": "check",
        "bottom_line": check_line(file, [v["rule"] for v in violations], schemas),
        "file": file,
        "schemas": list(schemas),
        "violations": list(violations),
    }
