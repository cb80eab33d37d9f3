"""What a calibration may set, and what is believed of it."""

from dataclasses import fields
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.calibration import priors
from tianji.calibration.parameters import FREE, SPECIFIC, TRAIT_SPREAD, UNFUSED_LOSS, choose_effects, prior_constants
from tianji.catalog import list_chips, load_chip
from tianji.hardware.constants import FUSED_LOSS, Constants
from tianji.hardware.software import SWITCHES

TRAITS = st.lists(
    st.sampled_from(["1.0", "dispatcher=deep_ep", "scaling=row", "launch=eager", "own/model", "own@chip"]),
    unique=True,
    max_size=4,
)


@pytest.mark.parametrize("chip", [None, *list_chips()])
def test_each_belief_is_of_a_constant_positive_and_below_its_ceiling(chip: str | None) -> None:
    known = priors(None if chip is None else load_chip(chip))
    assert known.keys() <= {field.name for field in fields(Constants)}
    assert known.keys() >= set(FREE)
    assert all(0.0 < prior.median <= prior.ceiling and prior.spread >= 0.0 and prior.source for prior in known.values())
    assert all(known[name].spread > 0.0 for name in FREE), "what is sure is not fitted"


@pytest.mark.parametrize("chip", list_chips())
def test_the_constants_before_any_run_are_the_medians(chip: str) -> None:
    constants, known = prior_constants(load_chip(chip)), priors(load_chip(chip))
    assert {name: getattr(constants, name) for name in known} == {name: prior.median for name, prior in known.items()}


@given(TRAITS)
def test_every_trait_has_an_effect_on_time_and_its_order_does_not_matter(traits: list[str]) -> None:
    effects = choose_effects([("own", *traits)])
    assert {trait for trait, constant in effects if constant == "software"} == {"own", *traits}
    for order in permutations(traits, len(traits)):
        assert choose_effects([("own", *order)]) == effects


@given(TRAITS)
def test_a_constant_is_changed_by_its_owners_alone(traits: list[str]) -> None:
    effects = choose_effects([("own", *traits)])
    for constant, (spread, owners) in SPECIFIC.items():
        touched = {trait for trait, name in effects if name == constant}
        assert touched == ({trait for trait in traits if trait in owners} if owners else {"own"})
        assert all(effects[trait, constant] == spread for trait in touched)


def test_each_kind_of_trait_has_its_own_spread() -> None:
    effects = choose_effects([("own", "own-1.0", "own/model", "own@chip")])
    spreads = [effects[trait, "software"] for trait in ("own", "own-1.0", "own/model", "own@chip")]
    assert spreads == [TRAIT_SPREAD[kind] for kind in ("family", "release", "recipe", "port")]


def test_the_modes_that_own_a_constant_are_modes_of_software() -> None:
    known = {f"{name}={word}" for name, words in SWITCHES.items() for word in words}
    assert {mode for _, owners in SPECIFIC.values() for mode in owners} <= known


def test_a_known_regression_may_cost_more_than_any_release() -> None:
    effects = choose_effects([("megatron-lm", "known-regression")])
    assert effects["known-regression", "software"] > effects["megatron-lm", "software"]


def test_chips_without_a_fused_loss_pay_for_its_passes() -> None:
    assert priors(load_chip("ascend-910b2"))["loss_size"].median == UNFUSED_LOSS > FUSED_LOSS
    assert priors(load_chip("h100-sxm"))["loss_size"].median == FUSED_LOSS
