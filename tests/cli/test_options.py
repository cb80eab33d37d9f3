"""Options that commands share: the job's, and one for each field of a strategy."""

import click

from tianji.cli.options import SWITCHES, job_options, strategy_options
from tianji.parallel.strategy import FIELDS


def test_every_field_of_a_strategy_has_one_option() -> None:
    @click.command()
    @strategy_options
    @job_options
    def command() -> None:
        """Do nothing."""

    names = [p.name for p in command.params]
    assert [n for n in names if n in FIELDS] == list(FIELDS)
    assert {"chips", "batch", "seq", "tokens", "precision", "calibration"} <= set(names)


def test_switches_are_the_fields_that_are_on_or_off() -> None:
    assert "overlap_ep" in SWITCHES
    assert "tp" not in SWITCHES
