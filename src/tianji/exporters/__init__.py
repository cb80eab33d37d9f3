"""Artefacts for the users' own stacks: launch scripts, configurations and manifests of a plan, and back again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tianji.exporters.contract import FileBundle, Target
    from tianji.exporters.formats.arguments import Artefact
    from tianji.exporters.targets import TARGETS, render_plan, write_bundle

__all__ = ["TARGETS", "Artefact", "FileBundle", "Target", "render_plan", "write_bundle"]

_HOMES = {"FileBundle": "contract", "Target": "contract", "Artefact": "formats.arguments"}


def __getattr__(name: str) -> object:
    """Return what a name stands for: every target comes with most of them, and commands that ask one rule do without."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'targets')}"), name)
