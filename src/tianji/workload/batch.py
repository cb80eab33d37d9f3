"""Many jobs as one: a Job whose sizes are arrays, for formulas that broadcast.

Jobs can be stacked when they differ only in sizes. What decides *which* ops there are (the kind of attention, the number of
experts a token visits, biases, the precision) must be equal: :func:`structure` is the key to group by.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any

import numpy as np

from tianji.workload.job import Job
from tianji.workload.mathematics import UNSTATED
from tianji.workload.model import Model, MoE

MODEL_SIZES = (
    "hidden_size", "num_layers", "num_attention_heads", "num_key_value_heads", "head_dim", "intermediate_size", "vocab_size",
)  # fmt: skip
MOE_SIZES = ("num_experts", "intermediate_size", "num_leading_dense", "layer_step")
JOB_SIZES = ("seq_len", "global_batch_size", "moe_imbalance")
NAMES = ("name", "family", "source", "moe", "max_position_embeddings", "mathematics")
"""Fields of a model that decide no op; what its experts are is asked apart."""
_OTHERS = attrgetter(*(f.name for f in fields(Model) if f.name not in (*MODEL_SIZES, *NAMES)))
_MOE_OTHERS = attrgetter(*(f.name for f in fields(MoE) if f.name not in MOE_SIZES))


def structure(job: Job) -> Hashable:
    """Return a key that is equal for jobs which can be stacked."""
    model, moe = job.model, job.model.moe
    if model.blocks:
        return (
            replace(model, name="", source="", mathematics=UNSTATED),
            job.precision,
            job.causal,
            job.task,
            job.sample_lengths,
        )
    rest = _OTHERS(model), _MOE_OTHERS(moe) if moe else None
    return *rest, job.precision, job.causal, job.task, job.sample_lengths


def stack(jobs: Sequence[Job]) -> Job:
    """Return one job with each size an array over the given jobs, which must have the same structure."""
    first = jobs[0]
    if first.model.blocks:
        return replace(first, **_columns(jobs, JOB_SIZES))
    model: Model = replace(first.model, **_columns([j.model for j in jobs], MODEL_SIZES))
    if first.model.moe:
        moe: MoE = replace(first.model.moe, **_columns([j.model.moe for j in jobs], MOE_SIZES))
        model = replace(model, moe=moe)
    return replace(first, model=model, **_columns(jobs, JOB_SIZES))


def _columns(items: Sequence[object], names: Sequence[str]) -> dict[str, Any]:
    return {name: np.asarray([getattr(item, name) for item in items]) for name in names}
