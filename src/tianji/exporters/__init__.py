"""Artefacts for the users' own stacks: launch scripts, configurations and manifests of a plan, and back again."""

from tianji.exporters.contract import FileBundle, Target
from tianji.exporters.formats.arguments import Artefact
from tianji.exporters.targets import TARGETS, render_plan, write_bundle

__all__ = ["TARGETS", "Artefact", "FileBundle", "Target", "render_plan", "write_bundle"]
