"""An operation's account, added up by hand."""

from dataclasses import replace

import pytest

from tianji.operation.accounting import Account, settle
from tianji.operation.settings import LOOK
from tianji.reliability import efficiency
from tianji.report.documents.outcome_lines import operation_line

EVENTS = [{"event": "start"}, {"event": "failure"}, {"event": "start"}, {"event": "done"}]
FIRST = [{"index": i, "at": 12.0 + 2.0 * i, "seconds": 2.0} for i in range(11)]
"""Steps 0 to 10, from 10 s to 32 s."""
SECOND = [{"index": i, "at": 20.0 + 2.0 * i, "seconds": 2.0} for i in range(9, 20)]
"""Steps 9 to 19, from 36 s to 58 s."""


def account() -> Account:
    return settle(EVENTS, {1: FIRST, 2: SECOND})


def test_time_and_steps_add_up() -> None:
    found = account()
    assert (found.steps, found.lost_steps, found.failures, found.attempts) == (20, 2, 1, 2)
    assert found.step_time == pytest.approx(2.0)
    assert found.recoveries == (4.0,)
    assert found.seconds == pytest.approx(48.0)
    assert found.useful + 2 * 2.0 + 4.0 == pytest.approx(found.seconds)
    assert found.goodput == pytest.approx(40.0 / 48.0)


def test_a_failure_during_a_recovery_is_not_part_of_its_length() -> None:
    assert settle(EVENTS, {1: FIRST, 3: SECOND}).recoveries == ()


def test_the_expectation_is_the_renewal_formula() -> None:
    assert account().expect(5) == pytest.approx(efficiency(10.0, 0.0, 4.0, 48.0))
    assert settle(EVENTS[:1], {1: FIRST}).expect(5) == 1.0


def test_a_growth_costs_a_restart_and_the_steps_since_its_checkpoint() -> None:
    found = settle([{"event": "start"}, {"event": "grow"}, {"event": "start"}], {1: FIRST, 2: SECOND})
    assert found.expect(5) == pytest.approx(1.0 - (4.0 + LOOK / 2) / 48.0)
    # Checkpoints that come faster than the looks: half of the steps between two of them.
    quick = replace(found, steps=2_000, useful=40.0)
    assert quick.expect(5) == pytest.approx(1.0 - (4.0 + 5 * 0.02 / 2) / 48.0)


def test_nothing_has_no_account() -> None:
    assert settle([], {}).goodput == 0.0


def test_an_operation_without_a_step_says_no_share_of_its_time() -> None:
    line = operation_line("stopped", settle((), {}), "SIGINT")
    assert line["hinge"] == "No step was trained: the events in its folder tell what it waited for."
