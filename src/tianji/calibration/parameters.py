"""What a calibration may set, and what is believed before any whole run is seen.

Every constant is positive and is fitted as its logarithm. A prior is a median and a relative spread; both come from published
micro-benchmarks where there are any (:mod:`tianji.catalog.beliefs`), with a spread that says how far a whole run may differ from
them. So do the effects of switches; what is left of a framework or a release is a factor near 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tianji.catalog.beliefs import Prior, find_priors, read_mechanisms
from tianji.catalog.software import list_software
from tianji.hardware import Chip
from tianji.hardware.calibration import REGRESSION
from tianji.hardware.constants import CONSTANTS, Constants

FREE = tuple(name for name, constant in CONSTANTS.items() if constant.is_fitted)
"""Constants that whole runs may move, in the order in which rows are spent on them. The others keep their prior median."""

MAX_FREE = 10
"""Free constants of one chip at most."""

ROWS_FOR_EACH = 3
"""A chip gets one free constant for so many rows (counting distinct jobs); the rest stay at their priors."""

TRAIT_SPREAD = {"family": 0.07, "stranger": 0.3, "release": 0.02, "recipe": 0.08, "port": 0.03}
"""Relative spread of a trait's effect on time around the mean of all software, by kind of trait. A stranger is a framework that
the catalog does not know: none of its switches is, so that it may be far from the mean."""

REGRESSION_SPREAD = 0.5
"""Of what the publisher of a run calls a known regression: it may cost anything."""

SPECIFIC = {"attention_efficiency": 0.15, "op_overhead": 0.3, "kernel_launch": 0.25, "step_overhead": 0.5}
"""Constants that each framework changes by itself, beside what its switches do, and by how much."""
RESIDUAL = "what is left of a framework or release"


def choose_effects(traits: Iterable[Sequence[str]]) -> dict[tuple[str, str], Prior]:
    """Return the effects that a fit looks for, (trait, constant), and what is believed of them; first traits are frameworks.

    Those of all switches are among them, whether a run has them or not: a plan may.
    """
    effects = {
        key: Prior(m.value, m.spread, m.source) for key, m in read_mechanisms().items() if not m.sets and m.spread
    }
    for stated in traits:
        for trait in stated:
            if "=" in trait or trait.endswith("/"):  # A switch, or a mixture without a name.
                continue
            spread = REGRESSION_SPREAD if trait == REGRESSION else TRAIT_SPREAD[_kind_of(trait, stated[0])]
            effects[(trait, "software")] = Prior(1.0, spread, RESIDUAL)
        for constant, spread in SPECIFIC.items():
            effects |= {(trait, constant): Prior(1.0, spread, RESIDUAL) for trait in stated[:1]}
    return dict(sorted(effects.items()))


def _kind_of(trait: str, family: str) -> str:
    if trait == family:
        return "family" if trait in list_software() else "stranger"
    return "recipe" if "/" in trait else "port" if "@" in trait else "release"


def fixed_effects() -> dict[tuple[str, str], float]:
    """Return what words set a constant to, whatever the runs say."""
    return {key: m.value for key, m in read_mechanisms().items() if m.sets}


def priors(chip: Chip | None = None) -> dict[str, Prior]:
    """Return what is believed of a chip's constants (None: of any chip's) before any whole run."""
    return find_priors(chip)


def prior_constants(chip: Chip | None = None) -> Constants:
    """Return the constants that are believed of a chip (None: of any) before any whole run."""
    return replace(Constants(), **{name: prior.median for name, prior in priors(chip).items()})
