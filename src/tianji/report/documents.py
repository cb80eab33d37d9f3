"""JSON documents: results, outcomes and what they stand on, as plain values in SI units.

Scripts rely on the names here; they are added to, never renamed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tianji.hardware import Pool
from tianji.hardware.calibration import OTHER, Calibration
from tianji.parallel.layouts import spell_layout
from tianji.prediction.predict_plan import spell_basis
from tianji.reliability import Reliability
from tianji.report.differences import subtract
from tianji.report.figures import figures_document
from tianji.report.lasting import lasting_document
from tianji.result import Result
from tianji.search import Outcome
from tianji.workload import Job

if TYPE_CHECKING:
    from tianji.comparison.cheapest_size import Frugal
    from tianji.validation.expected_gains import Promise


def outcome_document(
    outcome: Outcome, calibration: Calibration, *, objective: str = "time", explained: Result | None = None,
    reliability: Reliability | None = None, frugal: Frugal | None = None, published: Sequence[Promise] = (),
) -> dict[str, Any]:  # fmt: skip
    """Return all that a search found; ``frugal`` says how its number of chips was chosen, ``published`` runs of this job."""
    best, found = outcome.results[0], outcome.search
    document = {
        "objective": objective,
        **request_document(best.plan.job, best.plan.pool, calibration),
        "plans": [result_document(r, reliability=reliability) for r in outcome.results],
        "front": [result_document(r, in_full=False, reliability=reliability) for r in outcome.front],
        "binding": list(outcome.binding),
        "naive": None if outcome.naive is None else against_document(outcome.naive, best, reliability),
        "idle": {"chips": best.plan.idle_chips, "reason": outcome.idle_reason},
        "search": {
            "candidates": found.candidates,
            "feasible": found.feasible,
            "seconds": found.seconds,
            "candidates_per_s": found.candidates / found.seconds if found.seconds else None,
        },
    }
    if published:
        document["published"] = [promise_document(p) for p in published]
    if explained is not None:
        document["explained"] = against_document(explained, best, reliability)
    if frugal is not None:
        document["chosen"] = {
            "chips": frugal.pool.chips,
            "offered_chips": frugal.offered,
            "sizes_tried": frugal.tried,
            "unit": frugal.unit,
            "spent": asdict(frugal.spent),
            "spent_on_all_chips": None if frugal.on_all is None else asdict(frugal.on_all),
        }
    return document


def promise_document(promise: Promise) -> dict[str, Any]:
    """Return a published run of the planned job, and what the best plan promises over it."""
    row = promise.prediction.row
    return {
        "id": row.id,
        "source": row.source,
        "layout": promise.published,
        "measured_step_time_s": row.measured_step_time,
        "predicted_step_time_s": promise.prediction.step_time,
        "error": promise.prediction.error,
        "gain_promised": promise.gain,
        "is_doubtful": promise.is_doubtful,
        "saved_mostly_s": dict(promise.savings()),
    }


def prediction_document(
    result: Result, calibration: Calibration, reliability: Reliability | None = None
) -> dict[str, Any]:
    """Return one predicted plan with what it stands on."""
    return {
        **request_document(result.plan.job, result.plan.pool, calibration),
        "plans": [result_document(result, reliability=reliability)],
        "idle": {"chips": result.plan.idle_chips, "reason": ""},
    }


def request_document(job: Job, pool: Pool, calibration: Calibration) -> dict[str, Any]:
    """Return the job, the pool and the calibration of an answer."""
    return {
        **work_document(job),
        "pool": pool_document(pool),
        "assumptions": list(job.assumed),
        "calibration": calibration_document(calibration, pool),
        "figures": figures_document(pool, (job.precision.linear, job.precision.high)),
    }


def work_document(job: Job) -> dict[str, Any]:
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
            "precision": job.precision.name,
            "optimizer_bytes_per_parameter": job.precision.optimizer_size,
            "moe_imbalance": job.moe_imbalance,
        },
    }


def pool_document(pool: Pool) -> dict[str, Any]:
    """Return a pool as an answer names it: chips, tiers and the chip's status."""
    tiers = [
        {"name": t.name, "topology": t.topology, "kind": t.kind, "span": span,
         "bandwidth_bytes_per_s": t.bandwidth.value if t.bandwidth else None}
        for t, span in zip(pool.tiers, pool.spans(), strict=True)
    ]  # fmt: skip
    return {
        "name": pool.name,
        "title": pool.title,
        "chips": pool.chips,
        "chip": pool.chip.name,
        "chip_status": pool.chip.status,
        "status": pool.status,
        "beyond_unit": pool.caveat or None,
        "tiers": tiers,
    }


