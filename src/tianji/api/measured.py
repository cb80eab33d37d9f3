"""A measured step time beside a prediction: what ``predict`` and launches say of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tianji.api.software_rules import weigh_allowed
from tianji.hardware.calibration import Calibration
from tianji.prediction import predict
from tianji.prediction.balance import weigh_balance
from tianji.prediction.switch_gains import SwitchGain
from tianji.report.documents.measured import MeasuredDocument, measured_document
from tianji.result import Result
from tianji.search.changes import Change, find_changes
from tianji.search.worlds import draw_worlds
from tianji.units import Seconds


def explain_measured(result: Result, calibration: Calibration, measured: Seconds | None) -> MeasuredDocument | None:
    """Return a measured step time beside its prediction, with every single change that gains; None where none was given."""
    if measured is None:
        return None
    changes = find_changes(result.plan, calibration)
    every = (*changes, *_switched(result, calibration, changes))
    ordered = sorted(every, key=lambda change: change.step_time)
    return measured_document(result, measured, ordered, weigh_balance(result, calibration))


def _switched(result: Result, calibration: Calibration, changes: tuple[Change, ...]) -> Iterator[Change]:
    """Yield the single switches of the software that gain, but those whose strategy field is a change already."""
    plan = result.plan
    before, known = plan.strategy.as_dict(), {change.field for change in changes}
    for gain in weigh_allowed(result, calibration):
        changed = {name for name, value in gain.plan.strategy.as_dict().items() if value != before[name]}
        if changed & known:
            continue
        under = calibration.under(gain.software, plan.pool.chip.name)
        switched = predict(gain.plan, under)
        if switched.fits and switched.step_time.nominal < result.step_time.nominal:
            yield Change(gain.switch, gain.word, switched, _chance(gain, result, calibration, under), gain.flag)


def _chance(gain: SwitchGain, result: Result, calibration: Calibration, under: Calibration) -> float:
    """Return the share of worlds in which a plan is faster with the switch: the same draws before and after."""
    plan = result.plan
    used, strategies = replace(plan.pool, chips=plan.strategy.chips), [plan.strategy, gain.plan.strategy]
    before, after = (draw_worlds(plan.job, used, constants, strategies) for constants in (calibration, under))
    return float((after.drawn[:, 1] < before.drawn[:, 0]).mean())
