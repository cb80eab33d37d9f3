"""``tianji export``: files for the users' own stacks, and a check of their own."""

from __future__ import annotations

import click

from tianji.cli.output import print_json
from tianji.cli.outputs import Outputs, output_options


@click.command(name="export")
@click.argument("plan", required=False)
@click.option("--to", "target", help="Engine or scheduler to write for; `tianji export` without arguments lists them.")
@click.option("--out", help="Folder for the files; without it they are printed.", metavar="DIR")
@click.option(
    "--check", "manifest", help="Check your own manifest against its schema and its scheduler's rules.", metavar="FILE"
)
@output_options
def export_command(
    plan: str | None, target: str | None, out: str | None, manifest: str | None, outputs: Outputs
) -> None:
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
    from tianji.errors import FormatError
    from tianji.export import TARGETS, render_plan, write_bundle
    from tianji.parallel.plan_file import read_plan
    from tianji.report.documents.export import FileDocument, export_document, targets_document

    if manifest is not None:
        if plan is not None or target is not None or out is not None:
            raise FormatError(
                "tianji export: --check takes a manifest and nothing else; as in `tianji export --check job.yaml`"
            )
        _check(manifest, outputs)
        return
    if plan is None and target is None:
        outputs.present(targets_document({name: target.about for name, target in TARGETS.items()}))
        return
    if plan is None or target is None:
        missing = "the plan's file" if plan is None else f"--to, one of {', '.join(TARGETS)}"
        raise FormatError(f"tianji export: {missing} is missing; as in `tianji export plan.json --to megatron`")
    bundle = render_plan(read_plan(plan), target)
    paths = write_bundle(bundle, out) if out else []
    files: list[FileDocument] = [
        {"name": a.name, "executable": a.is_executable, "text": a.text} for a in bundle.artefacts
    ]
    document = export_document(target, bundle.notes, files, [str(path) for path in paths])
    outputs.write(document)
    if outputs.as_json:
        print_json(document)
        return
    for note in bundle.notes:
        click.echo(f"tianji: note: {note}", err=True)
    if paths:
        for path in paths:
            click.echo(str(path))
        return
    for artefact in bundle.artefacts:
        click.echo(f"# ===== {artefact.name}\n{artefact.text}")


def _check(path: str, outputs: Outputs) -> None:
    """Print every rule that a manifest breaks; exit with 2 when there is one."""
    from tianji.export.lint.checks import check_file
    from tianji.report.documents.export import ViolationDocument, check_document

    checked = check_file(path)
    violations: list[ViolationDocument] = [
        {"rule": v.rule, "where": v.where, "actual": v.actual, "fix": v.fix} for v in checked.violations
    ]
    outputs.present(check_document(path, checked.kinds, violations))
    if violations:
        click.get_current_context().exit(2)
