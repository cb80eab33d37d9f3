"""Runs judged by a published standard: first loss, mean loss, gradient norm, each step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tianji.migration.parity import statistics as stats
from tianji.migration.parity.checks import CheckOutcome, ParityCheck
from tianji.migration.parity.logs import RunLog
from tianji.migration.parity.noise import (
    Noise,
    Statistic,
    first_loss,
    largest_loss,
    late_loss,
    losses_at,
    mean_loss,
    mean_norm,
    norm_steps,
)
from tianji.migration.parity.standards import Standard


def judge_standard(standard: Standard, a: RunLog, b: RunLog, steps: Sequence[int], noise: Noise) -> list[ParityCheck]:
    """Return what a standard says of run ``b`` beside the reference ``a``, on the ``steps`` that both have.

    One check, or several where the standard bounds several figures. It stays open where the standard gives no number, or where
    there are too few steps.
    """
    after = [step for step in steps if step > standard.after_step] if standard.after_step else list(steps)
    name, source, limit = standard.name, standard.source, standard.limit
    if after and not any(math.isfinite(run.losses[s]) for run in (a, b) for s in after):
        says = "the loss is finite in neither run"
        return [ParityCheck(name, CheckOutcome.OPEN, None, standard.rule, None, says, source)]
    if standard.level == "operator" or limit is None or not after:
        reason = "needs dumps of operators" if standard.level == "operator" else f"no number is given: {standard.rule}"
        return [
            ParityCheck(
                name, CheckOutcome.OPEN, None, standard.rule, None, reason if after else "too few steps", source
            )
        ]
    if standard.statistic in ("grad_norm",) and not norm_steps(a, b, after):
        return [
            ParityCheck(name, CheckOutcome.OPEN, None, standard.rule, None, "the runs log no gradient norms", source)
        ]
    if standard.statistic == "rollout_probs_diff":
        return [_judge_probabilities(standard, b)]
    if standard.statistic == "each_step_but_few":
        return [_judge_few(standard, a, b, after)]
    statistic, absolute = _STATISTICS[standard.statistic]
    value = statistic(a, b, after)
    spread = noise.spread(statistic)
    passes = value < limit or (limit == 0 and value == 0)
    if absolute is not None and standard.unit == "absolute or relative" and standard.limit_2 is not None:
        passes = absolute(a, b, after) < limit or value < standard.limit_2
    elif absolute is not None and standard.unit == "absolute":
        passes = absolute(a, b, after) <= limit
    short = len(after) < standard.min_steps
    outcome, says = _weigh(
        value, passes, spread, noise.rounding * (stats.NORM_FACTOR if "norm" in standard.statistic else 1)
    )
    if short:
        says += f"; {len(after):,} steps, where the standard asks for {standard.min_steps:,}"
    checks = [ParityCheck(name, outcome, value, standard.rule, spread, says, source)]
    if standard.statistic == "each_step" and standard.limit_2 is not None and (common := norm_steps(a, b, after)):
        worst = max(stats.relative(a.norms[s], b.norms[s]) for s in common)
        result, says = _weigh(
            worst, worst <= standard.limit_2, noise.spread(mean_norm), noise.rounding * stats.NORM_FACTOR
        )
        checks.append(ParityCheck(f"{name} (gradient norm)", result, worst, standard.rule, None, says, source))
    return checks


def _weigh(value: float, passes: bool, spread: float | None, rounding: float) -> tuple[CheckOutcome, str]:
    allowed = None if spread is None else max(spread, rounding)
    if not passes:
        if allowed is not None and value <= allowed:
            return CheckOutcome.PASS, f"{value:.3g}: outside the limit, yet inside the spread of the repeats"
        return CheckOutcome.FAIL, f"{value:.3g}: outside the limit"
    if allowed is not None and value > allowed:
        return (
            CheckOutcome.NOISE,
            f"{value:.3g}: inside the limit, yet beyond the spread of the repeats ({allowed:.1e})",
        )
    return CheckOutcome.PASS, f"{value:.3g}: inside the limit"


def _absolute_first(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    return abs(a.losses[steps[0]] - b.losses[steps[0]])


def _absolute_mean(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    return stats.mean_absolute(losses_at(a, steps), losses_at(b, steps))


def _absolute_largest(a: RunLog, b: RunLog, steps: Sequence[int]) -> float:
    return max(abs(a.losses[s] - b.losses[s]) for s in steps)


_STATISTICS: dict[str, tuple[Statistic, Statistic | None]] = {
    "first_loss": (first_loss, _absolute_first),
    "mean_loss": (mean_loss, _absolute_mean),
    "grad_norm": (mean_norm, None),
    "late_loss": (late_loss, None),
    "each_step": (largest_loss, None),
    "each_step_loss": (largest_loss, _absolute_largest),
    "equal_loss": (largest_loss, None),
    "baseline_noise": (mean_loss, None),
}
"""Statistic of a standard: what is measured, and its absolute twin where the rule has one."""


def _judge_few(standard: Standard, a: RunLog, b: RunLog, steps: Sequence[int]) -> ParityCheck:
    assert standard.limit is not None
    failing = [s for s in steps if stats.relative(a.losses[s], b.losses[s]) > standard.limit]
    allowed = min(max(len(steps) // 100, 1), 50)
    outcome = CheckOutcome.PASS if len(failing) <= allowed else CheckOutcome.FAIL
    says = f"{len(failing)} steps outside, {allowed} may be"
    return ParityCheck(standard.name, outcome, float(len(failing)), standard.rule, None, says, standard.source)


def _judge_probabilities(standard: Standard, b: RunLog) -> ParityCheck:
    assert standard.limit is not None
    values = next((list(v.values()) for k, v in b.metrics.items() if k.endswith("rollout_probs_diff_mean")), [])
    if not values:
        return ParityCheck(
            standard.name,
            CheckOutcome.OPEN,
            None,
            standard.rule,
            None,
            "the run logs no rollout_probs_diff_mean",
            standard.source,
        )
    value = sum(values) / len(values)
    outcome = CheckOutcome.PASS if value <= standard.limit else CheckOutcome.FAIL
    return ParityCheck(standard.name, outcome, value, standard.rule, None, f"{value:.3g} on average", standard.source)
