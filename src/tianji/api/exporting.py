"""``export``: files of a plan for the users' own stacks, and a check of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tianji.api.answer import Answer
from tianji.api.presenting import Presentation
from tianji.api.requests import File, PlanLike, plan_of
from tianji.errors import FormatError
from tianji.export import TARGETS, FileBundle, render_plan, write_bundle
from tianji.export.lint.checks import Check, check_file

if TYPE_CHECKING:
    from rich.console import Console


def export_plan(
    plan: PlanLike | None = None, to: str | None = None, *, out: File | None = None, check: File | None = None
) -> Answer[FileBundle] | Answer[Check] | Answer[tuple[str, ...]]:
    """Write a plan as files of other frameworks and schedulers.

    ``to`` names the target; without arguments all are listed. ``out`` is the folder for
    the files. All degrees, the schedule, recomputation, sharding, micro-batch and
    precision are carried over exactly; what a target does otherwise stands in the files
    and in the notes.

    ``check="my-job.yaml"`` holds your own manifest against its schema and the rules of
    its scheduler instead.

    Raises ExportError, with every reason, where the target would run another plan.
    """
    if check is not None:
        if plan is not None or to is not None or out is not None:
            raise FormatError(
                "tianji export: --check takes a manifest and nothing else; as in `tianji export --check job.yaml`"
            )
        checked = check_file(str(check))
        return Answer(checked, CheckPresentation(str(check), checked))
    if plan is None and to is None:
        return Answer(tuple(TARGETS), TargetsPresentation())
    if plan is None or to is None:
        missing = "the plan's file" if plan is None else f"--to, one of {', '.join(TARGETS)}"
        raise FormatError(f"tianji export: {missing} is missing; as in `tianji export plan.json --to megatron`")
    bundle = render_plan(plan_of(plan), to)
    paths = write_bundle(bundle, out) if out else []
    return Answer(bundle, BundlePresentation(bundle, tuple(paths)))


@dataclass(frozen=True)
class BundlePresentation(Presentation):
    """What is shown of the files of a plan: where they are, or their texts."""

    bundle: FileBundle
    paths: tuple[Path, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the target does otherwise."""
        return tuple(self.bundle.notes)

    def summary(self) -> str:
        """Return the target and the names of the files."""
        return f"export to {self.bundle.target}: {', '.join(a.name for a in self.bundle.artefacts)}"

    def make_document(self) -> Mapping[str, Any]:
        """Return the files with their texts, and where they were written."""
        files = [{"name": a.name, "executable": a.is_executable, "text": a.text} for a in self.bundle.artefacts]
        written = [str(path) for path in self.paths]
        return {"target": self.bundle.target, "notes": list(self.bundle.notes), "files": files, "written": written}

    def print_tables(self, console: Console) -> None:
        """Print the paths, or the texts where nothing was written."""
        for path in self.paths:
            console.out(path, highlight=False)
        for artefact in () if self.paths else self.bundle.artefacts:
            console.out(f"# ===== {artefact.name}\n{artefact.text}", highlight=False)


@dataclass(frozen=True)
class CheckPresentation(Presentation):
    """What is shown of a user's own manifest: every rule that it breaks."""

    file: str
    check: Check

    def summary(self) -> str:
        """Return how many rules are broken."""
        count = len(self.check.violations)
        return f"check of {self.file}: {count} rule{'' if count == 1 else 's'} broken"

    def make_document(self) -> Mapping[str, Any]:
        """Return the schemas and the broken rules."""
        broken = [{"rule": v.rule, "where": v.where, "found": v.actual, "fix": v.fix} for v in self.check.violations]
        return {"file": self.file, "schemas": list(self.check.kinds), "violations": broken}

    def print_tables(self, console: Console) -> None:
        """Print each broken rule with its cure."""
        for v in self.check.violations:
            console.out(f"{v.where}: {v.actual}\n  rule: {v.rule}\n  fix:  {v.fix}", highlight=False)
        if not self.check.violations:
            fits = f"fits the schema of {', '.join(self.check.kinds)} and " if self.check.kinds else ""
            console.out(f"{self.file}: {fits}keeps all rules of its scheduler that Tianji knows", highlight=False)


@dataclass(frozen=True)
class TargetsPresentation(Presentation):
    """What is shown of all targets."""

    def summary(self) -> str:
        """Return the names of all targets."""
        return f"export targets: {', '.join(TARGETS)}"

    def make_document(self) -> Mapping[str, Any]:
        """Return each target and what is written for it."""
        return {"targets": {name: target.about for name, target in TARGETS.items()}}

    def print_tables(self, console: Console) -> None:
        """Print the same."""
        for name, target in TARGETS.items():
            console.out(f"{name:<12} {target.about}", highlight=False)
