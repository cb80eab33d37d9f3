"""One line for each constant: bounds, files, fit and page follow from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tianji.calibration.parameters import FREE, prior_constants, priors
from tianji.catalog import load_calibration
from tianji.hardware.constants import (
    CONSTANT_NAMES,
    CONSTANTS,
    MEMORY_CONSTANTS,
    Constant,
    Constants,
    describe_constants,
    limit,
)

EACH = pytest.mark.parametrize("constant", CONSTANTS.values(), ids=lambda c: c.name)
PAGE = Path(__file__).parents[2] / "docs" / "constants.md"


@EACH
def test_the_value_under_pure_physics_is_one_that_a_file_may_state(constant: Constant) -> None:
    assert constant.least <= constant.default <= constant.most
    assert getattr(Constants(), constant.name) == constant.default
    assert constant.text.endswith(".")
    assert constant.unit


@EACH
def test_an_effect_of_software_raises_a_constant_to_no_more_than_it_can_be(constant: Constant) -> None:
    raised = limit(constant.name, np.array([constant.least, 1e30]))
    assert raised.tolist() == [constant.least, min(1e30, constant.ceiling)]
    if constant.unit == "share" and constant.name.endswith("_efficiency"):
        assert raised[1] <= constant.most


def test_every_shipped_value_lies_within_its_bounds() -> None:
    for constants in load_calibration().chips.values():
        for c in CONSTANTS.values():
            assert c.least <= getattr(constants, c.name) <= c.most


def test_runs_move_what_has_a_belief() -> None:
    assert set(FREE) <= set(priors())
    assert set(FREE).isdisjoint(MEMORY_CONSTANTS)
    assert set(CONSTANT_NAMES) == set(vars_of(Constants()))
    believed = prior_constants()
    assert all(CONSTANTS[name].least <= getattr(believed, name) <= CONSTANTS[name].most for name in CONSTANT_NAMES)


def vars_of(constants: Constants) -> list[str]:
    return list(replace(constants).__slots__)


def test_the_page_lists_what_the_lines_say() -> None:
    assert describe_constants() in PAGE.read_text(encoding="utf-8"), (
        "docs/constants.md: paste describe_constants() anew"
    )
