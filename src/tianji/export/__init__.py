"""Artefacts for the users' own stacks: launch scripts, configurations and manifests of a plan, and back again."""

from tianji.export.contract import FileBundle, Target
from tianji.export.formats.arguments import Artefact
from tianji.export.targets import TARGETS, render_plan, write_bundle

__all__ = ["TARGETS", "Artefact", "FileBundle", "Target", "render_plan", "write_bundle"]
