"""``export``: files of a plan for the users' own stacks, and a check of their own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from tianji.api.answer import Answer
from tianji.api.requests import File, PlanLike, find_calibration, plan_of
from tianji.api.started_software import SOFTWARE_OF_TARGET
from tianji.catalog.entries import is_there
from tianji.errors import FormatError, InputError
from tianji.exporters import TARGETS, FileBundle, render_plan, write_bundle
from tianji.exporters.launch_reader.configurations import read_torchtitan_file
from tianji.exporters.launch_reader.launches import find_framework, read_options
from tianji.exporters.launch_reader.named_models import find_named_model
from tianji.exporters.lint.checks import Check, check_file
from tianji.exporters.lint.violations import Violation
from tianji.exporters.rules.facts import model_facts
from tianji.exporters.rules.tables import flatten_values, load_rules
from tianji.formatting import format_percent
from tianji.hardware.software import Software
from tianji.parallel.plan import Plan
from tianji.prediction import predict as predict_plan
from tianji.prediction.remedies import recommend_interval
from tianji.report.documents.export import (
    FileDocument,
    ViolationDocument,
    check_document,
    export_document,
    targets_document,
)
from tianji.result.result import RISKY


def export(
    plan: PlanLike | None = None, to: str | None = None, *, out: File | None = None, check: File | None = None
) -> Answer[FileBundle] | Answer[Check] | Answer[tuple[str, ...]]:
    """Write a plan as files of other frameworks and schedulers.

    ``to`` names the target; without arguments all are listed. ``out`` is the folder for
    the files. All degrees, the schedule, recomputation, sharding, micro-batch and
    precision are carried over exactly; what a target does otherwise stands in the files
    and in the notes.

    ``check="my-job.yaml"`` holds your own manifest against its schema and the rules of
    its scheduler instead.

    Raises ExportError, with every reason, where the target would run another plan.
    """
    if check is not None:
        if plan is not None or to is not None or out is not None:
            raise FormatError(
                "tianji export: --check takes a manifest and nothing else; as in `tianji export --check job.yaml`"
            )
        return _answer_check(str(check))
    if plan is None and to is None:
        targets = {name: target.about for name, target in TARGETS.items()}
        summary = f"export targets: {', '.join(targets)}"
        return Answer(tuple(targets), summary, partial(targets_document, targets))
    if plan is None or to is None:
        missing = "the plan's file" if plan is None else f"--to, one of {', '.join(TARGETS)}"
        raise FormatError(f"tianji export: {missing} is missing; as in `tianji export plan.json --to megatron`")
    wanted = plan_of(plan)
    bundle = render_plan(wanted, to, _recommend_steps(wanted))
    notes = (*bundle.notes, *_note_software(wanted, to), *_note_memory(wanted))
    paths = write_bundle(bundle, out) if out else []
    files: list[FileDocument] = [
        {"name": a.name, "executable": a.is_executable, "text": a.text} for a in bundle.artefacts
    ]
    written = [str(path) for path in paths]
    texts = [*written] if written else [f"# ===== {a.name}\n{a.text}" for a in bundle.artefacts]
    return Answer(
        bundle, f"export to {to}: {', '.join(a.name for a in bundle.artefacts)}",
        partial(export_document, to, notes, files, written), notes=notes,
        text="".join(f"{text}\n" for text in texts),
    )  # fmt: skip


def _note_software(plan: Plan, to: str) -> tuple[str, ...]:
    """Return that a plan is priced for other software than the files start, and how to price these."""
    started = SOFTWARE_OF_TARGET.get(to, "")
    software = plan.software or Software.of(find_calibration(None).stack(plan.pool.chip))
    if started in ("", software.framework):
        return ()
    return (
        f"This plan is priced for {software.name}, and these files start {started}: `tianji plan ... --runs-on {to}` prices what"
        " they run.",
    )


def _note_memory(plan: Plan) -> tuple[str, ...]:
    """Return what a plan leaves of the memory, where that is at risk or nothing; silent where a figure is not published."""
    try:
        result = predict_plan(plan)
    except InputError:
        return ()
    left = 1.0 - result.memory_total / result.memory_limit
    if not result.fits:
        return ("This plan does not fit the memory as it is priced.",)
    if result.misfit_chance < RISKY:
        return ()
    chance = format_percent(result.misfit_chance, 0)
    return (f"This plan leaves {format_percent(left)} of the memory: the chance that it does not fit is {chance}.",)


def _recommend_steps(plan: Plan) -> int:
    """Return the steps between two checkpoints that are recommended for a plan, 0 where failures or the chip are unknown."""
    try:
        result = predict_plan(plan, find_calibration(None))
        interval = recommend_interval(result)
    except InputError:
        return 0
    return max(round(interval / result.step_time.nominal), 1) if interval else 0


SCRIPTS = (".sh", ".sbatch", ".slurm")
"""Endings of launch scripts, which are held to the rules of their framework's release."""


def _check_script(file: str) -> Check:
    """Return what the options of a launch script break of the rules of its framework.

    Raises FormatError for a script that starts no training of Megatron's family.
    """
    options = read_options(file)
    table = load_rules(find_framework(options))
    broken = [
        Violation(rule.says, file, f"{rule.effect}: {rule.source}", rule.fix) for rule in table.broken(options.values)
    ]
    return Check((f"launch script of {table.framework}, {table.release}",), tuple(broken))


def _check_torchtitan(file: str) -> Check:
    """Return what torchtitan's TOML breaks of its release's rules, as far as they hang on no number of chips.

    Raises FormatError for a file that is no configuration of torchtitan.
    """
    tree, table = read_torchtitan_file(file), load_rules("torchtitan")
    part = tree.get("model")
    name = f"{part.get('name', '')}-{part.get('flavor', '')}" if isinstance(part, Mapping) else ""
    entry = find_named_model(name)
    facts = model_facts(entry[0]) if entry else {}
    broken = [
        Violation(rule.says, file, f"{rule.effect}: {rule.source}", rule.fix)
        for rule in table.broken_by(facts | flatten_values(tree))
    ]
    return Check((f"configuration of {table.framework}, {table.release}",), tuple(broken))


def _check_any(file: str) -> Check:
    """Return what a script or a configuration breaks, each by the rules of its kind."""
    suffix = Path(file).suffix
    if suffix in SCRIPTS:
        return _check_script(file)
    if suffix == ".toml" and is_there(Path(file)):
        return _check_torchtitan(file)
    return check_file(file)


def _answer_check(file: str) -> Answer[Check]:
    checked = _check_any(file)
    violations: list[ViolationDocument] = [
        {"rule": v.rule, "where": v.where, "actual": v.actual, "fix": v.fix} for v in checked.violations
    ]
    summary = f"check of {file}: {len(violations)} rule{'' if len(violations) == 1 else 's'} broken"
    return Answer(checked, summary, partial(check_document, file, checked.kinds, violations))
