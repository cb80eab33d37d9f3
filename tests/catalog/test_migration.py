"""Tables of a move: every row has its source, a user's rows take the place of shipped ones, a broken table is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tianji.catalog.migration import KEYS, expand_source, load_snapshots, read_rows
from tianji.errors import FormatError

SHIPPED = tuple(name for name in KEYS if name not in ("torch_names",))


@pytest.mark.parametrize("table", SHIPPED)
def test_every_row_says_where_it_comes_from(table: str) -> None:
    rows = read_rows(table)
    column = "source"
    silent = [row for row in rows if not row[column]]
    # A name that MindSpore's published table lacks is its own evidence.
    assert not [row for row in silent if table != "mindspore_names" or row["relation"] != "none"]


@pytest.mark.parametrize("table", sorted(KEYS))
def test_keys_are_unique_and_every_table_has_a_snapshot(table: str) -> None:
    keys = [tuple(row[key] for key in KEYS[table]) for row in read_rows(table)]
    assert len(keys) == len(set(keys))
    assert load_snapshots().tables[table].date >= "2025"


def test_every_prefix_of_a_source_is_known() -> None:
    sources = [row.get("source", "") for table in KEYS for row in read_rows(table)]
    marked = {key for source in sources for key in re.findall(r"\b([A-Z][A-Z0-9]*)>", source)}
    assert marked - set(load_snapshots().prefixes) == set()
    assert expand_source("G>Ascend/pytorch") == "https://github.com/Ascend/pytorch"


def test_all_tables_load_in_less_than_a_third_of_a_second() -> None:
    code = (
        "import tianji.catalog.migration as m, time; start = time.process_time();"
        "[m.read_rows(name) for name in m.KEYS]; print(time.process_time() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.3


def write(folder: Path, table: str, text: str) -> None:
    (folder / "migration").mkdir(exist_ok=True)
    (folder / "migration" / f"{table}.csv").write_text(text)


def test_a_users_row_takes_the_place_of_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = ",".join(read_rows("packages")[0])
    write(tmp_path, "packages", f"{header}\nxformers,xformers,attention,works,ours,1.0,,,own test,our fork\n")
    monkeypatch.setenv("TIANJI_CATALOG", str(tmp_path))
    rows = {row["names"]: row for row in read_rows("packages")}
    assert rows["xformers"]["answer"] == "ours"
    assert rows["torch"]["status"] == "plugin"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("names,imports\na,b\n", "missing column"),
        ("", "missing column"),
        ("HEADER\nonly one cell\n", "line 2: expected"),
    ],
)
def test_a_broken_table_is_refused_with_its_place(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "packages", text.replace("HEADER", ",".join(read_rows("packages")[0])))
    monkeypatch.setenv("TIANJI_CATALOG", str(tmp_path))
    with pytest.raises(FormatError, match=says):
        read_rows("packages")


def test_a_table_of_bytes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "migration").mkdir()
    (tmp_path / "migration" / "packages.csv").write_bytes(b"\xff\xfe\x00\x01")
    monkeypatch.setenv("TIANJI_CATALOG", str(tmp_path))
    with pytest.raises(FormatError, match="UTF-8"):
        read_rows("packages")
