"""An answer is a line, tables, a document and a page; and it is the very answer of the command line."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from click.testing import CliRunner

import tianji
from samples import write_operation
from tianji.api.door import name_arguments
from tianji.cli import main
from tianji.errors import FormatError, InputError

NOUNS = (tianji.Chip, tianji.Pool, tianji.Model)
"""Entries of the catalog: all their fields are what one looks at."""
JOB = {"chips": "16", "batch": "64"}
CASES: dict[str, Callable[[], tianji.Answer[Any]]] = {
    "plan llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tokens 1T --fix tp=2 --top 2": lambda: tianji.plan(
        "llama-3.1-8b", "hgx-h100", **JOB, tokens="1T", fix={"tp": 2}, top=2
    ),
    "plan llama-3.1-8b hgx-h100 --chips 16 --batch 64 --objective cost --rent h100-sxm=2 --fix tp=2": lambda: (
        tianji.plan(
            tianji.load_model("llama-3.1-8b"), "hgx-h100", **JOB, objective="cost", rent={"h100-sxm": 2}, fix="tp=2"
        )
    ),
    "plan llama-3.1-8b a100-h100 --batch 64 --fix tp=8,zero=1": lambda: tianji.plan(
        "llama-3.1-8b", "a100-h100", batch=64, fix="tp=8,zero=1"
    ),
    "predict llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 4 --no-overlap-tp": lambda: tianji.predict(
        "llama-3.1-8b", tianji.load_pool("hgx-h100"), **JOB, tp=4, overlap_tp=False
    ),
    "goodput llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 4 --save-time 2s --price 2": lambda: tianji.goodput(
        "llama-3.1-8b", "hgx-h100", "tp=4", **JOB, save_time=2.0, price=2
    ),
    "compare llama-3.1-8b 16xhgx-h100 16xatlas-900-a2 --batch 64 --pue 1.2": lambda: tianji.compare(
        "llama-3.1-8b", "16xhgx-h100", tianji.load_pool("atlas-900-a2", 16), batch=64, pue=1.2
    ),
    "replace llama-3.1-8b --from 8xhgx-h100 --with atlas-900-a2 --batch 64 --points 2": lambda: tianji.replace(
        "llama-3.1-8b", "8xhgx-h100", "atlas-900-a2", batch=64, points=2
    ),
    "size llama-3.1-8b hgx-h100 --batch 64 --tokens 100B --days 30": lambda: tianji.size(
        "llama-3.1-8b", "hgx-h100", batch=64, tokens=1e11, days=30
    ),
    "smallest llama-3.1-8b hgx-h100 --tasks lora --batch 32 --most 8": lambda: tianji.smallest(
        "llama-3.1-8b", "hgx-h100", tasks="lora", batch=32, most=8
    ),
    "validate --quality A --split check": lambda: tianji.validate(quality="A", split="check"),
    "operate --simulate --seed 8": lambda: tianji.operate(simulate=True, seed=8),
    "operate status {operation}": lambda: tianji.operate.status(operation()),
    "operate report {operation}": lambda: tianji.operate.report(operation()),
    "model tower {config} --images 4 --image-tokens 256": lambda: tianji.model.tower(
        write_config(), images=4, image_tokens=256
    ),
    "export": tianji.export,
    "validate --columns": lambda: tianji.validate(columns=True),
    "browse": tianji.browse,
    "catalog pools": lambda: tianji.browse("pools"),
    "catalog h200": lambda: tianji.browse("h200"),
}


@cache
def operation() -> str:
    folder = Path(mkdtemp(prefix="tianji-answers-")) / "operation"
    write_operation(folder)
    return str(folder)


@cache
def write_config() -> str:
    towers = json.loads((Path(__file__).parents[1] / "workload" / "data" / "towers.json").read_text("utf-8"))
    path = Path(mkdtemp(prefix="tianji-answers-")) / "config.json"
    path.write_text(json.dumps(towers["counts"]["qwen2_vl"]["config"]), encoding="utf-8")
    return str(path)


def typed(*words: str) -> dict[str, Any]:
    done = CliRunner().invoke(main, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return timeless(document)


def timeless(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document without how long the search took."""
    for key in ("seconds", "candidates_per_s"):
        document.get("search", {}).pop(key, None)
    return document


@pytest.mark.parametrize("line", CASES)
def test_the_answer_is_that_of_the_command_line(line: str) -> None:
    answer = CASES[line]()
    words = [word.format(operation=operation(), config=write_config()) for word in line.split()]
    assert timeless(json.loads(answer.to_json())) == typed(*words)
    text = repr(answer)
    assert "\n" not in text
    assert 10 < len(text) < 500
    results = answer.result if isinstance(answer.result, tuple) else (answer.result,)
    for result in results:
        if type(result).__module__.startswith("tianji") and not isinstance(result, NOUNS):
            assert "\n" not in repr(result)
            assert len(repr(result)) < 300


@pytest.fixture(scope="module")
def answer() -> tianji.Answer[Any]:
    return tianji.predict("llama-3.1-8b", "hgx-h100", chips=16, batch=64, tp=4)


