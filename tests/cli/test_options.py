"""Options that commands share: the job's, and one for each field of a strategy."""

import re

import click

from tianji.cli.options import job_options, strategy_options
from tianji.parallel.strategy import FIELDS, SWITCHES


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


def test_choices_of_the_command_line_are_those_of_the_rooms() -> None:
    """The doors repeat two lists, because importing the rooms for them would slow `--help`."""
    from tianji.api.planning import OBJECTIVES
    from tianji.cli.planning import plan_command
    from tianji.cli.replacement import replace_command
    from tianji.comparison import MATCHES
    from tianji.exporters.runnable import SPACES

    runs_on = next(p for p in plan_command.params if p.name == "runs_on")
    assert isinstance(runs_on, click.Option)
    assert set(re.findall(r"[a-z-]+", str(runs_on.help).partition(": ")[2])) - {"or"} == set(SPACES)
    for command, option, known in ((replace_command, "match", MATCHES), (plan_command, "objective", OBJECTIVES)):
        choice = next(p.type for p in command.params if p.name == option)
        assert isinstance(choice, click.Choice)
        assert tuple(choice.choices) == tuple(known)
