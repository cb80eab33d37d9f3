"""What every answer says of its question: the model, the job, the pool, the calibration and the figures used."""

from __future__ import annotations

from typing import TypedDict

from tianji.catalog.architectures import find_mixture
from tianji.hardware import Pool
from tianji.hardware.calibration import OTHER, Calibration
from tianji.hardware.constants import Constants
from tianji.parallel.plan import Plan
from tianji.prediction.predict_plan import describe_basis, describe_mixture
from tianji.report.documents.cited_figures import CitedFigureDocument, figures_document
from tianji.report.documents.software import SoftwareDocument, software_document
from tianji.workload import Job, Model
from tianji.workload.adapters import num_trained


class ModelDocument(TypedDict):
    """A model."""

    name: str
    family: str
    num_parameters: int
    num_active_parameters: int
    """Parameters that one token passes through."""
    source: str


class SampleDocument(TypedDict):
    """Packed samples of one length."""

    tokens: int
    share: float
    """Of all samples."""


class TaskDocument(TypedDict):
    """What is trained of the model, and on which samples."""

    name: str
    """``pretrain``, ``sft``, ``lora``, ``qlora``, ``reward``, ``embedding`` or ``distill``."""
    num_trained_parameters: int
    adapter_rank: int | None
    """Of low-rank adapters on frozen weights, where the task has them."""
    adapter_targets: list[str]
    teacher: str | None
    """The frozen model that runs forward beside the trained one."""
    samples: list[SampleDocument]
    """Of which the sequences are packed; empty where a sequence is one sample."""


class JobDocument(TypedDict):
    """What is to be trained."""

    seq_len: int
    """Tokens of one sequence."""
    global_batch_size: int
    """Sequences of one step."""
    tokens_per_step: int
    tokens: float | None
    """Tokens of the whole run, where it is stated."""
    precision: str
    linear_dtype: str
    """Dtype of the linear layers, whose dense peak is the base of ``mfu``."""
    optimizer_bytes_per_parameter: float
    moe_imbalance: float
    """Load of the busiest expert rank over the mean."""
    task: TaskDocument


class TierDocument(TypedDict):
    """A tier of a pool, the innermost first."""

    name: str
    topology: str
    kind: str
    span: int
    """Chips that it joins."""
    bandwidth_bytes_per_s: float | None
    """Of one chip, one direction."""
    oversubscription: float


class PoolDocument(TypedDict):
    """A pool of chips."""

    name: str
    title: str
    chips: int
    chip: str
    chip_title: str
    chip_memory: str | None
    """As its source prints it."""
    chip_status: str
    status: str
    beyond_unit: str | None
    """What is assumed of a pool larger than one unit."""
    tiers: list[TierDocument]


class ConstantDocument(TypedDict):
    """One correction to a datasheet, with its evidence."""

    value: float
    tier: str
    """``measured``, ``fitted``, ``physics`` or what stands in for them."""
    rows: int
    """Measured runs that set it."""
    source: str
    inherited_from: str
    """The chip that it was taken over from."""


class CalibrationDocument(TypedDict):
    """The corrections to datasheet figures that an answer uses."""

    name: str
    date: str
    note: str
    of_chip: str | None
    is_bare: bool
    """There are no corrections: times are a lower bound."""
    leans_on: str
    """What the times rest on, in words."""
    software: dict[str, float]
    """Factor on time by trait of the software."""
    constants: dict[str, ConstantDocument]


class WorkDocument(TypedDict):
    """The model and the job of an answer."""

    model: ModelDocument
    job: JobDocument


class RequestDocument(WorkDocument):
    """The question of an answer on one pool, and what the answer stands on."""

    pool: PoolDocument
    assumptions: list[str]
    """What was not stated and had to be assumed."""
    software: SoftwareDocument | None
    """What is said, or assumed, to run it; null where the calibration knows no software and none was said."""
    calibration: CalibrationDocument
    figures: list[CitedFigureDocument]


def request_document(plan: Plan, calibration: Calibration) -> RequestDocument:
    """Return the job, the pool and the calibration of an answer on a plan."""
    job, pool = plan.job, plan.pool
    return {
        **work_document(job),
        "pool": pool_document(pool),
        "assumptions": list(job.assumed),
        "software": software_document(calibration, plan),
        "calibration": calibration_document(calibration, pool, job.model),
        "figures": figures_document(pool, (job.precision.linear, job.precision.high)),
    }


def work_document(job: Job) -> WorkDocument:
    """Return the model and the job of an answer."""
    model = job.model
    return {
        "model": {
            "name": model.name,
            "family": model.family,
            "num_parameters": model.num_parameters,
            "num_active_parameters": model.num_active_parameters,
            "source": model.source,
        },
        "job": {
            "seq_len": job.seq_len,
            "global_batch_size": job.global_batch_size,
            "tokens_per_step": job.tokens_per_step,
            "tokens": job.tokens or None,
            "precision": job.precision.describe(),
            "linear_dtype": job.precision.linear,
            "optimizer_bytes_per_parameter": job.precision.optimizer_size,
            "moe_imbalance": job.moe_imbalance,
            "task": task_document(job),
        },
    }


def task_document(job: Job) -> TaskDocument:
    """Return what a job trains."""
    task = job.task
    return {
        "name": task.name,
        "num_trained_parameters": num_trained(job.model, task),
        "adapter_rank": task.adapter_rank or None,
        "adapter_targets": list(task.adapter_targets),
        "teacher": task.teacher.name if task.teacher else None,
        "samples": [{"tokens": tokens, "share": share} for tokens, share in job.sample_lengths],
    }


def pool_document(pool: Pool) -> PoolDocument:
    """Return a pool as an answer names it: chips, tiers and the chip's status."""
    tiers: list[TierDocument] = [
        {"name": t.name, "topology": t.topology, "kind": t.kind, "span": span,
         "bandwidth_bytes_per_s": t.bandwidth.value if t.bandwidth else None, "oversubscription": t.oversubscription}
        for t, span in zip(pool.tiers, pool.spans(), strict=True)
    ]  # fmt: skip
    return {
        "name": pool.name,
        "title": pool.title,
        "chips": pool.chips,
        "chip": pool.chip.name,
        "chip_title": pool.chip.title,
        "chip_memory": pool.chip.memory.text if pool.chip.memory else None,
        "chip_status": pool.chip.status,
        "status": pool.status,
        "beyond_unit": pool.caveat or None,
        "tiers": tiers,
    }


def calibration_document(calibration: Calibration, pool: Pool, model: Model) -> CalibrationDocument:
    """Return the calibration of an answer: the constants of its chip that differ from pure physics, with evidence."""
    calibration, chip = calibration.training(find_mixture(model)), pool.chip
    owner = next((name for name in (chip.name, chip.relative, OTHER) if name in calibration.chips), "")
    evidence = calibration.evidence.get(owner, {})
    constants = calibration.constants(chip)
    return {
        "name": calibration.name,
        "date": calibration.date,
        "note": calibration.note,
        "of_chip": owner or None,
        "is_bare": constants == Constants(),
        "leans_on": "; ".join(filter(None, (describe_basis(calibration, chip), describe_mixture(calibration, chip)))),
        "software": {
            trait if name == "software" else f"{trait} on {name}": effect.factor
            for trait in calibration.traits_on(chip)
            for name, effect in calibration.software.get(trait, {}).items()
        },
        "constants": {
            name: {"value": getattr(constants, name), "tier": e.tier, "rows": e.rows, "source": e.source,
                   "inherited_from": e.inherited_from}
            for name, e in evidence.items()
        },
    }  # fmt: skip
