"""The group of all commands: names, one-line summaries, and what happens to an error."""

from __future__ import annotations

import errno
import io
import os
import sys
from importlib import import_module
from typing import Any

import click

from tianji.cli.output import WORDS
from tianji.errors import TianjiError, UnknownNameError

COMMANDS: dict[str, tuple[str, str]] = {
    "browse": ("tianji.cli.entries:browse_command", "List and show chips, pools, models, prices and more."),
    "plan": ("tianji.cli.planning:plan_command", "Find the best way to cut a model over a pool."),
    "predict": ("tianji.cli.prediction:predict_command", "Predict one plan, each second accounted for."),
    "run": ("tianji.cli.running:run_command", "Train a plan's model for real, and measure it."),
    "pool": ("tianji.cli.pool:pool_command", "Start, show and end a pool of chips under Ray."),
    "operate": ("tianji.cli.operating:operate_command", "Keep a job going while chips die: plan, run, answer, replan."),
    "goodput": ("tianji.cli.goodput:goodput_command", "Say how much of a run's time lasts, failures counted."),
    "explain": ("tianji.cli.explaining:explain_command", "Put a measured result beside its prediction."),
    "export": ("tianji.cli.export:export_command", "Write a plan for other frameworks and schedulers."),
    "compare": ("tianji.cli.side_by_side:compare_command", "Set the best plans of pools side by side."),
    "replace": ("tianji.cli.replacement:replace_command", "Say how many chips of one pool replace another."),
    "size": ("tianji.cli.sizing:size_command", "Say how large a pool must be for a deadline and a budget."),
    "smallest": ("tianji.cli.smallest:smallest_command", "Say on how few chips a model can be trained."),
    "model": ("tianji.cli.model:model_command", "Read a model of another architecture from its class."),
    "migrate": ("tianji.cli.migrate:migrate_command", "Say what a move of a training repository to Ascend takes."),
    "validate": ("tianji.cli.validation:validate_command", "Predict measured runs and say how far off that is."),
    "calibrate": ("tianji.cli.calibration:calibrate_command", "Fit what datasheets do not say to measured runs."),
}
"""Command: the place of its click object, and its summary; a summary here spares `tianji --help` the import."""

OLD_NAMES = {"catalog": "browse"}
"""Names of commands in scripts that are older than the present ones; no help shows them."""


def _keep_lines(command: click.Command) -> None:
    """Click keeps the lines of a paragraph apart after a backspace, which a raw docstring holds as two characters."""
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    for part in getattr(command, "commands", {}).values():
        _keep_lines(part)


class LazyGroup(click.Group):
    """Imports a command when it is looked up; a mistake of the user ends in one message and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, or None for a name that is none."""
        cmd_name = OLD_NAMES.get(cmd_name, cmd_name)
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name][0].split(":")
        command: click.Command = getattr(import_module(module), name)
        _keep_lines(command)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words of the command line: a page says how it was made."""
        ctx.meta[WORDS] = list(args)
        _forget_absurd_sizes()
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called; a name that is none is answered with the nearest."""
        if args and not args[0].startswith("-") and args[0] not in {*COMMANDS, *OLD_NAMES}:
            raise UnknownNameError("command", args[0], COMMANDS, "`tianji --help` lists all.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the summaries without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; what Tianji raises on purpose becomes a message, never a traceback."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            # An old terminal without Unicode gets a question mark, never a traceback.
            sys.stdout.reconfigure(errors="replace")
        try:
            return super().invoke(ctx)
        except TianjiError as error:
            from tianji.formatting import printable

            click.echo(f"tianji: {printable(str(error))}", err=True)
            sys.exit(2)
        except OSError as error:
            # Of what Tianji opens, errors are told where they arise: this one has no file, so it is the output's.
            if error.filename is not None or error.errno == errno.EPIPE:
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            click.echo(f"tianji: the output cannot be written ({error.strerror}); send it elsewhere", err=True)
            sys.exit(2)
        except KeyboardInterrupt:
            click.echo("tianji: interrupted", err=True)
            sys.exit(130)


def _forget_absurd_sizes() -> None:
    """Take a terminal's size out of the environment where it is no number that a terminal has."""
    for name in ("COLUMNS", "LINES"):
        text = os.environ.get(name, "80")
        if not (text.isascii() and text.isdigit() and len(text) < 6):
            del os.environ[name]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="tianji")
def main() -> None:
    """Plan, predict and compare large-model training on pools of chips."""
