"""The nouns and the verbs that ``import tianji`` offers."""

import ast
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner

import tianji
from tianji.cli import main


def test_every_exported_name_is_there_and_comes_from_its_room() -> None:
    for room, names in tianji._ROOMS.items():
        for name in names:
            there = getattr(__import__(f"tianji.{room}", fromlist=[name]), name)
            assert inspect.unwrap(getattr(tianji, name)) is inspect.unwrap(there)  # a verb stands behind a door
            assert name in dir(tianji)


def test_the_table_the_list_and_the_typed_imports_agree() -> None:
    table = {name for names in tianji._ROOMS.values() for name in names}
    assert set(tianji.__all__) == table | {"__version__", "migrate", "model", "pool"}
    imports = [n for n in ast.walk(ast.parse(Path(tianji.__file__).read_text())) if isinstance(n, ast.ImportFrom)]
    typed = {(n.module, a.name) for n in imports for a in n.names if (n.module or "").startswith("tianji.")}
    assert typed == {(f"tianji.{room}", name) for room, names in tianji._ROOMS.items() for name in names}


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        tianji.nothing  # noqa: B018 - the access is what is tested


def test_importing_tianji_loads_none_of_its_rooms() -> None:
    code = "import sys, tianji; print(*(m for m in sys.modules if m.startswith('tianji.') or m == 'numpy'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_version_is_that_of_the_installation() -> None:
    done = CliRunner().invoke(main, ["--version"])
    assert tianji.__version__ == version("tianji") == done.stdout.split()[-1]
