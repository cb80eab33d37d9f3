"""`tianji browse`: lists, entries with sources and contradictions, files to copy."""

import json
import tomllib

import pytest
from click.testing import CliRunner, Result

from tianji.catalog import list_chips, list_models, list_pools, load_chip
from tianji.catalog.failures import list_failure_profiles
from tianji.cli import main
from tianji.cli.entries import KINDS


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["browse", *arguments], catch_exceptions=False)


def test_all_lists_in_one_document() -> None:
    lists = {each["kind"]: each["names"] for each in json.loads(run("--json").stdout)["lists"]}
    assert lists["chips"] == list(list_chips())
    assert lists["pools"] == list(list_pools())
    assert lists["models"] == list(list_models())
    assert "none" in lists["calibrations"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_names_every_entry(kind: str) -> None:
    (listed,) = json.loads(run(kind, "--json").stdout)["lists"]
    names = listed["names"]
    text = run(kind).stdout
    assert names
    assert all(name in text for name in names)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("chips", n) for n in list_chips()]
    + [("pools", n) for n in list_pools()]
    + [("models", n) for n in list_models()]
    + [("failures", n) for n in list_failure_profiles()],
)
def test_every_entry_is_shown_with_its_sources(kind: str, name: str) -> None:
    document = json.loads(run(kind, name, "--json").stdout)
    assert document["name"] == name
    assert document["sources"]
    text = run(kind, name).stdout
    assert "Sources" in text


def test_contradicting_figures_stand_beside_the_one_in_use() -> None:
    contradiction = load_chip("ascend-950dt").peak["bf16"].alternatives[0]
    text = " ".join(run("chips", "ascend-950dt").stdout.split())
    assert "contradicts" in text
    assert contradiction.split()[0] in text
    peak = json.loads(run("chips", "ascend-950dt", "--json").stdout)["entry"]["peak"]["bf16"]
    assert contradiction in peak["alternatives"]


def test_a_name_needs_no_kind_when_it_is_unique() -> None:
    assert run("h200", "--json").stdout == run("chips", "h200", "--json").stdout


def test_a_file_is_printed_as_it_is() -> None:
    assert tomllib.loads(run("chips", "h200", "--toml").stdout)["name"] == "h200"
    assert tomllib.loads(run("models", "deepseek-v3", "--toml").stdout)["title"] == "DeepSeek-V3"


@pytest.mark.parametrize("words", [("chip",), ("chips", "h201"), ("poools",), ("chips", "--toml"), ("tips", "h200")])
def test_a_slip_is_answered_with_what_is_known(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("tianji: ")
