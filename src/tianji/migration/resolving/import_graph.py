"""Which file of a repository imports which, from the names in the files alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from tianji.migration.facts import FileFacts, FileKind
from tianji.migration.reading.python_names import module_of


class ImportGraph:
    """Files as nodes, an arrow from a file to each file of the repository that it imports."""

    def __init__(self, files: Sequence[FileFacts]) -> None:
        self.python = {facts.path: facts for facts in files if facts.kind is FileKind.PYTHON}
        self.folders = {path.rsplit("/", 1)[0] if "/" in path else "" for path in self.python}
        self.packages = {path.removesuffix("/__init__.py") for path in self.python if path.endswith("/__init__.py")}
        self.modules = self._index_modules()
        self.arrows = {path: self._targets(facts) for path, facts in self.python.items()}

    def _index_modules(self) -> Mapping[str, str]:
        """Return the paths of modules by every name under which an import may know them."""
        index: dict[str, str] = {}
        for path in sorted(self.python, key=lambda p: p.count("/")):
            parts = path.split("/")
            for start in range(len(parts)):
                # A root is a folder that is no package itself: what lies in it is imported by its own name.
                if start and "/".join(parts[:start]) in self.packages:
                    continue
                index.setdefault(module_of("/".join(parts[start:])), path)
        return index

    def _targets(self, facts: FileFacts) -> frozenset[str]:
        folder = facts.path.rsplit("/", 1)[0].replace("/", ".") if "/" in facts.path else ""
        targets: set[str] = set()
        for entry in facts.imports:
            names = [f"{entry.module}.{entry.name}", entry.module] if entry.name else [entry.module]
            for name in names:
                found = (self.modules.get(f"{folder}.{name}") if folder else None) or self.modules.get(name)
                if found is not None and found != facts.path:
                    targets.add(found)
                    targets |= self._packages_above(name, found)
                    break
        return frozenset(targets - {facts.path})

    def _packages_above(self, name: str, path: str) -> set[str]:
        """Return the ``__init__.py`` files that importing a module runs as well."""
        parts = path.split("/")
        above = ("/".join(parts[:end]) + "/__init__.py" for end in range(1, len(parts)))
        return {init for init in above if init in self.python and name}

    def reach(self, starts: Iterable[str]) -> frozenset[str]:
        """Return all files that are imported, directly or not, from files to start with, these included."""
        seen: set[str] = set()
        rest = [path for path in starts if path in self.python]
        while rest:
            path = rest.pop()
            if path not in seen:
                seen.add(path)
                rest.extend(self.arrows[path] - seen)
        return frozenset(seen)

    def count_importers(self) -> Mapping[str, int]:
        """Return how many files import each file that is imported; a package that hands a name on does not count."""
        return Counter(
            target for path, targets in self.arrows.items() if not path.endswith("__init__.py") for target in targets
        )
