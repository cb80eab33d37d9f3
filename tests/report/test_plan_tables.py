"""Tables of a search: what was found, at any width."""

import pytest

from tianji.report.plan_tables import MOST_FRONT, describe_search, front_table, print_outcome, top_table
from tianji.search import Outcome

from .conftest import PHYSICS, printed
from .test_headline import console_of


def test_the_search_is_told_with_its_counts(outcome: Outcome) -> None:
    text = describe_search(outcome)
    assert f"{outcome.search.candidates:,} legal strategies" in text
    assert f"{outcome.search.feasible:,} fit" in text


def test_the_plans_are_numbered_best_first(outcome: Outcome) -> None:
    text = printed(top_table(outcome))
    assert all(f"\n{place}  " in text for place in range(1, 6))
    assert "days" in text
    assert "80 % range" not in text


def test_a_long_front_is_thinned_and_keeps_its_ends(outcome: Outcome) -> None:
    table = front_table(outcome)
    assert table.row_count == min(MOST_FRONT, len(outcome.front))
    text = printed(table, 140)
    for end in (outcome.front[0], outcome.front[-1]):
        assert f"{end.memory_total / 1e9:.1f} GB" in text


@pytest.mark.parametrize("explained", [False, True])
def test_the_whole_story_is_printed(outcome: Outcome, explained: bool) -> None:
    console = console_of(80)
    print_outcome(console, outcome, PHYSICS, explained=outcome.results[2] if explained else None)
    text = console.export_text()
    assert "What binds plan 1" in text
    assert ("Your layout against plan 1" in text) is explained
    assert max(map(len, text.splitlines())) <= 80
