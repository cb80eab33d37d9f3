from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tianji.calibration import FitSample, fit_chips
from tianji.calibration.fit import FAINT
from tianji.calibration.parameters import (
    FREE,
    MAX_FREE,
    ROWS_FOR_EACH,
    prior_constants,
)

Samples = Callable[..., list[FitSample]]


def test_calibrating_on_its_own_predictions_changes_nothing(samples: Samples) -> None:
    fit = fit_chips(samples())
    expected = prior_constants(samples()[0].plan.pool.chip)
    for name in FREE:
        assert getattr(fit.constants["h100-sxm"], name) == pytest.approx(getattr(expected, name), rel=1e-3)
    assert fit.effects["megatron-lm"]["software"].factor == pytest.approx(1.0, abs=1e-3)


def test_a_chip_that_is_slower_than_believed_is_found_out(samples: Samples) -> None:
    fit = fit_chips(samples(matmul_efficiency=0.7, attention_efficiency=0.6))
    assert fit.constants["h100-sxm"].matmul_efficiency < prior_constants(samples()[0].plan.pool.chip).matmul_efficiency
    assert np.abs(fit.residuals).max() < 0.03


def test_the_same_rows_give_the_same_fit(samples: Samples) -> None:
    one, other = fit_chips(samples(matmul_efficiency=0.6)), fit_chips(samples(matmul_efficiency=0.6))
    assert one.constants == other.constants and one.effects == other.effects


def test_one_wild_row_does_not_move_the_fit(samples: Samples) -> None:
    rows = samples()
    rows[0] = replace(rows[0], step_time=rows[0].step_time * 3.0)
    fit = fit_chips(rows)
    assert abs(np.median(fit.residuals)) < 0.01


def test_a_software_that_is_slower_than_others_on_the_same_chip_gets_the_blame(samples: Samples) -> None:
    rows = [*samples(), *samples(1.2, ("slow",))]
    fit = fit_chips(rows)
    slow, usual = fit.effects["slow"]["software"], fit.effects["megatron-lm"]["software"]
    assert slow.factor / usual.factor == pytest.approx(1.2, rel=0.05)


def test_few_rows_free_few_constants_and_never_more_than_ten(samples: Samples) -> None:
    few, many = fit_chips(samples()[:7]).free["h100-sxm"], fit_chips(samples()).free["h100-sxm"]
    assert len(few) <= 7 // ROWS_FOR_EACH
    assert 1 < len(many) <= MAX_FREE == 10
    # Dense bf16 runs say nothing about narrow formats or experts.
    assert not {"narrow_efficiency", "kernel_launch"} & set(many)


def test_the_order_of_the_rows_does_not_matter(samples: Samples) -> None:
    rows = [*samples(matmul_efficiency=0.6), *samples(1.1, ("slow",))]
    one, other = fit_chips(rows), fit_chips(rows[::-1])
    assert list(other.residuals[::-1]) == pytest.approx(list(one.residuals), abs=1e-3)
    for trait, effects in one.effects.items():
        for name, effect in effects.items():
            assert other.effects[trait][name].factor == pytest.approx(effect.factor, rel=1e-3)


@pytest.mark.parametrize("factor", [0.95, 1.05])
def test_times_that_are_all_longer_by_a_factor_are_explained(factor: float, samples: Samples) -> None:
    fit = fit_chips(samples(factor))
    assert np.abs(fit.residuals).max() < 0.02
    slower = fit.effects["megatron-lm"]["software"].factor > 1.0
    assert slower is (factor > 1.0)


def test_correlations_are_of_distinct_unknowns_and_within_one(samples: Samples) -> None:
    fit = fit_chips(samples())
    pairs = [(one, other, c) for one, others in fit.correlations.items() for other, c in others.items()]
    assert pairs
    assert all(one != other and FAINT <= abs(c) <= 1.0 for one, other, c in pairs)
    assert len({frozenset((one, other)) for one, other, _ in pairs}) == len(pairs), "each pair once"
