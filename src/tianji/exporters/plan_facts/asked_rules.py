"""What a framework's own rules say of the configuration that is about to be written for it."""

from __future__ import annotations

from typing import Any

from tianji.exporters.contract import Limits
from tianji.exporters.formats.arguments import Tree
from tianji.exporters.rules.facts import model_facts
from tianji.exporters.rules.tables import flatten_values, load_rules
from tianji.parallel.plan import Plan


def ask_rules(table: str, tree: Tree, plan: Plan, limits: Limits) -> None:
    """Refuse a configuration that the framework would stop at, or run otherwise than it is priced."""
    facts = model_facts(plan.job.model) | {"chips": plan.strategy.chips}
    for rule in load_rules(table).broken_by(facts | flatten_values(_as_mapping(tree))):
        advice = f"take {rule.plan}" if rule.plan else f"it takes {rule.fix}"
        limits.refuse(f"{rule.says} ({advice}; {rule.source})")


def _as_mapping(tree: Tree) -> dict[str, Any]:
    return {a.name: _as_mapping(a.value) if isinstance(a.value, tuple) else a.value for a in tree}
