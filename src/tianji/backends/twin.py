"""A twin: the model, the job and the plan of a large run, scaled down so that a few processes train it with the same cuts.

Every axis that the plan cuts is cut in the twin too, in two where it can be; schedules, sharding, recomputation, overlaps and
kinds of communication are the plan's own. Sizes shrink to the smallest that these cuts divide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tianji.backends.support import DTYPES, SPLIT, check_support
from tianji.backends.twin_model import shrink_model
from tianji.errors import InfeasibleError
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import Strategy
from tianji.workload import find_precision

AXES = ("tp", "pp", "cp", "dp")
"""In the order in which a twin with too few ranks keeps them."""
AXES_WITH_EXPERTS = ("pp", "dp", "tp", "cp")
"""The same where experts are spread over ranks, which those of dp carry."""
LEAST_RANKS = 2
MOST_RANKS = 64
SEQUENCE = 64
MOST_MICRO_BATCHES = 4
"""For each pipeline stage."""


@dataclass(frozen=True, slots=True)
class PlanTwin:
    """A plan scaled down."""

    plan: Plan
    kept: tuple[str, ...]
    """Axes that are cut as in the original."""
    dropped: tuple[str, ...]
    """What it does not have of the original, each with the reason."""


def make_twin(plan: Plan, ranks: int) -> PlanTwin:
    """Return the twin of a plan on at most ``ranks`` ranks.

    >>> from tianji import Strategy, load_pool, make_job
    >>> large = Plan(make_job("llama-3.1-70b"), load_pool("hgx-h100", 512), Strategy(tp=8, pp=4, dp=16))
    >>> make_twin(large, 4).plan.strategy.tp, make_twin(large, 8).plan.strategy.pp
    (2, 2)

    Raises InfeasibleError for a number of ranks that cuts nothing, and what the trainer raises for what it cannot run.
    """
    if not LEAST_RANKS <= ranks <= MOST_RANKS:
        raise InfeasibleError(f"--twin: expected {LEAST_RANKS} to {MOST_RANKS} ranks, got {ranks:,}")
    degrees = _shrink_degrees(plan.strategy, ranks)
    strategy = _shrink_strategy(plan.strategy, degrees)
    model = shrink_model(plan.job.model, strategy)
    linear = plan.job.precision.linear
    precision = plan.job.precision if linear in DTYPES else find_precision("bf16")
    micro_batches = min(plan.num_microbatches, MOST_MICRO_BATCHES * strategy.pp)
    micro_batches = max(micro_batches - micro_batches % strategy.pp, strategy.pp)
    job = replace(
        plan.job, model=model, precision=precision, seq_len=SEQUENCE,
        global_batch_size=strategy.dp * strategy.micro_batch_size * micro_batches, tokens=0.0,
    )  # fmt: skip
    twin = Plan(job, plan.pool.with_chips(strategy.chips), strategy)
    check_support(twin)
    kept = tuple(name for name in (*AXES, "ep") if getattr(plan.strategy, name) > 1 and getattr(strategy, name) > 1)
    return PlanTwin(twin, kept, tuple(_name_dropped(plan, twin, ranks)))


def _shrink_degrees(strategy: Strategy, ranks: int) -> dict[str, int]:
    degrees = dict.fromkeys(AXES, 1)
    for name in AXES_WITH_EXPERTS if strategy.ep > 1 else AXES:
        if getattr(strategy, name) > 1 and math.prod(degrees.values()) * 2 <= ranks:
            degrees[name] = 2
    # Ranks that are left go to the axis that was cut the most.
    most = max(AXES, key=lambda name: getattr(strategy, name) / degrees[name])
    while math.prod(degrees.values()) * 2 <= ranks and getattr(strategy, most) >= degrees[most] * 2:
        degrees[most] *= 2
    return degrees


def _shrink_strategy(strategy: Strategy, degrees: dict[str, int]) -> Strategy:
    tp, pp, cp, dp = (degrees[name] for name in AXES)
    ep = 2 if strategy.ep > 1 and dp * cp % 2 == 0 else 1
    schedule = strategy.schedule if pp > 1 else "1f1b"
    zero = strategy.zero
    if pp > 1 and zero == 2:
        zero = 1  # PyTorch's schedules reduce the gradients once a step
    if pp > 1 and zero == 3 and schedule in SPLIT:
        zero = 1
    is_split = pp > 1 and schedule in SPLIT
    recompute = "full" if is_split and strategy.recompute == "selective" else strategy.recompute
    return replace(
        strategy, tp=tp, pp=pp, cp=cp, dp=dp, ep=ep, etp=1, vpp=min(strategy.vpp, 2) if pp > 1 else 1, schedule=schedule,
        micro_batch_size=min(strategy.micro_batch_size, 2), zero=zero, zero_group=0, zero_kind="layers", recompute=recompute,
        recompute_modules="", stages="", offload_optimizer=0.0, offload_activations=0.0, offload_weights=False,
    )  # fmt: skip


def _name_dropped(plan: Plan, twin: Plan, ranks: int) -> Iterator[str]:
    old, new, model = plan.strategy, twin.strategy, plan.job.model
    for name in (*AXES, "ep"):
        if getattr(old, name) > 1 and getattr(new, name) == 1:
            yield f"{name}: {ranks} ranks are too few to cut it too"
    if old.etp > 1:
        yield "etp: the trainer keeps an expert whole on a rank"
    if old.zero != new.zero:
        yield f"zero={old.zero}: under this pipeline the trainer has zero={new.zero}"
    if old.recompute != new.recompute:
        yield f"recompute={old.recompute}: under a split backward pass the trainer has recompute={new.recompute}"
    elif old.recompute_modules:
        yield f"recompute_modules={old.recompute_modules}: the trainer recomputes norms and activations, or whole layers"
    if old.stages:
        yield f"stages={old.stages}: the twin has fewer layers, dealt out evenly"
    if old.zero and old.zero_kind != new.zero_kind:
        yield f"zero_kind={old.zero_kind}: the trainer gathers whole layers"
    for name in ("offload_optimizer", "offload_activations", "offload_weights"):
        if getattr(old, name):
            yield f"{name}: all stays on the chip"
    if plan.job.precision.linear != twin.job.precision.linear:
        yield f"{plan.job.precision.name}: the trainer runs {twin.job.precision.name}"
    lacking = {
        "multi-token-prediction modules": model.num_mtp_layers > 0,
        "attention sinks": model.attention_sinks,
        "a norm on the embedding": model.embedding_norm,
        "groups of experts": bool(model.moe and model.moe.num_groups > 1),
    }
    for what, had in lacking.items():
        if had:
            yield f"{what}: the trainer has none"
