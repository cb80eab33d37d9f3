"""A calibration from measured runs: fit the chips that have any, let the others inherit, and say how sure each is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tianji.calibration.fit import Fit, FitSample, fit_chips
from tianji.calibration.memory_fit import fit_memory
from tianji.calibration.parameters import SPECIFIC, TRAIT_SPREAD, fixed_effects, prior_constants, priors
from tianji.calibration.ranges import measure_spreads, widen
from tianji.catalog import complete_software, list_chips, load_chip
from tianji.catalog.beliefs import Prior
from tianji.catalog.software import NEWEST
from tianji.errors import FormatError
from tianji.hardware import Chip
from tianji.hardware.calibration import (
    BLOCKING,
    OTHER,
    UNSEEN,
    UNSEEN_MIXTURE,
    UNSEEN_PAIR,
    Calibration,
    Effect,
    Evidence,
    Spread,
)
from tianji.hardware.constants import Constants
from tianji.hardware.software import Software
from tianji.measurements.rows import Row

QUALITIES = ("", "A", "B")
"""Rows whose settings are known well enough to set constants; a user's own table states no quality."""
STRANGER, STRANGE_PAIR = 0.10, 0.08
"""What software that is not known, and software on a chip that it was not seen on, may change time by: the spread of its
logarithm."""
NOTE = "Fitted to measured runs; a plan that states no software is predicted for the reference stack of its ecosystem."


def calibrate_rows(
    rows: Iterable[Row], name: str = "calibration", date: str = "", chips: Sequence[Chip] = ()
) -> Calibration:
    """Return the calibration that measured runs give: at most ten constants for a chip, effects of software, ranges.

    Only rows of split ``fit`` (or of none, in a user's own table) and of quality A or B (or none) count. ``chips`` are those
    that inherit where they have no runs (default: the catalog's). The same rows always give the same calibration.

    Raises FormatError when no row counts.
    """
    chosen = choose_rows(rows)
    samples = [sample_row(row) for row in chosen]
    if not samples:
        raise FormatError("no row of this table may set constants; expected rows of split fit and of quality A or B")
    fit = fit_chips(samples)
    constants, evidence = dict(fit.constants), {c: _show_evidence(fit, c, samples) for c in fit.constants}
    spreads = measure_spreads(fit, samples)
    constants[OTHER], evidence[OTHER] = prior_constants(), {n: _believe(prior) for n, prior in priors().items()}
    for chip in chips or [load_chip(n) for n in list_chips()]:
        if chip.name not in fit.constants:
            constants[chip.name], evidence[chip.name] = _inherit(chip, fit, evidence)
            spreads[chip.name] = _widen_all(chip, spreads)
    spreads[OTHER] = {kind: widen(spread, "inherited") for kind, spread in spreads[OTHER].items()}
    memory = fit_memory([row for row in chosen if row.quality != "B"])
    return Calibration(
        name, date, constants, evidence, spreads, _complete_effects(fit), reference_stacks(), NOTE, memory,
        fit.correlations,
    )  # fmt: skip


def reference_stacks() -> dict[str, tuple[str, ...]]:
    """Return by ecosystem the traits of the stack that a plan is predicted for when it states none: the newest that is known."""
    return {eco: complete_software(Software(name), eco).traits() for eco, name in NEWEST.items()}


def _complete_effects(fit: Fit) -> dict[str, dict[str, Effect]]:
    """Return the effects of a fit with what words set, and with what strangers may do."""
    effects = {trait: dict(known) for trait, known in fit.effects.items()}
    for (trait, constant), value in {**fixed_effects(), (BLOCKING, "op_blocking"): 1.0}.items():
        effects.setdefault(trait, {})[constant] = Effect(value, sets=True)
    effects[UNSEEN] = {constant: Effect(1.0, 0, spread) for constant, spread in SPECIFIC.items()}
    effects[UNSEEN]["software"] = Effect(average_families(fit.effects), 0, STRANGER)
    effects[UNSEEN_PAIR] = {"software": Effect(1.0, 0, STRANGE_PAIR)}
    effects[UNSEEN_MIXTURE] = {"software": Effect(1.0, 0, TRAIT_SPREAD["recipe"])}
    return effects


