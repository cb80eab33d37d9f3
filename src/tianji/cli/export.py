"""``tianji export``: files for the users' own stacks, and a check of their own."""

from __future__ import annotations

import click

from tianji.cli.outputs import Outputs, output_options


@click.command(name="export")
@click.argument("plan", required=False)
@click.option("--to", help="Engine or scheduler to write for; `tianji export` without arguments lists them.")
@click.option("--out", help="Folder for the files; without it they are printed.", metavar="DIR")
@click.option("--check", help="Check your own manifest against its schema and its scheduler's rules.", metavar="FILE")
@output_options
def export_command(plan: str | None, to: str | None, out: str | None, check: str | None, outputs: Outputs) -> None:
    r"""Write a plan as launch scripts, configurations and manifests of other frameworks and schedulers.

    PLAN is a file that `tianji plan ... --out plan.json` wrote. All degrees, the schedule, recomputation, sharding, micro-batch
    and precision are carried over exactly; what a target does otherwise stands in the files and on stderr, and a target that
    would run another plan is refused with the reasons.

    \b
    Examples:
      tianji export plan.json --to megatron --out launch/
      tianji export plan.json --to volcano
      tianji export --check my-job.yaml
    """
    from tianji.api.exporting import export
    from tianji.exporters.lint.checks import Check

    answer = export(plan, to, out=out, check=check)
    outputs.present(answer)
    if isinstance(answer.result, Check) and answer.result.violations:
        click.get_current_context().exit(2)
