"""Views and documents are plain data: what draws is imported by renderers alone."""

import ast
from pathlib import Path

import pytest

REPORT = Path(__file__).parents[2] / "src" / "tianji" / "report"
PLAIN = [
    REPORT / "view.py",
    REPORT / "charts.py",
    *(REPORT / "views").glob("*.py"),
    *(REPORT / "documents").glob("*.py"),
]
DRAWING = ("rich", "matplotlib", "xml", "click", "tianji.report.render")


def imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_nothing_that_draws_is_imported(path: Path) -> None:
    assert not [name for name in imports(path) if name.startswith(DRAWING)]
