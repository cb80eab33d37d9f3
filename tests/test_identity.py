"""Answers are kept by identity: the last ones, and never that of another object."""

import numpy as np

from tianji.identity import remember


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
