from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tianji.calibration import FitSample, fit_chips, priors
from tianji.calibration.parameters import (
    FREE,
    MAX_FREE,
    ROWS_FOR_EACH,
    UNFUSED_LOSS,
    choose_effects,
    prior_constants,
)
from tianji.catalog import load_chip
from tianji.hardware.constants import FUSED_LOSS

Samples = Callable[..., list[FitSample]]


def test_calibrating_on_its_own_predictions_changes_nothing(samples: Samples) -> None:
    fit = fit_chips(samples())
    expected = prior_constants(samples()[0].plan.pool.chip)
    for name in FREE:
        assert getattr(fit.constants["h100-sxm"], name) == pytest.approx(getattr(expected, name), rel=1e-3)
    assert fit.effects["megatron-lm"]["software"].factor == pytest.approx(1.0, abs=1e-3)


def test_a_chip_that_is_slower_than_believed_is_found_out(samples: Samples) -> None:
    fit = fit_chips(samples(matmul_efficiency=0.6, attention_efficiency=0.3))
    assert fit.constants["h100-sxm"].matmul_efficiency < 0.75
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


def test_a_known_regression_may_cost_more_than_any_release() -> None:
    effects = choose_effects([("megatron-lm", "known-regression")])
    assert effects["known-regression", "software"] > effects["megatron-lm", "software"]


def test_few_rows_free_few_constants_and_never_more_than_eight(samples: Samples) -> None:
    few, many = fit_chips(samples()[:7]).free["h100-sxm"], fit_chips(samples()).free["h100-sxm"]
    assert 1 <= len(few) <= 7 // ROWS_FOR_EACH
    assert 1 < len(many) <= MAX_FREE == 8
    # Dense bf16 runs say nothing about narrow formats or experts.
    assert not {"narrow_efficiency", "moe_overhead"} & set(many)


def test_every_prior_lies_below_its_ceiling() -> None:
    for name, prior in priors().items():
        assert 0 < prior.median <= prior.ceiling
        assert prior.spread > 0 or name not in FREE, "what is counted is not fitted"


def test_chips_without_a_fused_loss_pay_for_its_passes() -> None:
    assert priors(load_chip("ascend-910b2"))["loss_size"].median == UNFUSED_LOSS > FUSED_LOSS
    assert priors(load_chip("h100-sxm"))["loss_size"].median == FUSED_LOSS
