"""Artefacts for the users' own stacks: launch scripts, configurations and manifests of a plan, and back again."""

from tianji.export.arguments import Artefact, Bundle
from tianji.export.targets import TARGETS, render_plan, write_bundle

__all__ = ["TARGETS", "Artefact", "Bundle", "render_plan", "write_bundle"]