def test_show_prints_what_the_command_prints(answer: tianji.Answer[Any], capsys: pytest.CaptureFixture[str]) -> None:
    answer.show()
    line = "predict llama-3.1-8b hgx-h100 --chips 16 --batch 64 --tp 4"
    assert capsys.readouterr().out == CliRunner().invoke(main, line.split()).stdout


def test_a_notebook_shows_the_tables_as_html(answer: tianji.Answer[Any]) -> None:
    html = answer._repr_html_()
    assert html.startswith("<")
    assert "matrix multiplications" in html


def test_a_page_is_written_whole(answer: tianji.Answer[Any], tmp_path: Path) -> None:
    answer.save_html(tmp_path / "page.html", "tianji predict x")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "tianji predict x" in page
    answer.save_tables(tmp_path / "tables")
    assert {path.suffix for path in (tmp_path / "tables").iterdir()} == {".csv"}


def test_an_answer_has_what_its_result_has(answer: tianji.Answer[Any]) -> None:
    assert answer.step_time == answer.result.step_time
    assert {"step_time", "mfu", "show", "result"} <= set(dir(answer))
    with pytest.raises(AttributeError, match="neither the answer nor its Result has 'steptime'"):
        answer.steptime  # noqa: B018 - the access is what is tested


def test_an_answer_can_be_copied(answer: tianji.Answer[Any]) -> None:
    twin = copy.copy(answer)
    assert twin.result == answer.result
    assert twin.to_json() == answer.to_json()


BAD = {
    "plan llama-3.1-8b hgx-h100 --top 2000": lambda: tianji.plan("llama-3.1-8b", "hgx-h100", top=2000),
    "plan llama-3.1-8b hgx-h101": lambda: tianji.plan("llama-3.1-8b", "hgx-h101"),
    "plan llama-3.1-8b hgx-h100 --rent h800=2": lambda: tianji.plan("llama-3.1-8b", "hgx-h100", rent={"h800": 2}),
    "plan llama-3.1-8b a100-h100 --runs-on megatron": lambda: tianji.plan(
        "llama-3.1-8b", "a100-h100", runs_on="megatron"
    ),
    "predict llama-3.1-8b": lambda: tianji.predict("llama-3.1-8b"),
    "predict llama-3.1-8b hgx-h100 --tp 3 --chips 16": lambda: tianji.predict(
        "llama-3.1-8b", "hgx-h100", tp=3, chips=16
    ),
    "goodput llama-3.1-8b hgx-h100 --interval 60": lambda: tianji.goodput("llama-3.1-8b", "hgx-h100", interval="60"),
    "compare llama-3.1-8b hgx-h100": lambda: tianji.compare("llama-3.1-8b", "hgx-h100"),
    "replace llama-3.1-8b --from hgx-h100 --with hgx-h100 --days 3": lambda: tianji.replace(
        "llama-3.1-8b", "hgx-h100", "hgx-h100", days=3
    ),
    "size llama-3.1-8b hgx-h100 --days 0 --tokens 1T": lambda: tianji.size(
        "llama-3.1-8b", "hgx-h100", days=0, tokens="1T"
    ),
    "export plan.json": lambda: tianji.export("plan.json"),
    "browse nothing": lambda: tianji.browse("nothing"),
    "validate --group-by colour": lambda: tianji.validate(group_by="colour"),
    "calibrate --here --out x.txt": lambda: tianji.calibrate(here=True, out="x.txt"),
    "explain nowhere": lambda: tianji.explain("nowhere"),
    "run nowhere.json": lambda: tianji.run("nowhere.json"),
}


@pytest.mark.parametrize("line", BAD)
def test_bad_input_raises_the_message_of_the_command_line_with_names_of_arguments(line: str) -> None:
    done = CliRunner().invoke(main, line.split())
    assert done.exit_code == 2
    with pytest.raises(InputError) as raised:
        BAD[line]()
    assert f"tianji: {raised.value}\n" == name_arguments(done.stderr)


def test_a_document_is_made_once_and_notes_go_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tianji.plan(
        "llama-3.1-8b", "hgx-h100", chips=8, batch=64, fix="tp=8", runs_on="megatron", out=tmp_path / "p.json"
    )
    assert plan.document is plan.document
    exported = tianji.export(plan, "megatron", out=tmp_path / "files")
    exported.show()
    captured = capsys.readouterr()
    assert captured.out.split() == exported.document["written"]
    assert [line.removeprefix("tianji: note: ") for line in captured.err.splitlines()] == exported.document["notes"]
    written = tianji.read_plan(tmp_path / "p.json")
    assert written == replace(plan.best.plan, software=written.software)
    assert written.software is not None and written.software.name == "megatron-lm"
    with pytest.raises(FormatError, match="expected a measured result"):
        tianji.explain(plan)


def test_a_mistake_inside_a_document_is_said_and_not_hidden() -> None:
    def broken() -> dict[str, object]:
        return {"chips": (None).chips}  # type: ignore[attr-defined]

    answer = tianji.Answer(3, "three", broken)
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'chips'"):
        _ = answer.document
    with pytest.raises(AttributeError, match="neither the answer nor its int has 'chips'"):
        _ = answer.chips
