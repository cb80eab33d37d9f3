"""What MindSpeed's own rules leave of a job's overlap: nothing is priced on an Ascend chip that MindSpeed stops at.

The rules are those that exports and readers of scripts ask (:mod:`tianji.exporters.rules`).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from tianji.api.framework_rules import find_stop
from tianji.errors import FormatError
from tianji.hardware import Chip
from tianji.hardware.calibration import Calibration
from tianji.hardware.software import Software
from tianji.prediction.switch_gains import SwitchGain, weigh_switches
from tianji.result import Result
from tianji.workload import Job
from tianji.workload.expressions import names_in

RULED = "mindspeed"
"""The software whose rules are known, in the catalog and in the tables of rules."""
OPTIONS = {"mc2": "--use-ascend-mc2", "coc": "--use-ascend-coc"}
"""Its ways to hide tensor-parallel links."""


def find_refusal(job: Job, software: Software, word: str) -> str:
    """Return why MindSpeed refuses a way to hide tensor-parallel links for a job, with the place; empty where it takes it."""
    option = OPTIONS.get(word, "")
    if not option or software.framework != RULED:
        return ""
    # Every target comes with them: commands that ask no rule do without.
    from tianji.exporters.megatron_family.precision import narrow_recipe
    from tianji.exporters.rules.tables import load_rules

    options: dict[str, tuple[str, ...]] = {
        option: (), "--sequence-parallel": (), "--tensor-model-parallel-size": ("2",), "--transformer-impl": ("local",),
    }  # fmt: skip
    if job.precision.linear == "fp8":
        options |= {
            "--transformer-impl": ("transformer_engine",),
            "--fp8-format": ("hif8" if job.precision.name == "hif8" else "hybrid",),
            "--fp8-recipe": (narrow_recipe(job.precision),),
        }
    if job.model.moe is not None and software.experts == "grouped":
        options |= {"--num-experts": (str(job.model.moe.num_experts),), "--moe-grouped-gemm": ()}
    name = option.removeprefix("--").replace("-", "_")
    broken = (rule for rule in load_rules(RULED).broken(options) if name in names_in(rule.when))
    return next((f"{rule.says} ({rule.source})" for rule in broken if rule.effect != "differs"), "")


def refuse_words(job: Job, software: Software | None) -> None:
    """Raise FormatError for a switch that MindSpeed refuses for a job."""
    if software is not None and (why := find_refusal(job, software, software.tp_overlap)):
        raise FormatError(f"--with {software.tp_overlap}: {software.framework} refuses it for this job: {why}")


def rule_out_overlap(
    calibration: Calibration, job: Job, chip: Chip, fixed: Container[str] = ()
) -> tuple[Calibration, str]:
    """Return the calibration for a job of 8 bits on an Ascend chip without an overlap that MindSpeed refuses, and what is said.

    Nothing changes where the overlap was said, of other formats, or under other software.
    """
    software = calibration.find_stated(chip) or replace(Software.of(calibration.stack(chip)), chosen=())
    chosen = software.chosen
    if chip.ecosystem != "cann" or job.precision.linear != "fp8" or chosen is None or "tp_overlap" in chosen:
        return calibration, ""
    whys = [find_refusal(job, software, word) for word in OPTIONS]
    if not all(whys) or "overlap_tp" in fixed:
        return calibration, ""
    without = replace(software.switch("tp_overlap=none"), chosen=(*chosen, "tp_overlap"))
    note = (
        f"overlap_tp=off under {job.precision.name}, whose tensor-parallel links {RULED} cannot hide: {'; '.join(whys)}"
    )
    return calibration.under(without, chip.name), note


def weigh_allowed(result: Result, calibration: Calibration) -> tuple[SwitchGain, ...]:
    """Return what single switches would buy of a plan, those left out that its software's rules refuse."""
    job = result.plan.job
    return weigh_switches(
        result,
        calibration,
        lambda software, word, plan: not find_refusal(job, software, word) and not find_stop(plan, software),
    )
