"""Judge one run by another: what the noise is, what each standard says, and at which step and stage they part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tianji.errors import FormatError
from tianji.formatting import format_percent
from tianji.migration.parity import statistics as stats
from tianji.migration.parity.by_standard import judge_standard
from tianji.migration.parity.checks import CheckOutcome, ParityCheck
from tianji.migration.parity.divergence import Divergence, find_divergence
from tianji.migration.parity.logs import RunLog
from tianji.migration.parity.noise import (
    Noise,
    losses_at,
    norm_steps,
)
from tianji.migration.parity.standards import find_standards


@dataclass(frozen=True, slots=True)
class Parity:
    """The judgement of a run by a reference."""

    reference: RunLog
    candidate: RunLog
    steps: tuple[int, ...]
    num_repeats: int
    precision: str
    checks: tuple[ParityCheck, ...]
    divergence: Divergence | None
    open_questions: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Parity({self.outcome.value} over {len(self.steps):,} steps, {len(self.checks):,} checks)"

    @property
    def outcome(self) -> CheckOutcome:
        """The worst of all checks; a divergence that noise does not explain counts as beyond the noise."""
        kinds = {check.outcome for check in self.checks}
        if CheckOutcome.FAIL in kinds:
            return CheckOutcome.FAIL
        return CheckOutcome.NOISE if CheckOutcome.NOISE in kinds else CheckOutcome.PASS


def judge_parity(
    reference: RunLog,
    candidate: RunLog,
    repeats: Sequence[RunLog] = (),
    standards: tuple[str, ...] = (),
    precision: str = "",
    metric: str = "",
) -> Parity:
    """Return the judgement of a run by a reference.

    Args:
        reference: The run to agree with.
        candidate: The run that is judged.
        repeats: Further runs of the reference; how far they lie apart is the noise.
        standards: Names of standards; the usual ones where none is named.
        precision: Number format of the less precise run (``bf16``), which says what rounding may make; without it that of the
            files, or bf16.
        metric: Name of a task metric to compare as well.

    Raises FormatError for runs without two common steps, UnknownNameError for an unknown standard.
    """
    chosen = find_standards(standards)
    steps = tuple(sorted(set(reference.losses) & set(candidate.losses)))
    if len(steps) < 2:
        raise FormatError(
            f"{candidate.name}: has {len(steps)} steps in common with {reference.name}; expected two at least"
        )
    form = _less_precise(precision, reference.precision, candidate.precision)
    noise = Noise(reference, repeats, steps, form)
    checks = [_judge_health(reference, candidate, steps)]
    checks += [check for standard in chosen for check in judge_standard(standard, reference, candidate, steps, noise)]
    checks += [_judge_drift(reference, candidate, steps, noise), _judge_spikes(reference, candidate, steps)]
    divergence = find_divergence(reference, candidate, steps, noise)
    if (
        divergence is not None
        and divergence.step <= steps[1]
        and not any(c.outcome is CheckOutcome.FAIL for c in checks)
    ):
        says = f"{divergence.stage} of step {divergence.step} differs by {divergence.value:.2e}"
        checks.append(
            ParityCheck(
                "first steps",
                CheckOutcome.NOISE,
                divergence.value,
                f"{divergence.allowed:.1e}",
                divergence.allowed,
                says,
            )
        )
    if metric:
        checks.append(_judge_metric(reference, candidate, metric))
    return Parity(
        reference,
        candidate,
        steps,
        len(repeats),
        form,
        tuple(checks),
        divergence,
        tuple(_open_questions(reference, candidate, repeats, steps, metric)),
    )


def _less_precise(*names: str) -> str:
    known = [name for name in names if name in stats.ROUNDING]
    if names[0] and names[0] not in stats.ROUNDING:
        raise FormatError(f"--precision {names[0]}: expected one of {', '.join(stats.ROUNDING)}")
    return max(known, key=lambda name: stats.ROUNDING[name]) if known else "bf16"


def _judge_health(a: RunLog, b: RunLog, steps: Sequence[int]) -> ParityCheck:
    """Check that the run has finite numbers where the reference has, and that none stands still or saturates."""
    broken = [s for s in steps if math.isfinite(a.losses[s]) and not math.isfinite(b.losses[s])]
    norms = norm_steps(a, b, steps)
    broken += [s for s in norms if math.isfinite(a.norms[s]) and not math.isfinite(b.norms[s])]
    if broken:
        return ParityCheck(
            "finite numbers",
            CheckOutcome.FAIL,
            float(len(broken)),
            "none",
            None,
            f"not finite from step {min(broken)} on",
        )
    lost = [s for s in steps if not math.isfinite(b.losses[s])]
    if lost:
        says = f"the loss is finite in neither run from step {lost[0]} on: nothing can be compared there"
        return ParityCheck("finite numbers", CheckOutcome.FAIL, float(len(lost)), "none", None, says)
    for title, values, other in (("loss", b.losses, a.losses), ("gradient norm", b.norms, a.norms)):
        common = [s for s in steps if s in values and s in other]
        stuck = stats.find_stuck(common, [values[s] for s in common])
        if stuck and not stats.find_stuck(common, [other[s] for s in common]):
            says = f"the {title} stands still from step {stuck[0]} on: saturation, or an update that is lost"
            return ParityCheck("finite numbers", CheckOutcome.FAIL, float(len(stuck)), "none", None, says)
    return ParityCheck("finite numbers", CheckOutcome.PASS, 0.0, "none", None, "all finite, none stands still")


def _judge_drift(a: RunLog, b: RunLog, steps: Sequence[int], noise: Noise) -> ParityCheck:
    finite = [s for s in steps if math.isfinite(a.losses[s]) and math.isfinite(b.losses[s])]
    slope = stats.fit_slope(losses_at(a, finite), losses_at(b, finite))
    rule = f"a trend that is sure (99.9 %) and gains over {format_percent(DRIFT)}"
    if slope is None:
        return ParityCheck(
            "drift", CheckOutcome.OPEN, None, rule, None, f"{len(finite)} finite steps; a trend needs 40"
        )
    says = f"gains {slope.gained * 100:+.2f} % over the run ({slope.low * 100:+.2f} % to {slope.high * 100:+.2f} %)"
    sure = slope.low > 0 or slope.high < 0

    def gained(one: RunLog, other: RunLog, common: Sequence[int]) -> float:
        trend = stats.fit_slope(losses_at(one, common), losses_at(other, common))
        return 0.0 if trend is None else abs(trend.gained)

    spread = noise.spread(gained)
    fails = sure and abs(slope.gained) > max(DRIFT, spread or 0.0)
    return ParityCheck("drift", CheckOutcome.FAIL if fails else CheckOutcome.PASS, slope.gained, rule, spread, says)


DRIFT = 0.01
"""Relative loss that a trend may gain over the length compared; the limit of the mean."""


def _judge_spikes(a: RunLog, b: RunLog, steps: Sequence[int]) -> ParityCheck:
    own, other = (stats.find_spikes(steps, losses_at(run, steps)) for run in (b, a))
    lonely = [s for s in own if not any(abs(s - t) <= stats.SPIKE_WINDOW for t in other)]
    allowed = 1 + round(3 * math.sqrt(len(other) + 1))
    outcome = CheckOutcome.FAIL if len(lonely) > allowed else CheckOutcome.PASS
    where = f", the first at step {lonely[0]}" if lonely else ""
    says = f"{len(own)} spikes, {len(other)} in the reference; {len(lonely)} without a counterpart{where}"
    return ParityCheck("spikes", outcome, float(len(lonely)), f"at most {allowed} without a counterpart", None, says)


def _judge_metric(a: RunLog, b: RunLog, name: str) -> ParityCheck:
    one, two = (run.metrics.get(name.lower()) for run in (a, b))
    if not one or not two:
        return ParityCheck(f"metric {name}", CheckOutcome.OPEN, None, "no common threshold", None, "not in both runs")
    old, new = list(one.values())[-1], list(two.values())[-1]
    says = f"{new:.6g} beside {old:.6g}; nobody published a threshold for task metrics"
    return ParityCheck(f"metric {name}", CheckOutcome.OPEN, stats.relative(old, new), "no common threshold", None, says)


def _open_questions(a: RunLog, b: RunLog, repeats: Sequence[RunLog], steps: Sequence[int], metric: str) -> list[str]:
    found = []
    beyond = sum(step > max(b.losses) for step in a.losses)
    if beyond:
        found.append(
            f"The run ends at step {max(b.losses):,}, {beyond:,} logged steps before the reference: if it was not meant"
            " to, it died, and nothing here says how the rest would have gone."
        )
    if not repeats:
        found.append("No repeats of the reference were given: what its noise is stays unknown (--repeat).")
    elif len(repeats) == 1:
        found.append("One repeat says little of the noise; two or more make the bands sure.")
    if len(steps) < 1000:
        found.append(
            f"{len(steps):,} common steps: late divergence shows after thousands (5,000 steps or 12 hours are usual)."
        )
    if not metric:
        found.append("No task metric was compared: equal losses have been published beside unequal scores (--metric).")
    return found