def average_families(effects: Mapping[str, Mapping[str, Effect]]) -> float:
    """Return the mean effect on time of all frameworks that runs were fitted to."""
    families = [
        e["software"].factor for name, e in effects.items() if "software" in e and "op_overhead" in e and name != UNSEEN
    ]
    return round(float(np.exp(np.mean(np.log(families)))), 4)


def choose_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that may set constants: runs of adapters on frozen weights report what those constants make of them."""
    return [r for r in rows if r.split in ("", "fit") and r.quality in QUALITIES and not r.job.task.is_frozen]


def sample_row(row: Row) -> FitSample:
    """Return a measured run as what a fit takes."""
    pair = f"{row.software.framework}@{row.pool.chip.name}"
    return FitSample(row.plan, row.measured_step_time, row.source, row.arch_key, (*row.traits, pair))


def _show_evidence(fit: Fit, chip: str, samples: Sequence[FitSample]) -> dict[str, Evidence]:
    its_samples = [s for s in samples if s.plan.pool.chip.name == chip]
    sources = sorted({s.source for s in its_samples})
    cited = "; ".join(sources[:3]) + (f"; and {len(sources) - 3} more" if len(sources) > 3 else "")
    kind = its_samples[0].plan.pool.chip
    evidence = {name: _believe(prior) for name, prior in priors(kind).items()}
    for name in evidence:
        if name in fit.free[chip]:
            evidence[name] = Evidence("fitted", len(its_samples), cited, round(fit.errors[chip][name], 4))
        elif kind.relative in fit.constants and name in fit.free[kind.relative]:
            error = round(fit.errors[kind.relative][name], 4)
            evidence[name] = Evidence("fitted", standard_error=error, inherited_from=kind.relative)
    return evidence


def _believe(prior: Prior) -> Evidence:
    return Evidence("measured" if prior.is_published else "physics", 0, prior.source, prior.spread)


def _inherit(chip: Chip, fit: Fit, evidence: dict[str, dict[str, Evidence]]) -> tuple[Constants, dict[str, Evidence]]:
    home = _find_home(chip, fit.constants)
    if not home:
        return prior_constants(chip), {name: _believe(prior) for name, prior in priors(chip).items()}
    proofs = {n: Evidence(e.tier, e.rows, e.source, e.standard_error, home) for n, e in evidence[home].items()}
    own, of_home, changed = priors(chip), priors(load_chip(home)), dict[str, float]()
    for name, prior in own.items():
        # What the two chips are believed to differ by stays, whatever runs of the one say.
        if prior.median != of_home[name].median:
            value = getattr(fit.constants[home], name) * prior.median / of_home[name].median
            changed[name] = float(f"{min(value, prior.ceiling):.5g}")
            if name not in fit.free[home]:
                proofs[name] = _believe(prior)
    return replace(fit.constants[home], **changed), proofs


def _find_home(chip: Chip, known: Iterable[str]) -> str:
    """Return the closest relative that has constants, or nothing."""
    names, seen = set(known), {chip.name}
    while chip.relative and chip.relative not in seen:
        if chip.relative in names:
            return chip.relative
        seen.add(chip.relative)
        chip = load_chip(chip.relative)
    return ""


def _widen_all(chip: Chip, spreads: dict[str, dict[str, Spread]]) -> dict[str, Spread]:
    home = _find_home(chip, spreads)
    base = spreads[home] if home else spreads[OTHER]
    basis = "inherited" if chip.status in ("shipping", "halted") else "roadmap"
    return {kind: widen(spread, basis) for kind, spread in base.items()}
