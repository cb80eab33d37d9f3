"""Rooms are nouns, functions are verbs, and they never share a name."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tianji"
DRAWERS = {"base", "common", "core", "helper", "helpers", "misc", "shared", "types", "util", "utils"}
VERBS = {"calibrate", "compare", "load", "operate", "parse", "predict", "replace", "show", "simulate", "validate"}
MAX_LINES = 400
SHARED_CLASS_NAMES: dict[str, int] = {}
"""Class names that stand for several things today. Nothing is added; what is renamed is taken out."""


def modules(folder: Path) -> set[str]:
    files = {p.stem for p in folder.glob("*.py")} - {"__init__", "__main__"}
    return files | {p.parent.name for p in folder.glob("*/*.py")}


def definitions(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {node.name for node in ast.parse(path.read_text()).body if isinstance(node, kinds)}


def exports(folder: Path) -> set[str]:
    tree = ast.parse((folder / "__init__.py").read_text())
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)]
    return {alias.asname or alias.name for n in imports for alias in n.names if n.module != folder.name}


def packages() -> list[Path]:
    return sorted({p.parent for p in SOURCE.rglob("*.py")})


def test_each_folder_is_a_package_that_says_what_it_is() -> None:
    for folder in packages():
        assert (folder / "__init__.py").exists(), f"{folder} has no __init__.py"
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text())), f"{folder} has no docstring"


def test_no_function_or_class_is_named_like_a_module_beside_it_or_like_a_room() -> None:
    rooms = modules(SOURCE)
    for folder in packages():
        taken = modules(folder) | rooms
        for path in folder.glob("*.py"):
            assert not definitions(path) & taken, f"{path.relative_to(ROOT)}: {sorted(definitions(path) & taken)}"


def test_no_exported_name_hides_a_module() -> None:
    for folder in packages():
        hidden = exports(folder) & modules(folder)
        assert not hidden, f"{folder.relative_to(ROOT)}/__init__.py: {sorted(hidden)}"


def test_there_are_no_drawers_for_odds_and_ends() -> None:
    for folder in packages():
        assert not modules(folder) & DRAWERS, f"{folder.relative_to(ROOT)}: {sorted(modules(folder) & DRAWERS)}"


def test_rooms_are_nouns() -> None:
    assert not modules(SOURCE) & VERBS


def test_a_file_fits_in_the_mind() -> None:
    places = [ROOT / name for name in ("src", "tests", "benchmarks", "scripts")]
    files = [path for place in places for path in place.rglob("*.py")]
    long = {str(p.relative_to(ROOT)): n for p in files if (n := len(p.read_text().splitlines())) > MAX_LINES}
    assert not long, f"over {MAX_LINES} lines: {long}"


def test_a_class_name_stands_for_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{path.relative_to(SOURCE)}:{node.lineno}")
    shared = {name: where for name, where in places.items() if len(where) > SHARED_CLASS_NAMES.get(name, 1)}
    assert not shared, f"rename all but one of each: {shared}"


def test_the_room_of_measurements_holds_no_regular_expression() -> None:
    """Prose is translated by a vocabulary, one text for one meaning; a pattern would read what nobody wrote down."""
    room = SOURCE / "measurements"
    imports = {name for path in room.glob("*.py") for name in imported(path)}
    assert not imports & {"re", "regex"}


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    return plain | {n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)}
