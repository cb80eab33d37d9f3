"""Read what a repository asks to be installed: requirements files, pyproject.toml, setup.cfg, environment.yml, setup.py."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator

from tianji.migration.facts import FileFacts, FileKind, Requirement

_LINE = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*((?:[<>=!~]=?=?[^;#]*)?)")
_LATER = ("dev", "test", "doc", "lint", "extra", "optional", "example", "bench")
LONGEST_CLAUSE = 80
_VERSION = re.compile(r"""^\s*(?:__version__|version)\s*[=:]\s*["']v?(\d+\.\d+[\w.+-]*)["']""", re.MULTILINE)
_PARTS = re.compile(r"^(MAJOR|MINOR|PATCH)\s*=\s*(\d+)\s*$", re.MULTILINE)


def find_version(text: str) -> str:
    """Return the version that a file gives its package, or an empty text.

    >>> find_version('__version__ = "0.7.5.dev0"')
    '0.7.5.dev0'
    """
    match = _VERSION.search(text)
    if match is not None:
        return match[1]
    parts = dict(_PARTS.findall(text))
    return ".".join(parts[name] for name in ("MAJOR", "MINOR", "PATCH") if name in parts) if "MAJOR" in parts else ""


def canonical(name: str) -> str:
    """Return a package's name as indexes compare it.

    >>> canonical("Flash_Attn")
    'flash-attn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def read_requirements(path: str, text: str) -> FileFacts:
    """Return the packages that a file of requirements names; lines that are no package are passed over."""
    facts = FileFacts(path, FileKind.REQUIREMENTS, num_lines=text.count("\n") + 1)
    name = path.rsplit("/", 1)[-1].lower()
    if name in ("version.txt", "version"):
        facts.version = find_version(f'version = "{text.strip()[:40]}"')
    elif name == "pyproject.toml":
        _read_pyproject(facts, text)
    elif name.startswith("environment") or name == "pipfile" or name == "setup.cfg":
        _add_lines(facts, ((n, line.strip().removeprefix("- ")) for n, line in enumerate(text.splitlines(), 1)), path)
    else:
        _add_lines(facts, enumerate(text.splitlines(), 1), path)
    return facts


def requirement_of(line: str, path: str, number: int, optional: bool = False) -> Requirement | None:
    """Return the package that a line asks for, or None.

    >>> requirement_of("flash-attn>=2.5 ; python_version > '3.8'", "requirements.txt", 3).clause
    '>=2.5'
    """
    stripped = line.strip().strip("\"',")
    if not stripped or stripped[0] in "#-[":
        return None
    if "git+" in stripped or "://" in stripped:
        # The package of an address without a name is the repository's.
        base = stripped.split("@")[0].strip() if "@ " in stripped else stripped.split("#")[0].rstrip("/").split("/")[-1]
        name = base.split("@")[0].removesuffix(".git")
        return Requirement(canonical(name), "from an address", path, number, optional) if name else None
    match = _LINE.match(stripped)
    if match is None or (stripped[match.end() :].strip() and stripped[match.end() :].strip()[0] not in ";#,@"):
        return None
    return Requirement(canonical(match[1]), match[2].strip()[:LONGEST_CLAUSE], path, number, optional)


def _add_lines(facts: FileFacts, lines: Iterator[tuple[int, str]] | enumerate[str], path: str) -> None:
    optional = any(word in path.lower() for word in _LATER)
    for number, line in lines:
        if (requirement := requirement_of(line, path, number, optional)) is not None:
            facts.requirements.append(requirement)


def _read_pyproject(facts: FileFacts, text: str) -> None:
    facts.version = find_version(text)
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        facts.problem = f"is no TOML ({str(error)[:80]})"
        return
    lines = text.splitlines()
    for entry, optional in _pyproject_entries(content):
        number = next((n for n, line in enumerate(lines, 1) if entry in line), 1)
        if (requirement := requirement_of(entry, facts.path, number, optional)) is not None:
            facts.requirements.append(requirement)


def _pyproject_entries(content: dict[str, object]) -> Iterator[tuple[str, bool]]:
    project = content.get("project")
    if isinstance(project, dict):
        yield from ((entry, False) for entry in _texts(project.get("dependencies")))
        extras = project.get("optional-dependencies")
        for entries in extras.values() if isinstance(extras, dict) else ():
            yield from ((entry, True) for entry in _texts(entries))
    tool = content.get("tool")
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    wanted = poetry.get("dependencies") if isinstance(poetry, dict) else None
    if isinstance(wanted, dict):
        yield from ((str(name), False) for name in wanted if name != "python")


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def read_setup_script(facts: FileFacts, text: str) -> None:
    """Add what ``install_requires`` and ``extras_require`` of a setup.py name, as far as they are written out."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if not (isinstance(node, ast.keyword) and node.arg in ("install_requires", "extras_require")):
            continue
        for inner in ast.walk(node.value):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                found = requirement_of(inner.value, facts.path, inner.lineno, node.arg == "extras_require")
                if found is not None and not (
                    node.arg == "extras_require" and not found.clause and "-" not in found.name
                ):
                    facts.requirements.append(found)
