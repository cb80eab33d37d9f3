"""A calibration from measured runs: fit the chips that have any, let the others inherit, and say how sure each is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tianji.calibration.fit import Fit, FitSample, fit_chips
from tianji.calibration.memory_fit import fit_memory
from tianji.calibration.parameters import Prior, choose_effects, prior_constants, priors
from tianji.calibration.ranges import measure_spreads, widen
from tianji.catalog import list_chips, load_chip
from tianji.errors import FormatError
from tianji.hardware import Chip
from tianji.hardware.calibration import OTHER, UNSEEN, Calibration, Effect, Evidence, Spread
from tianji.hardware.constants import Constants
from tianji.measurements.table import Row

QUALITIES = ("", "A", "B")
"""Rows whose settings are known well enough to set constants; a user's own table states no quality."""
REFERENCE = {"cuda": ("megatron-bridge",), "cann": ("mindspeed",)}
"""Traits of the stack that a plan is predicted for when it states none."""
NOTE = "Fitted to measured runs; a plan that states no software is predicted for the reference stack of its ecosystem."


def calibrate_rows(
    rows: Iterable[Row], name: str = "calibration", date: str = "", chips: Sequence[Chip] = ()
) -> Calibration:
    """Return the calibration that measured runs give: at most eight constants for a chip, effects of software, ranges.

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
    unseen = {constant: Effect(1.0, 0, spread) for (_, constant), spread in choose_effects([(UNSEEN,)]).items()}
    software = {**fit.effects, UNSEEN: unseen}
    return Calibration(
        name, date, constants, evidence, spreads, software, dict(REFERENCE), NOTE, memory, fit.correlations
    )


def choose_rows(rows: Iterable[Row]) -> list[Row]:
    """Return the rows that may set constants."""
    return [r for r in rows if r.split in ("", "fit") and r.quality in QUALITIES]


def sample_row(row: Row) -> FitSample:
    """Return a measured run as what a fit takes."""
    return FitSample(row.plan, row.measured_step_time, row.source, row.arch_key, row.traits)


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
    return fit.constants[home], proofs


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