def calibration_document(calibration: Calibration, pool: Pool) -> dict[str, Any]:
    """Return the calibration of an answer: the constants of its chip that differ from pure physics, with evidence."""
    chip = pool.chip
    owner = next((name for name in (chip.name, chip.relative, OTHER) if name in calibration.chips), "")
    evidence = calibration.evidence.get(owner, {})
    constants = calibration.constants(chip)
    return {
        "name": calibration.name,
        "date": calibration.date,
        "note": calibration.note,
        "of_chip": owner or None,
        "leans_on": spell_basis(calibration, chip),
        "software": {
            trait if name == "software" else f"{trait} on {name}": effect.factor
            for trait in calibration.reference.get(chip.ecosystem, ())
            for name, effect in calibration.software.get(trait, {}).items()
        },
        "constants": {
            name: {"value": getattr(constants, name), "tier": e.tier, "rows": e.rows, "source": e.source,
                   "inherited_from": e.inherited_from}
            for name, e in evidence.items()
        },
    }  # fmt: skip


def result_document(result: Result, *, in_full: bool = True, reliability: Reliability | None = None) -> dict[str, Any]:
    """Return one result. ``breakdown`` adds up to ``step_time_s``, ``memory`` to ``memory_total_bytes``.

    ``in_full`` also gives the memory of every stage.
    """
    step, plan = result.step_time, result.plan
    document = {
        "strategy": plan.strategy.as_dict(),
        "layout": spell_layout(plan.strategy),
        "chips": plan.strategy.chips,
        "num_microbatches": plan.num_microbatches,
        "step_time_s": step.nominal,
        "step_time_range": {"low": step.low, "nominal": step.nominal, "high": step.high, "leans_on": step.leans_on},
        "tokens_per_s": result.tokens_per_s,
        "tokens_per_s_per_chip": result.tokens_per_s_per_chip,
        "mfu": result.mfu,
        "days": result.days,
        "days_range": days_range(result),
        "lasting": lasting_document(result, reliability),
        "fits": result.fits,
        "memory": dict(result.memory),
        "memory_total_bytes": result.memory_total,
        "memory_limit_bytes": result.memory_limit,
        "worst_stage": result.worst_stage,
        "breakdown": dict(result.breakdown),
    }
    if in_full:
        document["memory_stages"] = [dict(parts) for parts in result.stages]
        document["model_flops"] = result.model_flops
    return document


def days_range(result: Result) -> dict[str, float] | None:
    """Return the days of the run at both ends of the step's range, or None when the job states no tokens."""
    if result.days is None:
        return None
    step = result.step_time
    return {"low": result.days * step.low / step.nominal, "high": result.days * step.high / step.nominal}


def against_document(result: Result, best: Result, reliability: Reliability | None = None) -> dict[str, Any]:
    """Return a result beside the best one: what each term costs more (above zero) or less."""
    lost: Mapping[str, float] = subtract(result.breakdown, best.breakdown)
    return {
        **result_document(result, reliability=reliability),
        "slower_by_s": result.step_time.nominal - best.step_time.nominal,
        "slower_by_ratio": result.step_time.nominal / best.step_time.nominal - 1,
        "breakdown_difference": dict(lost),
        "memory_difference": dict(subtract(result.memory, best.memory)),
    }
