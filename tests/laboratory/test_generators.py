"""The generated pages are made by the generators, and the package brings nothing of the laboratory along."""

import ast
from pathlib import Path

import pytest

from benchmarks.accuracy.acceptance import judge
from benchmarks.accuracy.rankings import rank_published
from benchmarks.accuracy.scaling import scale_measured, scale_published
from docs.generators.accuracy_chapters import INTRO, write_chapters
from docs.generators.comparison_example import MAKERS
from docs.generators.known_gaps import CAUSES
from tianji.hardware.calibration import Calibration
from tianji.parallel.strategy import FIELDS
from tianji.report.accuracy_markdown import write_counts, write_groups, write_memory
from tianji.validation import Verdict, validate

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return validate(split="check", quality="A")


def test_the_page_on_accuracy_holds_what_the_generator_says(verdict: Verdict) -> None:
    """All but what needs a fit for each source: those minutes are spent by `bash scripts/accuracy`."""
    page = (ROOT / "docs" / "accuracy.md").read_text("utf-8")
    for part in (INTRO, write_counts(verdict), *write_groups(verdict), write_memory(verdict), *CAUSES):
        assert part.strip() in page


def test_the_page_has_every_chapter(verdict: Verdict) -> None:
    jobs, series = rank_published(), [*scale_published(), *scale_measured(verdict.predictions)]
    bare = validate(calibration=Calibration(), split="check", quality="A")
    bars = judge(verdict.predictions, jobs, series)
    text = write_chapters(verdict, bare, bars, jobs, series, {}, (), "accuracy.svg")
    for chapter in ("The bars", "Step time", "Beside other predictors", "Ranking", "Memory", "Scaling", "Known gaps"):
        assert f"## {chapter}\n" in text


def test_the_package_does_not_know_the_laboratory() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith(("benchmarks", "docs")), path


def test_the_makers_layout_is_stated_whole() -> None:
    source = (ROOT / "docs" / "generators" / "comparison_example.py").read_text("utf-8")
    (call,) = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Strategy"
    ]
    assert {keyword.arg for keyword in call.keywords} == set(FIELDS)
    assert MAKERS.schedule == "dualpipe"
