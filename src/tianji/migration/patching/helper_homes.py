"""Where the device helper of a patch lives, and how each changed file imports it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tianji.migration.facts import FileKind
from tianji.migration.resolving.areas import DEVICE_LAYER
from tianji.migration.scan import RepositoryScan

OTHER_NAME = "npu_device_layer.py"
"""Where the usual name is taken."""


class HelperHomes:
    """One helper for each import root: a top package, a namespace package, or the folder of scripts that import neither."""

    def __init__(self, scan: RepositoryScan, files: Iterable[str]) -> None:
        self.root = Path(scan.root)
        self.packages = {f.path.removesuffix("/__init__.py") for f in scan.files if f.path.endswith("/__init__.py")}
        self.imports = {
            f.path: {e.module for e in f.imports} | {f"{e.module}.{e.name}" for e in f.imports if e.name}
            for f in scan.files
            if f.kind is FileKind.PYTHON
        }
        self.modules = {module for modules in self.imports.values() for module in modules if "." in module}
        self.tops = {top for path in files if (top := self._top_of(path))}

    def find(self, path: str, text: str, helper: str) -> tuple[str, str]:
        """Return the helper's path, and the statement by which a file imports it."""
        top = self._top_of(path) or self._package_beside(path)
        folder = top or path.rpartition("/")[0]
        name = DEVICE_LAYER
        if self._is_taken(f"{folder}/{name}" if folder else name, helper) or _names_it_otherwise(text, name):
            name = OTHER_NAME
        module = name.removesuffix(".py")
        statement = f"from {top.rpartition('/')[2]} import {module}" if top else f"import {module}"
        return f"{folder}/{name}" if folder else name, statement

    def _top_of(self, path: str) -> str:
        """Return the folder of a file's top package; one without ``__init__.py`` is told by how others import the file."""
        inner, top = path.rpartition("/")[0], ""
        while inner in self.packages:
            top, inner = inner, inner.rpartition("/")[0]
        if top:
            return top
        parts = path.removesuffix(".py").split("/")
        for start in range(len(parts) - 1):
            if ".".join(parts[start:]) in self.modules:
                return "/".join(parts[: start + 1])
        return ""

    def _package_beside(self, path: str) -> str:
        """Return a package in a script's own folder that the script imports and that has the helper anyway."""
        folder = path.rpartition("/")[0]
        for top in sorted(self.tops):
            above, _, name = top.rpartition("/")
            if above == folder and any(m == name or m.startswith(f"{name}.") for m in self.imports.get(path, ())):
                return top
        return ""

    def _is_taken(self, place: str, helper: str) -> bool:
        """Return whether another file stands where the helper would."""
        try:
            return (self.root / place).read_text(encoding="utf-8", errors="replace") != helper
        except OSError:
            return False


def _names_it_otherwise(text: str, name: str) -> bool:
    """Return whether a file uses the helper's name for something of its own."""
    module = name.removesuffix(".py")
    return bool(re.search(rf"\b{module}\b", text)) and not re.search(
        rf"^(?:import|from \w+ import) {module}$", text, re.M
    )
