"""An operation's account, added up by hand."""

import pytest

from tianji.operation.account import settle
from tianji.reliability import efficiency

EVENTS = [
    {"event": "begin", "at": 0.0},
    {"event": "start", "at": 1.0},
    {"event": "training", "at": 10.0, "step": 0, "seconds": 9.0},
    {"event": "failure", "at": 30.0, "step": 10, "saved": 8},
    {"event": "start", "at": 31.0},
    {"event": "training", "at": 35.0, "step": 9, "seconds": 5.0},
    {"event": "done", "at": 55.0, "step": 19},
]


def test_time_and_steps_add_up() -> None:
    account = settle(EVENTS)
    # 10 steps in 20 s, then 10 in 20 s; steps 9 and 10 are done twice.
    assert (account.steps, account.lost_steps, account.failures, account.attempts) == (20, 2, 1, 2)
    assert account.step_time == pytest.approx(2.0)
    assert account.recoveries == (5.0,)
    assert account.seconds == 45.0
    assert account.goodput == pytest.approx(40.0 / 45.0)


def test_the_expectation_is_the_renewal_formula() -> None:
    account = settle(EVENTS)
    assert account.expect(5) == pytest.approx(efficiency(10.0, 0.0, 5.0, 40.0))
    assert settle(EVENTS[:3]).expect(5) == 1.0


def test_nothing_has_no_account() -> None:
    assert settle([]).goodput == 0.0
