"""What the search promises for jobs whose layouts were tuned by their makers."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.accuracy.sources import TUNED
from tianji.catalog import load_calibration
from tianji.hardware.calibration import Calibration
from tianji.prediction import predict
from tianji.search import plan
from tianji.validation.expected_gains import Promise
from tianji.validation.pricing import Prediction
from tianji.validation.published_runs import find_precedents

MOST_JOBS = 8
LEAST_CHIPS = 64


def promise_tuned(predictions: Sequence[Prediction], calibration: Calibration | None = None) -> list[Promise]:
    """Return a promise for each of the largest tuned jobs among the predictions, one for a model and a chip."""
    calibration = load_calibration() if calibration is None else calibration
    largest_of: dict[tuple[str, str], Prediction] = {}
    for p in predictions:
        row = p.row
        if not row.source.startswith(TUNED) or row.strategy.chips < LEAST_CHIPS or p.step_time is None:
            continue
        key = (row.arch_key, row.pool.chip.name)
        if key not in largest_of or row.strategy.chips > largest_of[key].row.strategy.chips:
            largest_of[key] = p
    largest = sorted(largest_of.values(), key=lambda p: -p.row.strategy.chips)[:MOST_JOBS]
    return [_promise(p, calibration) for p in largest]


def _promise(p: Prediction, calibration: Calibration) -> Promise:
    same = predict(p.row.plan, calibration)
    outcome = plan(p.row.job, p.row.pool, calibration, top=1)
    is_told = p.row.id in {row.id for row in find_precedents(outcome.best.plan)}
    return Promise(p, same, outcome.best, is_told, outcome.choice.optimism if outcome.choice else 0.0)
