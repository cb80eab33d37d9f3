"""Orders travel whole, and what is said of the rounds of a measurement."""

import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.backends.journal import Journal
from tianji.backends.microbenchmarks.orders import Orders, TimedSample, read_survey

ROUNDS = st.lists(st.floats(1e-6, 10.0), min_size=1, max_size=9)


@given(st.from_type(Orders).filter(lambda orders: orders.seconds == orders.seconds))
def test_orders_read_are_the_orders_written(orders: Orders) -> None:
    assert Orders.parse(orders.text()) == orders


@given(ROUNDS)
def test_the_middle_is_the_median(rounds: list[float]) -> None:
    assert TimedSample("copy", {}, tuple(rounds)).middle == pytest.approx(statistics.median(rounds))


@given(ROUNDS, st.floats(0.1, 10.0))
def test_noise_is_a_share_that_no_unit_changes(rounds: list[float], unit: float) -> None:
    sample, scaled = (TimedSample("copy", {}, tuple(factor * s for s in rounds)) for factor in (1.0, unit))
    assert sample.noise >= 0.0
    assert scaled.noise == pytest.approx(sample.noise)
    assert TimedSample("copy", {}, (rounds[0],) * len(rounds)).noise == 0.0


def test_the_first_rank_speaks_for_all(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 0)
    journal.write("sample", probe="copy", facts={"bytes": 8.0}, seconds=[0.1, 0.2])
    facts = {"processors": 2.0, "threads": 1, "memory": 4e9, "reserve": 2e8, "versions": {"torch": "2"}}
    journal.write("done", chip="cpu", **facts)
    journal.close()
    survey = read_survey(tmp_path, 4)
    assert survey.of("copy") == [TimedSample("copy", {"bytes": 8.0}, (0.1, 0.2))]
    assert survey.of("matmul") == []
    assert (survey.world, survey.chip, survey.processors) == (4, "cpu", 2.0)
