"""How the layers of a model lie in stages and chunks, and which of them are MoE or recomputed, as frameworks count them."""

from __future__ import annotations

import numpy as np

from tianji.exporters.contract import Limits
from tianji.parallel.plan import Plan
from tianji.perf.stages import stage


def deal_layers(plan: Plan) -> list[list[int]]:
    """Return the layers of every chunk of every stage, in the numbers that the plan was priced with."""
    model, pp, vpp = plan.job.model, plan.strategy.pp, plan.strategy.vpp
    counts = [int(np.round(stage(model, np.asarray(pp), np.asarray(i)).layers)) for i in range(pp)]
    return [[n // vpp + (k < n % vpp) for k in range(vpp)] for n in counts]


def is_even(plan: Plan) -> bool:
    """Return whether every chunk holds equally many layers."""
    return plan.job.model.num_layers % (plan.strategy.pp * plan.strategy.vpp) == 0


def format_stage_layout(plan: Plan) -> str:
    """Return Megatron's text for uneven stages: E embedding, t layer, m multi-token prediction, L loss, | between chunks."""
    dealt = deal_layers(plan)
    chunks = ["t" * dealt[i][k] for k in range(plan.strategy.vpp) for i in range(plan.strategy.pp)]
    chunks[0] = "E" + chunks[0]
    chunks[-1] += "m" * plan.job.model.num_mtp_layers + "L"
    return "|".join(chunks)


def recomputed_layers(plan: Plan, limits: Limits) -> int | None:
    """Return how many layers of a chunk are recomputed in full; None means all of them.

    A fraction that is no whole number of layers, or that falls on uneven chunks, is refused.
    """
    s = plan.strategy
    if s.recompute_layers == 1:
        return None
    if not is_even(plan):
        limits.refuse(
            f"recompute_layers={s.recompute_layers:g} of stages that hold different numbers of layers: the framework"
            " counts layers, the same in each stage (take recompute_layers=1 or a pp that divides the layers)"
        )
        return None
    chunk = plan.job.model.num_layers // (s.pp * s.vpp)
    count = s.recompute_layers * chunk
    if abs(count - round(count)) > 1e-6:
        limits.refuse(
            f"recompute_layers={s.recompute_layers:g} of {chunk} layers is not a whole number of layers"
            f" (take {round(count)}/{chunk} = {round(count) / chunk:.6g})"
        )
        return None
    return round(count)
