"""How tokens reach their experts, where a framework has one way only."""

from __future__ import annotations

from tianji.exporters.contract import Limits
from tianji.parallel.plan import Plan


def note_expert_copies(plan: Plan, limits: Limits) -> None:
    """Note that a framework sends every copy of a token, where the plan counts one for each node."""
    if plan.strategy.ep > 1 and plan.strategy.ep_kind == "deduplicated":
        limits.note(
            "It sends a token to each of its experts; the plan counts one copy for each node (ep_kind=deduplicated)."
            " `tianji plan --fix ep_kind=all_to_all` prices what it does."
        )
