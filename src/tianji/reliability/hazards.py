"""Failures of a job: how often each component of its share of a pool fails.

Rates add up over components: failures are independent and have no memory. Each rate has its source in the failure profile.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tianji.hardware import Pool
from tianji.hardware.failure_profile import DOMAINS, FailureProfile
from tianji.units import DAY

YEAR = 365.25 * DAY

SWITCH_NODES = 8
"""Hosts behind one first switch, where the tiers do not say."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """One kind of failure: events a second over the whole job."""

    component: str
    rate: float


def find_hazards(profile: FailureProfile, pool: Pool, chips: int, case: str = "nominal") -> tuple[Hazard, ...]:
    """Return what stops a synchronous job on some chips of a pool, in failures a second.

    The all-cause rate is divided by the causes' counts and grows with chips or hosts as each cause says; optical modules
    beyond those of a plain network, and the domains that a profile has rates for, come on top::

        cause     node rate · its share · hosts, or chips / chips of the profile's node
        optics    modules · rate · (1 - masked share)
        domain    ceil(chips / chips that it takes down) · rate

    Args:
        profile: Rates of a node (a day), of modules and domains (a year), and shares of causes.
        pool: Whose nodes, units and modules the chips are.
        chips: That the job uses, spares not counted.
        case: ``low`` (few failures), ``nominal`` or ``high``.
    """
    rates = _node_hazards(profile, pool, chips, case)
    if modules := _optical_modules(pool, chips):
        # The more is masked, the fewer failures: the cases run against each other.
        masked = profile.optics_masked.at({"low": "high", "high": "low"}.get(case, case))
        rates["optics"] = modules * profile.optics_rate.at(case) / YEAR * (1.0 - masked)
    switch = rates.get("link", 0.0) * profile.switch_share.value
    if switch:
        rates["link"] -= switch
        rates["switch"] = switch
    for name, figure in profile.domain_rates.items():
        rates[name] = rates.get(name, 0.0) + _count(name, pool, chips) * figure.at(case) / YEAR
    return tuple(Hazard(name, rate) for name, rate in rates.items() if rate > 0)


def _node_hazards(profile: FailureProfile, pool: Pool, chips: int, case: str) -> dict[str, float]:
    each = profile.node_rate.at(case) / DAY
    hosts = math.ceil(chips / pool.node)
    rates: dict[str, float] = {}
    for component, per, share in profile.shares:
        count = hosts if per == "node" else chips / profile.node
        rates[component] = rates.get(component, 0.0) + each * share * count
    return rates


def _optical_modules(pool: Pool, chips: int) -> float:
    return pool.optics.value * chips / pool.unit if pool.optics else 0.0


def domain_chips(component: str, pool: Pool, chips: int) -> int:
    """Return how many of a job's ``chips`` one failure of a ``component`` takes down.

    A switch takes down the innermost unit that spans several nodes, a cabinet its share of a unit (the whole unit where the
    number of cabinets was not published), a power feed everything.
    """
    if component == "switch":
        size = next((span for span in pool.spans() if span > pool.node), chips) if pool.tiers else chips
        size = min(size, max(pool.unit, SWITCH_NODES * pool.node))
    elif component == "cabinet":
        size = math.ceil(pool.unit / max(pool.cabinets.value, 1.0)) if pool.cabinets else pool.unit
        size = max(size, pool.node)
    elif component == "unit":
        size = pool.unit
    elif component == "power":
        size = chips
    else:
        size = pool.node
    return min(size, chips)


def _count(component: str, pool: Pool, chips: int) -> int:
    assert component in DOMAINS
    return math.ceil(chips / domain_chips(component, pool, chips))
