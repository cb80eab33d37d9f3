"""Any slip in a file or an option ends in an answer or in exit code 2, never in another exception or a warning."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tianji.catalog import load_pool, make_job
from tianji.catalog.entries import DATA
from tianji.cli import main
from tianji.parallel.plan import Plan
from tianji.parallel.plan_file import plan_document
from tianji.parallel.strategy import CHOICES, FIELDS, Strategy

CONFIGS = {
    name: json.loads((DATA / "models" / name / "config.json").read_text())
    for name in ("llama-3.1-8b", "deepseek-v2-lite")
}
PLAN = plan_document(
    Plan(make_job("deepseek-v2-lite", 4096, 64), load_pool("hgx-h100", 16), Strategy(tp=2, ep=4, dp=8))
)

ODD: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        [0, -1, 1, 2, 3, 7, 2**31, 10**18, 0.5, -0.5, 1e300, True, False, None, "", "bf16", "8", [], {}, [1], {"a": 1}]
    ),
    st.integers(-(10**6), 10**6),
    st.text(max_size=5),
)
RARELY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything inside a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for key, inner in items for found in ((*path, key), *places(inner, (*path, key)))]


def damage(document: Any, path: tuple[Any, ...], value: Any, remove: bool) -> Any:
    """Return a document with one thing taken out or put in place of another."""
    fresh = copy.deepcopy(document)
    inner = fresh
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return fresh


def assert_answered(*words: str) -> None:
    done = CliRunner().invoke(main, list(words), catch_exceptions=False)
    assert done.exit_code in (0, 2)
    assert bool(done.stdout) is (done.exit_code == 0)
    assert bool(done.stderr) is (done.exit_code == 2)


@RARELY
@given(st.sampled_from(sorted(CONFIGS)), st.data())
def test_a_damaged_config_is_predicted_or_refused(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(places(CONFIGS[name])))
    content = damage(CONFIGS[name], path, data.draw(ODD), data.draw(st.booleans()))
    (tmp_path / "config.json").write_text(json.dumps(content))
    assert_answered("predict", str(tmp_path), "hgx-h100", "--seq", "4096", "--batch", "64", "--json")


@RARELY
@given(st.data())
def test_a_damaged_plan_is_predicted_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(places(PLAN)))
    content = damage(PLAN, path, data.draw(ODD), data.draw(st.booleans()))
    (tmp_path / "plan.json").write_text(json.dumps(content))
    assert_answered("predict", str(tmp_path / "plan.json"), "--json")


@RARELY
@given(st.integers(0, 1_000_000), st.binary(max_size=3))
def test_a_truncated_or_overwritten_plan_is_refused_or_predicted(tmp_path: Path, cut: int, put: bytes) -> None:
    raw = json.dumps(PLAN).encode()
    cut %= len(raw)
    for name, content in (("cut.json", raw[:cut] + put), ("put.json", raw[:cut] + put + raw[cut + len(put) :])):
        (tmp_path / name).write_bytes(content)
        assert_answered("predict", str(tmp_path / name), "--json")


VALUES = st.one_of(
    st.sampled_from(["0", "-1", "1", "2", "3", "4", "8", "16", "1e9", "8k", "nan", "inf", "", "tp", "on", "9" * 400]),
    st.sampled_from([word for words in CHOICES.values() for word in words]),
    st.text(max_size=4).filter(lambda text: not text.startswith("-")),
)


@RARELY
@given(st.lists(st.tuples(st.sampled_from(FIELDS), VALUES), max_size=4))
def test_any_fixed_fields_are_planned_or_refused(pairs: list[tuple[str, str]]) -> None:
    words = [f"--fix={name}={value}" for name, value in pairs]
    assert_answered("plan", "llama-3.1-8b", "hgx-h100", "--batch", "32", "--seq", "2048", "--json", *words)


@RARELY
@given(
    st.dictionaries(st.sampled_from(["chips", "batch", "seq", "tokens", "precision", "moe-imbalance", "top"]), VALUES)
)
def test_any_sizes_are_planned_or_refused(options: dict[str, str]) -> None:
    given_options = {"batch": "32", "chips": "8", **options}
    words = [f"--{name}={value}" for name, value in given_options.items()]
    if given_options["chips"] in ("1e9", "8k"):
        words = [word for word in words if not word.startswith("--chips")]
    assert_answered("plan", "mixtral-8x7b", "hgx-h100", "--fix=tp=8,zero=1", "--json", *words)


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_whole_files_are_good(name: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIGS[name]))
    assert CliRunner().invoke(main, ["predict", str(tmp_path), "hgx-h100", "--json"]).exit_code == 0
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    assert CliRunner().invoke(main, ["predict", str(tmp_path / "plan.json"), "--json"]).exit_code == 0
