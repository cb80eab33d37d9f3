"""Some effects of software are fitted while all else stays."""

from dataclasses import replace

import pytest
from tests.calibration.conftest import make

from benchmarks.accuracy.partial_fit import refit
from tianji.calibration.fit import fit_effects
from tianji.catalog import load_calibration


def test_a_framework_that_is_slower_is_found_out_and_nothing_else_moves() -> None:
    shipped = load_calibration()
    samples = make(1.5, ("megatron-lm",))
    found = fit_effects(samples, shipped, lambda trait: trait == "megatron-lm")
    assert set(found.effects) == {"megatron-lm"} and all(found.rows)
    made = refit(shipped, samples, ["megatron-lm"])
    assert made.chips == shipped.chips and made.correlations == shipped.correlations
    assert made.software["megatron-lm"]["software"].factor > shipped.software["megatron-lm"]["software"].factor
    assert made.software["nemo"] == shipped.software["nemo"]


def test_no_trait_leaves_the_effects_as_they_are() -> None:
    shipped = load_calibration()
    made = refit(shipped, make(1.0, ("megatron-lm",)), [])
    kept = replace(made, evidence=shipped.evidence, software=shipped.software)
    assert kept == shipped and made.software["nemo"] == shipped.software["nemo"]
    assert made.software["*"]["software"].factor == pytest.approx(shipped.software["*"]["software"].factor, abs=1e-3)


def test_a_trait_that_a_calibration_lacks_starts_from_what_is_believed() -> None:
    shipped = load_calibration()
    samples = [*make(1.5, ("megatron-lm",)), *make(1.0, ("megatron-lm", "megatron-lm/new_mixture"))]
    assert "megatron-lm/new_mixture" not in shipped.software
    made = refit(shipped, samples, ["megatron-lm"])
    assert made.software["megatron-lm/new_mixture"]["software"].rows > 0
