"""What a plan keeps in host memory, against what a framework can keep there."""

from __future__ import annotations

from collections.abc import Callable

from tianji.exporters.contract import Refusal
from tianji.parallel.plan import Plan
from tianji.parallel.strategy import OFFLOAD_UPDATES

Condition = Callable[[Plan], bool]


def never(plan: Plan) -> bool:
    """Return False: a framework has no setting for it."""
    return False


def always(plan: Plan) -> bool:
    """Return True: a framework takes it from any plan."""
    return True


def offload_refusals(
    optimizer: Condition = never, *, fraction: Condition = never, updates: tuple[str, ...] = ("host",),
    overlap: Condition = never, activations: tuple[Condition, str] = (never, "it has no setting for it"),
    weights: Condition = never,
) -> tuple[Refusal, ...]:  # fmt: skip
    """Return the refusals of a framework that offloads in the given ways and no others.

    Args:
        optimizer: Plans whose optimizer's state it keeps in host memory.
        fraction: Plans of which it keeps a part of that there.
        updates: Who may update it.
        overlap: Plans whose copies it runs beside the update.
        activations: Plans whose activations it keeps there, and why not others.
        weights: Plans whose sharded weights it keeps there.
    """
    other = " or ".join(word for word in OFFLOAD_UPDATES if word in updates)
    return (
        Refusal(
            lambda s, plan: s.offload_optimizer > 0 and not (optimizer(plan) or (weights(plan) and s.offload_weights)),
            "offload_optimizer: it has no setting for it beside the rest of this plan",
        ),
        Refusal(
            lambda s, plan: 0 < s.offload_optimizer < 1 and not fraction(plan),
            "offload_optimizer={s.offload_optimizer:g}: it offloads all of the state or none",
        ),
        Refusal(
            lambda s, plan: s.offload_optimizer > 0 and s.offload_update not in updates,
            f"offload_update={{s.offload_update}}: what it offloads is updated by the {other} (take offload_update={other})",
        ),
        Refusal(
            lambda s, plan: s.offload_overlap and s.offload_optimizer > 0 and not overlap(plan),
            "offload_overlap: it has no setting for it",
        ),
        Refusal(
            lambda s, plan: s.offload_activations > 0 and not activations[0](plan),
            f"offload_activations={{s.offload_activations:g}}: {activations[1]}",
        ),
        Refusal(lambda s, plan: s.offload_weights and not weights(plan), "offload_weights: it has no setting for it"),
    )
