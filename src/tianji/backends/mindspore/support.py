"""What the MindSpore backend does not run, each with the reason and what to do instead: checked before a process starts."""

from __future__ import annotations

from collections.abc import Callable

from tianji.backends.options import RunOptions
from tianji.backends.support import check_support
from tianji.errors import IllegalStrategyError, InputError, UnsupportedModelError
from tianji.parallel import Strategy
from tianji.parallel.plan import Plan
from tianji.workload import Model

NO_SCATTER = "MindSpore has no ReduceScatter on CPUs, so gradients and weights stay whole"
NO_ALL_TO_ALL = "MindSpore has no AlltoAll on CPUs"

MODEL_LIMITS: tuple[tuple[Callable[[Model], bool], str], ...] = (
    (lambda m: bool(m.blocks), "layers of several kinds"),
    (lambda m: m.moe is not None, "experts"),
    (lambda m: m.mla is not None, "latent attention"),
    (lambda m: m.sliding_window > 0, "attention in a sliding window"),
    (lambda m: m.num_norms != 2, "sandwich norms"),
)
"""What the torch trainer has and this backend has not."""

STRATEGY_LIMITS: tuple[tuple[Callable[[Strategy], bool], str], ...] = (
    (lambda s: s.zero > 1, f"zero={{s.zero}}: {NO_SCATTER}; take zero=0 or 1"),
    (lambda s: s.cp > 1, f"cp={{s.cp}}: {NO_ALL_TO_ALL}, nor Send and Receive; take cp=1"),
    (lambda s: s.ep > 1, f"ep={{s.ep}}: {NO_ALL_TO_ALL}; take ep=1"),
    (
        lambda s: s.pp > 1 and s.schedule not in ("1f1b", "gpipe"),
        "schedule={s.schedule}: one stage a rank here; take 1f1b or gpipe",
    ),
    (lambda s: s.recompute != "none", "recompute={s.recompute}: nothing is computed again here; take recompute=none"),
)


def check_limits(plan: Plan, options: RunOptions) -> None:
    """Raise InputError, with every reason, unless the backend runs a plan as its strategy says.

    What the torch trainer cannot run it refuses too: there would be nothing to compare with.
    """
    check_support(plan)
    strategy, model = plan.strategy, plan.job.model
    lacking = [what for is_so, what in MODEL_LIMITS if is_so(model)]
    if lacking:
        what = "; no ".join(lacking)
        raise UnsupportedModelError(f"{model.name}: the MindSpore backend has no {what}; take --backend torch")
    reasons = [why.format(s=strategy) for is_so, why in STRATEGY_LIMITS if is_so(strategy)]
    if reasons:
        raise IllegalStrategyError("the MindSpore backend does not run this strategy: " + "; ".join(reasons))
    if plan.job.precision.linear != "fp32":
        raise InputError(
            f"the MindSpore backend computes in fp32 (no bf16 matmul on CPUs), but the plan is for"
            f" {plan.job.precision.name}; make it with --precision fp32"
        )
    if options.checkpoint_every or options.resume_from:
        raise InputError("the MindSpore backend writes and reads no checkpoints; take --backend torch for those")
