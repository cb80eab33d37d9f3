"""How the layers of a model lie in stages and chunks, and which of them are MoE or recomputed, as frameworks count them."""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.parallel.plan import Plan
from tianji.parallel.schedules import SCHEDULES
from tianji.parallel.stages import Stages
from tianji.perf.holdings import stages_of


def hold_stages(plan: Plan) -> Stages:
    """Return what every chunk holds, in the order in which a micro-batch passes them, as the plan was priced."""
    return stages_of(plan.job.model, plan.strategy)


def deal_layers(plan: Plan) -> list[list[int]]:
    """Return the layers of every chunk of every pipeline rank, in the numbers that the plan was priced with."""
    s, layers = plan.strategy, hold_stages(plan).layers
    how = SCHEDULES[s.schedule]
    return [[layers[k] for k in how.chunks_of_rank(s.pp, s.vpp, rank)] for rank in range(s.pp)]


def is_even(plan: Plan) -> bool:
    """Return whether every chunk holds equally many layers, and the prediction modules lie beside the head."""
    own = hold_stages(plan)
    return len(set(own.layers)) == 1 and not any(own.modules[:-1])


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
