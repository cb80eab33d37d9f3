"""A plan for a framework that is named is one that this framework starts: its own rules are asked before anything is priced."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from tianji.errors import IllegalStrategyError
from tianji.hardware.calibration import Calibration
from tianji.hardware.software import Software
from tianji.parallel.plan import Plan
from tianji.result import Result

CONFIGURES_CORE = ("megatron-bridge", "nemo")
"""Software on Megatron's library that has a command line of its own."""
RULED = ("megatron-lm", "mindspeed", *CONFIGURES_CORE)
"""Software whose rules are asked of a plan's options."""


def keep_startable(results: Sequence[Result], calibration: Calibration) -> tuple[Result, ...]:
    """Return the plans of a search that the software which is stated starts.

    Raises IllegalStrategyError where it stops at the best.
    """
    kept = list(results[:1])
    for result in kept:
        refuse_stopped(result.plan, calibration)
    for result in results[1:]:
        with suppress(IllegalStrategyError):
            refuse_stopped(result.plan, calibration)
            kept.append(result)
    return tuple(kept)


def refuse_stopped(plan: Plan, calibration: Calibration) -> None:
    """Raise IllegalStrategyError where the software that is stated stops at a plan, with each rule, its place and the cure.

    Software that is assumed, and any whose rules nobody has read, decides nothing.
    """
    software = plan.software or calibration.find_stated(plan.pool.chip)
    if software is not None and (why := find_stop(plan, software)):
        raise IllegalStrategyError(f"{software.name} would not start this plan: {why}")


def find_stop(plan: Plan, software: Software) -> str:
    """Return each rule at which software stops, its place and the cure; empty where it starts, is assumed or has no rules."""
    if software.chosen is not None or software.framework not in RULED:
        return ""
    # Every target comes with them: commands that name no software do without.
    from tianji.exporters.contract import Limits
    from tianji.exporters.frameworks.megatron import MEGATRON
    from tianji.exporters.frameworks.mindspeed import MINDSPEED
    from tianji.exporters.megatron_family.parser_rules import broken_rules
    from tianji.exporters.megatron_family.script import plan_groups

    dialect = MINDSPEED if software.framework == "mindspeed" else MEGATRON
    options = tuple(a for group in plan_groups(plan, Limits(dialect.name), dialect) for a in group.arguments)
    return "; ".join(
        f"{rule.says} (take {rule.plan or rule.fix}; {rule.source})"
        for rule in broken_rules(options, dialect)
        if rule.effect == "stops" and not (rule.is_of_parser and software.framework in CONFIGURES_CORE)
    )
