"""The pages of all commands say what their JSON documents say: every number, every source, every assumption."""

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tianji.cli import main
from tianji.report.charts import BarChart, CurveChart, SwingChart
from tianji.report.present import view_of
from tianji.report.views.assessment import CLASSES, LINKS

from ..reading import numbers, read, strangers

COMMANDS = {
    "predict": "predict llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 8 --tokens 1T",
    "goodput": "goodput llama-3.1-8b hgx-h100 --chips 512 --batch 1024 --tp 4 --price '2 USD'",
    "compare": "compare llama-3.1-8b 64xhgx-h100 64xatlas-900-a2 64xatlas-950-superpod --tokens 1T",
    "replace": "replace llama-3.1-8b --from 64xhgx-h100 --with atlas-900-a2 --points 4 --buy",
    "size": "size llama-3.1-8b hgx-h100 --tokens 1T --days 30 --budget 1000000",
    "validate": "validate --split check --quality B",
}
Answers = dict[str, tuple[dict[str, Any], str]]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    folder = tmp_path_factory.mktemp("pages")
    found = {}
    for name, words in COMMANDS.items():
        page = folder / f"{name}.html"
        done = CliRunner().invoke(main, [*shlex.split(words), "--json", "--html", str(page)], catch_exceptions=False)
        assert done.exit_code == 0, done.stderr
        found[name] = json.loads(done.stdout), page.read_text()
    return found


def shares(pools: Iterable[dict[str, Any]]) -> Iterator[float]:
    """Yield the shares of each pool's step by the class of what is done, worked out anew."""
    for pool in pools:
        sums: Counter[str] = Counter()
        for kind, seconds in pool["plan"]["breakdown_s"].items():
            sums[LINKS if kind.endswith("_comm") else CLASSES.get(kind, kind)] += seconds
        yield from (seconds / pool["plan"]["step_time_s"] for seconds in sums.values())


def per_chip(curves: Iterable[dict[str, Any]]) -> list[float]:
    """Return the useful tokens of one chip at each size."""
    return [p["useful_tokens_per_s"]["nominal"] / p["chips"] for curve in curves for p in curve["points"]]


def derived(document: dict[str, Any], name: str) -> list[float]:
    """Return what a page works out of its document: shares, sums, what is left."""
    pools = [document[key] for key in ("first", "other", "best") if key in document] + document.get("pools", [])
    if name == "replace":
        return [
            document["first"]["chips"] / document["chips"],
            *shares(pools),
            *per_chip(document["curves"].values()),
        ]
    if name in ("compare", "size"):
        return [*shares(pools), *per_chip([document["curve"]] if "curve" in document else [])]
    if name == "goodput":
        step = document["plan"]["step_time_s"]
        return [1.0, *(seconds / step for seconds in document["plan"]["breakdown_s"].values())]
    if name != "predict":
        return []
    best = document["plans"][0]
    totals = [sum(stage.values()) for stage in best["memory_stages_bytes"]]
    left = [best["memory_limit_bytes"] - total for total in totals]
    return [1.0, *(s / best["step_time_s"] for s in best["breakdown_s"].values()), *totals, *left]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_number_is_one_of_the_document(name: str, answers: Answers) -> None:
    document, html = answers[name]
    values = read(html).values
    assert len(values) > 20
    assert not strangers(values, [*numbers(document), *derived(document, name)])


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "validate"])
def test_sources_and_assumptions_are_all_named(name: str, answers: Answers) -> None:
    document, html = answers[name]
    text = read(html).text
    sources = list(named(document))
    assert len(sources) > 3
    for source in sources:
        assert source["title"] in text
        assert source["url"] in text
    for assumption in document["assumptions"]:
        assert assumption in text


def named(value: object) -> Any:
    """Yield every publication in a document."""
    if isinstance(value, dict):
        if {"key", "title", "url"} <= value.keys():
            yield value
        for inner in value.values():
            yield from named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from named(inner)


def test_unknown_prices_are_said_and_not_drawn_as_nothing(answers: Answers) -> None:
    document, html = answers["compare"]
    unknown = [text for pool in document["pools"] for text in pool["unknown"]]
    assert unknown
    assert all(text in read(html).text for text in unknown)
    charts = {c.name: c for c in view_of(document).charts()}
    cost = charts["cost"]
    assert isinstance(cost, BarChart)
    assert [bar.text == "not known" for bar in cost.bars] == [p["bill_usd"] == {} for p in document["pools"]]
    assert "atlas-950-superpod" in cost.note


def test_bars_are_as_long_as_the_measures_and_whiskers_end_at_their_ranges(answers: Answers) -> None:
    document = answers["compare"][0]
    charts = {c.name: c for c in view_of(document).charts()}
    power = charts["power"]
    assert isinstance(power, BarChart)
    spans = [pool["measures"]["power"]["value"] for pool in document["pools"]]
    assert [(b.total, b.low, b.high) for b in power.bars] == [(s["nominal"], s["low"], s["high"]) for s in spans]
    steps = charts["steps"]
    assert isinstance(steps, BarChart)
    assert [bar.total for bar in steps.bars] == pytest.approx([100.0] * 3)


def test_the_curve_and_the_tornado_are_those_of_the_document(answers: Answers) -> None:
    document = answers["replace"][0]
    charts = {c.name: c for c in view_of(document).charts()}
    curve, tornado = charts["throughput"], charts["sensitivity"]
    assert isinstance(curve, CurveChart)
    assert isinstance(tornado, SwingChart)
    for series, wanted in zip(curve.series, document["curves"].values(), strict=True):
        assert [(p.x, p.low, p.y, p.high) for p in series.points] == [
            (p["chips"], r["low"], r["nominal"], r["high"])
            for p in wanted["points"]
            for r in (p["useful_tokens_per_s"],)
        ]
    swings = document["sensitivity"]["swings"]
    assert [(s.low, s.high) for s in tornado.swings] == [(s["at_low"], s["at_high"]) for s in swings]
    assert tornado.base[0] == document["sensitivity"]["nominal_answer"]
    assert tornado.mark == (1.0, "the answer flips at 1")


def test_lost_time_and_goodput_add_up_on_the_page(answers: Answers) -> None:
    document = answers["goodput"][0]
    table = next(t for t in view_of(document).tables() if t.name == "losses")
    for place in (1, 2, 3):
        assert sum(row[place].value for row in table.rows) == pytest.approx(1.0)  # type: ignore[union-attr]


def test_what_cannot_be_done_says_what_binds(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    words = "size llama-3.1-405b cloudmatrix384 --tokens 15T --days 1 --json --html"
    done = CliRunner().invoke(main, [*words.split(), str(page)], catch_exceptions=False)
    document = json.loads(done.stdout)
    assert not document["is_met"]
    text = read(page.read_text()).text
    assert "No: it cannot be done as asked" in text
    assert all(reason in text for reason in document["binding"])
