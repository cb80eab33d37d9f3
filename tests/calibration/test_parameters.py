"""What a calibration may set, and what is believed of it."""

from dataclasses import fields
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.calibration import priors
from tianji.calibration.parameters import FREE, SPECIFIC, TRAIT_SPREAD, choose_effects, fixed_effects, prior_constants
from tianji.catalog import list_chips, load_chip
from tianji.catalog.beliefs import read_mechanisms
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
def test_every_framework_release_and_pair_has_an_effect_on_time_and_its_order_does_not_matter(
    traits: list[str],
) -> None:
    effects = choose_effects([("own", *traits)])
    moved = {trait for trait, constant in effects if constant == "software" and "=" not in trait}
    assert moved == {"own", *(trait for trait in traits if "=" not in trait)}
    for order in permutations(traits, len(traits)):
        assert choose_effects([("own", *order)]) == effects


@given(TRAITS)
def test_frameworks_change_some_constants_and_switches_those_of_their_mechanism(traits: list[str]) -> None:
    effects = choose_effects([("own", *traits)])
    for constant, spread in SPECIFIC.items():
        assert effects["own", constant].spread == spread and effects["own", constant].median == 1.0
    mechanisms = {key for key, m in read_mechanisms().items() if not m.sets}
    assert mechanisms <= effects.keys(), "a plan may have a switch that no run has"


def test_each_kind_of_trait_has_its_own_spread() -> None:
    effects = choose_effects([("own", "own-1.0", "own/model", "own@chip")])
    spreads = [effects[trait, "software"].spread for trait in ("own", "own-1.0", "own/model", "own@chip")]
    assert spreads == [TRAIT_SPREAD[kind] for kind in ("family", "release", "recipe", "port")]


def test_each_mechanism_is_of_a_word_of_a_switch_and_of_a_constant() -> None:
    known = {f"{name}={word}" for name, words in SWITCHES.items() for word in words} | {"offload=activations"}
    names = {field.name for field in fields(Constants)}
    for (trait, constant), mechanism in read_mechanisms().items():
        assert trait in known and constant in names and mechanism.source
        assert mechanism.value >= 0.0 and (mechanism.sets or mechanism.value > 0.0)
    assert fixed_effects().keys() == {key for key, m in read_mechanisms().items() if m.sets}


def test_a_known_regression_may_cost_more_than_any_release() -> None:
    effects = choose_effects([("megatron-lm", "known-regression")])
    assert effects["known-regression", "software"].spread > effects["megatron-lm", "software"].spread


def test_a_loss_that_is_not_fused_moves_52_bytes_a_logit() -> None:
    factor = read_mechanisms()["loss=plain", "loss_size"].value
    assert factor * priors(load_chip("h100-sxm"))["loss_size"].median == pytest.approx(52.0, rel=0.01)
    assert priors(load_chip("h100-sxm"))["loss_size"].median == FUSED_LOSS
