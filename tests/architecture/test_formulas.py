"""The page of formulas and the code name the same functions."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "tianji"
PAGE = (ROOT / "docs" / "formulas.md").read_text(encoding="utf-8")

FORMULAS = [
    SOURCE / "perf" / f"{name}.py"
    for name in (
        "activations",
        "bubble",
        "communication",
        "compute",
        "layer",
        "memory",
        "offload",
        "pipeline_stages",
        "rank_parameters",
        "recompute",
        "stages",
    )
]


NUMBERS = {
    "Any", "Array", "Bytes", "BytesPerSecond", "Callable", "Dollars", "Flops", "FlopsPerSecond", "Iterable", "Mapping", "Range",
    "Seconds", "Sequence", "SquareMetres", "Terms", "Watts", "bool", "dict", "float", "int", "list", "object", "str", "tuple",
}  # fmt: skip
"""Types that do not say what a value is; of a Job or a Grid its own class says it. Seconds and bytes carry their unit."""

ROOMS = ("perf", "reliability", "economics", "prediction", "hardware")
"""Rooms whose public functions are formulas, or read by people who check them."""

FILES = sorted(path for room in ROOMS for path in (SOURCE / room).glob("*.py")) + [
    SOURCE / "parallel" / name for name in ("grid.py", "mesh.py", "stages.py", "schedules/schedule.py")
] + [
    SOURCE / "workload" / f"{name}.py"
    for name in ("attention_parts", "layer_widths", "layers", "mlp_parts", "model", "model_flops", "ops", "recurrent_parts")
]  # fmt: skip


def undescribed(source: str) -> list[str]:
    """Return the arguments of public functions that are plain values and that no docstring names.

    What a class or a module says of an argument counts for all functions in it.
    """
    missing = []
    tree = ast.parse(source)
    of_module = ast.get_docstring(tree) or ""
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("_"):
            continue
        around = (ast.get_docstring(node) or "") if isinstance(node, ast.ClassDef) else ""
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        for f in (f for f in inner if isinstance(f, ast.FunctionDef) and not f.name.startswith("_")):
            says = " ".join([ast.get_docstring(f) or "", around, of_module])
            if "arguments are those of" in " ".join(says.split()):
                continue
            plain = [
                a.arg
                for a in (*f.args.args, *f.args.kwonlyargs)
                if a.arg not in ("self", "cls") and kind_of(a) in NUMBERS
            ]
            missing += [f"{f.name}: {name}" for name in plain if not re.search(rf"\b{name}\b", says)]
    return missing


def kind_of(argument: ast.arg) -> str:
    text = ast.unparse(argument.annotation) if argument.annotation else "object"
    return re.split(r"[\[| ]", text)[0]


def name_of(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_plain_argument_of_a_formula_is_named(path: Path) -> None:
    assert not undescribed(path.read_text(encoding="utf-8"))


def test_an_argument_that_no_docstring_names_is_caught() -> None:
    source = (
        'def wait(rate: float, repair: Seconds) -> float:\n    """Return the nodes away, ``repair`` seconds each."""\n'
    )
    assert undescribed(source) == ["wait: rate"]


SOURCED = [path for room in ("perf", "reliability", "economics") for path in sorted((SOURCE / room).glob("[!_]*.py"))]


@pytest.mark.parametrize("path", SOURCED, ids=name_of)
def test_every_file_of_formulas_names_a_source(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    assert any(re.search(r"\b(?:19|20)\d\d\b|[Ss]ources?\b", str(text)) for text in texts)


def functions(path: Path) -> set[str]:
    """Return the public functions of a module, and the public methods of its classes."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = [f for f in node.body if isinstance(f, ast.FunctionDef) and not f.decorator_list]
            found |= {f"{node.name}.{f.name}" for f in methods}
    return {name for name in found if not any(part.startswith("_") for part in name.split("."))}


def sections() -> dict[str, set[str]]:
    """Return the names that the page lists for each module: ``room.module``: ``name``, ``name``, ..."""
    found: dict[str, set[str]] = {}
    for module, names in re.findall(r"`(\w+\.\w+)`:\s*((?:`[\w.]+`,?\s*)+)", PAGE):
        found.setdefault(module, set()).update(re.findall(r"`([\w.]+)`", names))
    return found


@pytest.mark.parametrize("path", FORMULAS, ids=lambda path: path.stem)
def test_every_formula_is_on_the_page(path: Path) -> None:
    listed = sections().get(f"perf.{path.stem}", set())
    assert functions(path) - listed == set()


@pytest.mark.parametrize("module", sorted(sections()))
def test_every_name_on_the_page_is_in_the_code(module: str) -> None:
    room, name = module.split(".")
    text = (SOURCE / room / f"{name}.py").read_text(encoding="utf-8")
    missing = [f for f in sections()[module] if f"def {f.rpartition('.')[2]}(" not in text]
    assert not missing


def test_every_constant_of_the_calibration_is_on_the_page() -> None:
    from tianji.hardware.constants import CONSTANT_NAMES

    assert [name for name in CONSTANT_NAMES if name not in PAGE] == []
