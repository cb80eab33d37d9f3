"""The lines above the tables: what was asked, on what machine, and what was assumed."""

from __future__ import annotations

from rich.console import Console

from tianji.hardware import Pool
from tianji.hardware.calibration import Calibration
from tianji.hardware.constants import Constants
from tianji.prediction.predict_plan import spell_basis
from tianji.ranges import Range
from tianji.report.wording import count, duration, labelled
from tianji.units import show
from tianji.workload import Job


def print_headline(console: Console, job: Job, pool: Pool, calibration: Calibration) -> None:
    """Print the job, the pool, what was assumed and on what the figures lean."""
    console.print(labelled(headlines(job, pool, calibration)))


def headlines(job: Job, pool: Pool, calibration: Calibration) -> list[tuple[str, str]]:
    """Return what was asked, what was assumed and on what it leans, each with a label."""
    assumed = [("Assumed", "; ".join(job.assumed))] if job.assumed else []
    return [
        ("Job", describe_job(job)),
        ("Pool", describe_pool(pool)),
        *([("Beyond", pool.caveat)] if pool.caveat else []),
        *assumed,
        ("Trust", describe_trust(calibration, pool)),
    ]


def describe_job(job: Job) -> str:
    """Return a job in a line."""
    model = job.model
    active = model.num_active_parameters
    sizes = f"{count(model.num_parameters)} parameters"
    if active != model.num_parameters:
        sizes += f", {count(active)} active"
    run = f", {count(job.tokens)} tokens in all" if job.tokens else ""
    balance = f", busiest expert rank {job.moe_imbalance:g} x the mean" if job.moe_imbalance > 1 else ""
    return (
        f"{model.name} ({sizes}) in {job.precision.name}: {job.global_batch_size:,} sequences of {job.seq_len:,} tokens"
        f" a step{run}{balance}"
    )


def describe_pool(pool: Pool) -> str:
    """Return a pool in a line: chips, memory, tiers from the innermost out."""
    chip = pool.chip
    memory = f" with {chip.memory.text} each" if chip.memory else ""
    tiers = []
    for tier, span in zip(pool.tiers, pool.spans(), strict=True):
        speed = show(tier.bandwidth.value / tier.oversubscription, "bandwidth") if tier.bandwidth else "unknown"
        tiers.append(f"{tier.name} {span:,} at {speed}")
    status = "" if chip.status == "shipping" else f" ({chip.status})"
    return f"{pool.name}: {pool.chips:,} x {chip.title}{memory}{status}; {', '.join(tiers)}"


def describe_trust(calibration: Calibration, pool: Pool) -> str:
    """Return on what the times lean: which calibration, measured on what, or bare datasheet figures."""
    chip = pool.chip
    status = "" if chip.status == "shipping" else f". The chip is {chip.status}: nobody outside has measured it"
    name = f"calibration {calibration.name}" + (f" of {calibration.date}" if calibration.date else "")
    if calibration.constants(chip) == Constants():
        return f"{name} is bare datasheet peaks: times are a lower bound, without a range{status}"
    return f"{name}, {spell_basis(calibration, chip) or 'without a range'}{status}"


def describe_range(step: Range) -> str:
    """Return a step time with its range and what that leans on."""
    if step.low == step.high:
        return duration(step.nominal)
    leans = f", {step.leans_on}" if step.leans_on else ""
    return f"{duration(step.nominal)} (80 % range {duration(step.low)} to {duration(step.high)}{leans})"
