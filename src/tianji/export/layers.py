"""How the layers of a model lie in stages and chunks, and which of them are MoE or recomputed, as engines spell it."""

from __future__ import annotations

import numpy as np

from tianji.export.arguments import Limits
from tianji.parallel.plan import Plan
from tianji.perf.stages import stage
from tianji.workload import Model


def deal_layers(plan: Plan) -> list[list[int]]:
    """Return the layers of every chunk of every stage, in the numbers that the plan was priced with."""
    model, pp, vpp = plan.job.model, plan.strategy.pp, plan.strategy.vpp
    held = [int(np.round(stage(model, np.asarray(pp), np.asarray(i)).layers)) for i in range(pp)]
    return [[n // vpp + (k < n % vpp) for k in range(vpp)] for n in held]


def is_even(plan: Plan) -> bool:
    """Return whether every chunk holds equally many layers."""
    return plan.job.model.num_layers % (plan.strategy.pp * plan.strategy.vpp) == 0


def spell_layout(plan: Plan) -> str:
    """Return Megatron's text for uneven stages: E embedding, t layer, m multi-token prediction, L loss, | between chunks."""
    dealt = deal_layers(plan)
    chunks = ["t" * dealt[i][k] for k in range(plan.strategy.vpp) for i in range(plan.strategy.pp)]
    chunks[0] = "E" + chunks[0]
    chunks[-1] += "m" * plan.job.model.num_mtp_layers + "L"
    return "|".join(chunks)


def spell_moe_pattern(model: Model) -> str:
    """Return which layers are MoE as Megatron's list expression: 0 a dense layer, 1 a MoE layer.

    Of the layers after the leading dense ones, the last of every ``layer_step`` is MoE; a remainder is dense.
    """
    assert model.moe is not None
    step, leading = model.moe.layer_step, model.moe.num_leading_dense
    full, rest = divmod(model.num_layers - leading, step)
    parts = [f"[0]*{leading}"] if leading else []
    if full:
        parts.append(f"[1]*{full}" if step == 1 else f"([0]*{step - 1}+[1])*{full}")
    if rest:
        parts.append(f"[0]*{rest}")
    return "+".join(parts)


def recomputed_layers(plan: Plan, limits: Limits) -> int | None:
    """Return how many layers of a chunk are recomputed in full; None means all of them.

    A fraction that is no whole number of layers, or that falls on uneven chunks, is refused.
    """
    s = plan.strategy
    if s.recompute_layers == 1:
        return None
    if not is_even(plan):
        limits.refuse(
            f"recompute_layers={s.recompute_layers:g} of stages that hold different numbers of layers: the engine"
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
