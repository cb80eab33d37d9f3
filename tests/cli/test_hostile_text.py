"""Names from files are text: nothing in one steers a terminal, is read as markup, or breaks a page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tianji.backends.explanation import explain_gap
from tianji.catalog.entries import DATA
from tianji.cli import main
from tianji.errors import FormatError
from tianji.formatting import printable
from tianji.prediction import predict
from tianji.result import read_result
from tianji.result.result_file import result_document

from ..backends.samples import plan_of
from ..backends.test_explanation import measured

POOL = (DATA / "pools" / "hgx-h100.toml").read_text()
CONFIG: Mapping[str, Any] = json.loads((DATA / "models" / "llama-3.1-8b" / "config.json").read_text())
CUT = ("--chips", "8", "--batch", "8", "--tp", "8")
NAMES = ("[red]", "[/]", "[/red] x", "[link=http://x]y[/link]", ":smile:")


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], env=environment, catch_exceptions=False)


def write_pool(name: str, path: Path) -> Path:
    """Write a pool whose every free text is a name, as TOML escapes it."""
    text = POOL
    for key in ("HGX H100, nodes of eight H100", "NVIDIA", "NVLink"):
        text = text.replace(json.dumps(key), json.dumps(name))
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", NAMES)
def test_markup_in_a_name_is_shown_as_it_is(name: str, tmp_path: Path) -> None:
    pool = write_pool(name, tmp_path / "pool.toml")
    for words in (("browse", "pools", pool), ("predict", "llama-3.1-8b", pool, *CUT)):
        done = run(*words)
        assert done.exit_code == 0, done.stderr
        assert name in done.stdout


def test_a_name_does_not_steer_the_terminal(tmp_path: Path) -> None:
    pool = write_pool("\x1b[2J\x9b31m\u202eNV", tmp_path / "pool.toml")
    page, tables = tmp_path / "page.html", tmp_path / "tables"
    shown = [run("browse", "pools", pool), run("predict", "llama-3.1-8b", pool, *CUT, "--html", page, "--csv", tables)]
    shown += [run("browse", "pools", "\x1b[2J.toml"), run("predict", "\x1b[2J", "hgx-h100")]
    for text in (*(done.output for done in shown), page.read_text(), *(t.read_text() for t in tables.iterdir())):
        assert text == printable(text)


def test_half_of_a_character_is_no_text(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    config.write_text(json.dumps({**CONFIG, "_name_or_path": "\ud83d"}))
    done = run("predict", tmp_path, "hgx-h100", *CUT)
    assert done.exit_code == 2
    assert "half of a character" in done.stderr
    config.write_text(json.dumps({**CONFIG, "_name_or_path": "\U0001f600"}))  # two escapes, one whole character
    assert run("predict", tmp_path, "hgx-h100", *CUT).exit_code == 0


def test_bytes_that_are_no_text_in_a_folder_name(tmp_path: Path) -> None:
    folder = tmp_path / "model\udcff"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG))
    page = tmp_path / "page.html"
    assert run("predict", folder, "hgx-h100", *CUT, "--html", page, "--csv", tmp_path / "tables").exit_code == 0
    assert page.read_text(encoding="utf-8")
    done = run("plan", folder, "hgx-h100", "--chips", "8", "--batch", "8", "--out", tmp_path / "plan.json")
    assert done.exit_code == 2
    assert "is no text" in done.stderr
    assert not list(tmp_path.glob("*plan.json*"))


@pytest.mark.parametrize("name", ["~nobody-of-this-name", "a" * 5000, "a/" * 3000])
def test_a_folder_that_no_system_has(name: str, tmp_path: Path) -> None:
    long = tmp_path / ("a" * 300)
    for words in (
        ("browse", "pools"),
        ("predict", "llama-3.1-8b", "hgx-h100", *CUT, "--csv", long),
        ("predict", "llama-3.1-8b", "hgx-h100", *CUT, "--html", long),
        ("export", "--check", f"{long}.toml"),
        ("export", f"{long}.json", "--to", "megatron-lm", "--out", long),
    ):
        done = run(*words, TIANJI_CATALOG=name)
        assert done.exit_code == 2
        assert "Traceback" not in done.output


@pytest.mark.parametrize("value", ["1e30 h", "1e300 s", "1e13 s"])
def test_a_time_beyond_all_ages_is_refused(value: str) -> None:
    done = run("goodput", "llama-3.1-8b", "hgx-h100", *CUT, "--tokens", "1B", "--repair-time", value)
    assert done.exit_code == 2
    assert "at most" in done.stderr


def damaged(path: tuple[str, ...], value: object) -> dict[str, Any]:
    plan = plan_of("llama", {"dp": 2})
    document: dict[str, Any] = json.loads(json.dumps(result_document(measured(plan, 1.0, {"matmul": 1.5}))))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("step_time",), dict.fromkeys(("low", "nominal", "high"), 0)),
        (("step_time",), dict.fromkeys(("low", "nominal", "high"), 1e-320)),
        (("step_time",), dict.fromkeys(("low", "nominal", "high"), 10**400)),
        (("memory_limit",), 10**400),
        (("model_flops",), 1e300),
        (("memory", "optimizer"), 10**400),
        (("measurement", "step_times"), [0.0]),
        (("measurement", "step_times"), [1e-320]),
        (("measurement", "profiled_time"), 1e-320),
    ],
)
def test_a_result_beyond_what_a_step_can_be_is_refused(path: tuple[str, ...], value: object, tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text(json.dumps(damaged(path, value)))
    with pytest.raises(FormatError, match="expected"):
        read_result(file)
    assert run("explain", file).exit_code == 2


def test_the_shortest_step_is_explained_in_plain_numbers(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    file.write_text(json.dumps(damaged(("step_time",), dict.fromkeys(("low", "nominal", "high"), 1e-9))))
    found = read_result(file)
    assert 0 < explain_gap(found, predict(found.plan)).ratio < 1
    assert run("explain", file, "--json").exit_code == 0
