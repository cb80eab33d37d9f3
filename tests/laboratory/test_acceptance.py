"""Bars say whether a value is met, and how it is written."""

import pytest

from benchmarks.accuracy.acceptance import Bar, judge, least, most
from benchmarks.accuracy.rankings import rank_published
from benchmarks.accuracy.scaling import scale_measured, scale_published
from docs.generators.known_gaps import format_bar, write_gaps
from tianji.validation import validate


@pytest.mark.parametrize(("value", "is_met"), [(0.059, True), (0.06, True), (0.061, False), (None, False)])
def test_most(value: float | None, is_met: bool) -> None:
    assert most("median", value, 0.06).is_met is is_met


@pytest.mark.parametrize(("value", "is_met"), [(0.95, True), (0.9, True), (0.89, False), (None, False)])
def test_least(value: float | None, is_met: bool) -> None:
    assert least("Spearman", value, 0.9, "number").is_met is is_met


def test_values_are_written_in_their_unit() -> None:
    assert format_bar(most("error", 0.0612, 0.06)) == "6.1 %"
    assert format_bar(least("Spearman", 0.912, 0.9, "number")) == "0.91"
    assert format_bar(most("efficiency", 0.031, 0.04, "points")) == "3.1 points"
    assert format_bar(Bar("memory", "all", 0.0, False)) == "no"


def test_every_missed_bar_is_among_the_known_gaps() -> None:
    verdict = validate(split="check", quality="A")
    series = [*scale_published(), *scale_measured(verdict.predictions)]
    bars = judge(verdict.predictions, rank_published(), series)
    assert len({b.what for b in bars}) == len(bars) >= 15
    page = write_gaps(verdict, bars)
    assert all((b.what in page) is not b.is_met for b in bars)
