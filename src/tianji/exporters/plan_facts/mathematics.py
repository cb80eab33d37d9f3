"""What a model's config.json says beside its shape, for targets whose files leave it to the model's own code."""

from __future__ import annotations

from dataclasses import fields

from tianji.exporters.contract import Limits
from tianji.parallel.plan import Plan
from tianji.workload.mathematics import UNSTATED

KEYS = {
    "rope_share": "partial_rotary_factor", "rope_scaling": "rope_scaling type", "rope_factor": "its factor",
    "rope_original": "its original length", "norm_epsilon": "epsilon of the norms", "router_scores": "scores of the router",
    "router_normalises": "norm_topk_prob", "router_scale": "routed_scaling_factor", "balance": "loss of balance",
    "balance_weight": "its weight",
}  # fmt: skip
"""What a field is called where it has another name."""


def note_mathematics(plan: Plan, limits: Limits, where: str, written: frozenset[str] = frozenset()) -> None:
    """Name what is trained beside the shape, for a person to fill in where a target does not write it.

    Args:
        plan: The plan.
        limits: Takes the note.
        where: Where it is filled in, as in ``the model's own code``.
        written: Fields that the target writes itself.
    """
    m = plan.job.model.mathematics
    stated = [
        f"{KEYS.get(f.name, f.name)} = {getattr(m, f.name)}"
        for f in fields(m)
        if f.name not in written and f.name != "others" and getattr(m, f.name) != getattr(UNSTATED, f.name)
    ]
    if missing := [*stated, *m.others]:
        limits.note(f"FILL IN in {where}: {'; '.join(missing)}.")
