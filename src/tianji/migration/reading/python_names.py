"""What names in a Python file stand for: imports, aliases and chains of attributes, resolved within the file."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field

from tianji.migration.facts import Guard, Import


def module_of(path: str) -> str:
    """Return the dotted name of a file's module, from its path in the repository.

    >>> module_of("src/veomni/utils/__init__.py")
    'src.veomni.utils'
    """
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def absolute_module(module: str | None, level: int, path: str) -> str:
    """Return the absolute name of ``from ..module import``, written in the file at ``path``.

    >>> absolute_module("device", 2, "pkg/ops/moe/__init__.py")
    'pkg.ops.device'
    """
    if level == 0:
        return module or ""
    parts = path.split("/")[:-1]
    base = parts[: len(parts) - (level - 1)] if level - 1 <= len(parts) else []
    return ".".join([*base, *([module] if module else [])])


def chain_of(node: ast.expr) -> list[str] | None:
    """Return the names of ``a.b.c``, or None where the chain starts with something else than a name."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    names.append(node.id)
    names.reverse()
    return names


@dataclass(slots=True)
class Names:
    """Aliases of one file: what a name stands for, as a dotted name."""

    path: str
    aliases: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)
    imports: list[Import] = field(default_factory=list)
    devices: dict[str, str] = field(default_factory=dict)
    """Variables that hold a device string, like ``device = "cuda"``."""

    def add_import(self, node: ast.Import, guard: Guard) -> None:
        """Learn the names of ``import a.b, c as d``."""
        for alias in node.names:
            self.imports.append(Import(alias.name, "", node.lineno, guard))
            if alias.asname:
                self.aliases[alias.asname] = alias.name
            else:
                top = alias.name.split(".")[0]
                self.aliases.setdefault(top, top)

    def add_import_from(self, node: ast.ImportFrom, guard: Guard) -> None:
        """Learn the names of ``from a import b as c``."""
        module = absolute_module(node.module, node.level, self.path)
        for alias in node.names:
            self.imports.append(Import(module, alias.name, node.lineno, guard))
            name = alias.asname or alias.name
            # Branches that import one name from each accelerator's module: the name stands for CUDA's.
            if not self.aliases.get(name, "").startswith("torch.cuda."):
                self.aliases[name] = f"{module}.{alias.name}" if module else alias.name

    def resolve(self, chain: Iterable[str]) -> str:
        """Return the dotted name of a chain, or an empty text where its first name is a variable.

        A chain under ``self`` or a variable stays unresolved: what it holds is not known here.
        """
        first, *rest = chain
        known = self.aliases.get(first)
        return ".".join([known, *rest]) if known is not None else ""
