"""Answers are kept by identity: the last ones, and never that of another object."""

from functools import partial

import numpy as np

from tianji.identity import Answers, remember


def test_an_answer_is_kept_for_the_same_object_alone() -> None:
    asked: list[object] = []

    @remember(2)
    def total(values: np.ndarray) -> float:
        asked.append(values)
        return float(values.sum())

    first, alike = np.arange(3), np.arange(3)
    assert total(first) == total(first) == total(alike) == 3.0
    assert [id(values) for values in asked] == [id(first), id(alike)]


def test_only_the_last_answers_are_kept_and_a_new_object_never_gets_an_old_one() -> None:
    @remember(1)
    def first_of(values: list[int]) -> int:
        return values[0]

    assert [first_of([n]) for n in range(100)] == list(range(100))


def test_of_the_last_answers_those_go_first_that_nobody_asked_for_again() -> None:
    answers, (a, b, c) = Answers(2), ([1], [2], [3])
    for about in (a, b, a, c):
        answers.find((about,), partial(sum, about))
    assert [answers.find((about,), lambda: -1) for about in (a, c)] == [1, 3]
    assert answers.find((b,), lambda: -1) == -1
