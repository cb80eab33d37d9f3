"""The list of columns says all that the reader does."""

import ast
from pathlib import Path

from tables import GOOD

from tianji.measurements import columns
from tianji.measurements.cells import Cells
from tianji.measurements.columns import COLUMNS, TYPES
from tianji.measurements.rows import Row, read_row
from tianji.validation.verdict import find_tables

ROOM = Path(columns.__file__).parent


def test_each_column_has_a_type_and_a_meaning() -> None:
    for column in COLUMNS.values():
        assert column.type in TYPES and column.meaning and column.group
        assert bool(column.words) == (column.type in ("word", "words"))
        assert column.words or column.type not in ("word", "words")


def test_each_example_is_a_cell_that_its_column_may_hold() -> None:
    for column in COLUMNS.values():
        if column.example:
            one = Cells({column.name: column.example}, 2)
            is_fraction = column.type == "fraction"
            read = one.fraction(column.name, 1.0) if is_fraction else getattr(one, column.type)(column.name)
            assert read not in (None, "", ())


def test_every_column_that_the_reader_asks_for_is_in_the_list() -> None:
    readers = {
        "text",
        "require",
        "number",
        "count",
        "fraction",
        "switch",
        "word",
        "words",
        "name",
        "bandwidth",
        "_switch",
    }
    asked = set()
    for path in ROOM.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                constants = [a.value for a in node.args if isinstance(a, ast.Constant)]
                asked |= {text for text in constants if name in readers and isinstance(text, str)}
    asked -= {"chip", "ratio"}
    assert len(asked) > 40
    assert asked <= COLUMNS.keys(), asked - COLUMNS.keys()


def test_the_shipped_tables_have_no_other_columns() -> None:
    for path in find_tables():
        head = path.read_text("utf-8").splitlines()[0].split(",")
        assert not [name for name in head if name not in COLUMNS and not name.startswith(columns.AS_PUBLISHED)]


def test_a_row_of_the_examples_can_be_read() -> None:
    row = read_row(Cells(dict(GOOD), 2), "a")
    assert isinstance(row, Row)


def test_a_misspelt_column_is_recognised() -> None:
    assert columns.suggest_columns("micro_batch") == ["micro_batch_size"]
    assert columns.suggest_columns("colour") == []
