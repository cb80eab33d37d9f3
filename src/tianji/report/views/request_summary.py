"""What was asked, on which pool, what was assumed, and what the times rest on: the lines above every answer."""

from __future__ import annotations

from tianji.formatting import format_count
from tianji.report.documents.request import (
    CalibrationDocument,
    ModelDocument,
    PoolDocument,
    RequestDocument,
    TaskDocument,
    TierDocument,
    WorkDocument,
)
from tianji.report.documents.three_lines import BottomLineDocument
from tianji.report.view import Facts
from tianji.report.views.software import describe_software
from tianji.units import show


def request_facts(document: RequestDocument, more: tuple[tuple[str, str], ...] = ()) -> Facts:
    """Return the question and its assumptions, each with a label; ``more`` follows."""
    pool, assumptions, software = document["pool"], document["assumptions"], document["software"]
    return Facts(
        (
            ("Job", describe_job(document)),
            ("Pool", describe_pool(pool)),
            *((("Beyond", pool["beyond_unit"]),) if pool["beyond_unit"] else ()),
            *((("Assumed", "; ".join(assumptions)),) if assumptions else ()),
            *((("Stack", describe_software(software, has_experts=has_experts(document))),) if software else ()),
            ("Trust", describe_trust(document["calibration"], pool)),
            *more,
        )
    )


def bottom_lines(line: BottomLineDocument) -> tuple[str, ...]:
    """Return the bottom line as it is shown."""
    return line["answer"], f"{line['amounts'][:1].upper()}{line['amounts'][1:]}.", line["hinge"]


def title_of(answer: str, document: RequestDocument) -> str:
    """Return the title of an answer on one pool: the job, its precision, the pool."""
    model, pool = document["model"]["name"], document["pool"]
    return f"{answer}: {model} in {document['job']['precision']} on {pool['chips']:,} x {pool['name']}"


def has_experts(document: WorkDocument) -> bool:
    """Return whether a token passes through some of the parameters only."""
    return document["model"]["num_active_parameters"] != document["model"]["num_parameters"]


def describe_model(model: ModelDocument) -> str:
    """Return a model with its sizes."""
    active = model["num_active_parameters"]
    sizes = f"{format_count(model['num_parameters'])} parameters"
    if active != model["num_parameters"]:
        sizes += f", {format_count(active)} active"
    return f"{model['name']} ({sizes})"


def describe_job(document: WorkDocument) -> str:
    """Return a job in a line."""
    job = document["job"]
    run = f", {format_count(job['tokens'])} tokens in all" if job["tokens"] else ""
    balance = f", busiest expert rank {job['moe_imbalance']:g} x the mean" if job["moe_imbalance"] > 1 else ""
    step = f"{job['global_batch_size']:,} sequences of {job['seq_len']:,} tokens a step"
    return (
        f"{describe_model(document['model'])} in {job['precision']}{describe_task(job['task'])}: {step}{run}{balance}"
    )


def describe_task(task: TaskDocument) -> str:
    """Return what is trained in a few words; nothing for pre-training."""
    packed = ", packed samples" if task["samples"] else ""
    if task["adapter_rank"]:
        trained = format_count(task["num_trained_parameters"])
        return f", {task['name']} of rank {task['adapter_rank']} ({trained} trained){packed}"
    if task["teacher"]:
        return f", {task['name']} from {task['teacher']}{packed}"
    return packed if task["name"] == "pretrain" else f", {task['name']}{packed}"


def describe_pool(pool: PoolDocument) -> str:
    """Return a pool in a line: chips, memory, tiers from the innermost out."""
    memory = f" with {pool['chip_memory']} each" if pool["chip_memory"] else ""
    status = "" if pool["chip_status"] == "shipping" else f" ({pool['chip_status']})"
    tiers = ", ".join(f"{tier['name']} {tier['span']:,} at {describe_speed(tier)}" for tier in pool["tiers"])
    return f"{pool['name']}: {pool['chips']:,} x {pool['chip_title']}{memory}{status}; {tiers}"


def describe_tier(tier: TierDocument) -> str:
    """Return a tier with its topology."""
    speed = describe_speed(tier)
    return f"{tier['name']}: {tier['topology']} of {tier['span']:,} chips, {tier['kind']}, {speed} for each chip"


def describe_speed(tier: TierDocument) -> str:
    """Return what one chip gets of a tier when all send, one direction."""
    bandwidth = tier["bandwidth_bytes_per_s"]
    return show(bandwidth / tier["oversubscription"], "bandwidth") if bandwidth else "unknown"


def describe_trust(calibration: CalibrationDocument, pool: PoolDocument) -> str:
    """Return what the times rest on: which calibration, measured on what, or bare datasheet figures."""
    announced = f". The chip is {pool['chip_status']}: nobody outside has measured it"
    status = "" if pool["chip_status"] in ("shipping", "halted") else announced
    name = f"calibration {calibration['name']}" + (f" of {calibration['date']}" if calibration["date"] else "")
    if calibration["is_bare"]:
        return f"{name} is bare datasheet peaks: times are a lower bound, without a range{status}"
    return f"{name}, {calibration['leans_on'] or 'without a range'}{status}"
