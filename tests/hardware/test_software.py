"""Software as a framework, a release and switches: how users write it, and how releases are in order."""

from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tianji.catalog import load_chip
from tianji.errors import FormatError
from tianji.hardware.calibration import Calibration, Effect
from tianji.hardware.software import OFF, STATED, SWITCHES, Software, find_switch, order_release, split_name

WORDS = [(name, word) for name, words in SWITCHES.items() for word in words]
CHIP = load_chip("h100-sxm")


def test_each_switch_is_a_field() -> None:
    assert {f.name for f in fields(Software)} == {
        "framework",
        "release",
        "dispatcher_sms",
        "chosen",
        *SWITCHES,
        *STATED,
    }


@pytest.mark.parametrize(("name", "word"), WORDS)
def test_a_switch_is_found_by_its_name_and_word_in_any_spelling(name: str, word: str) -> None:
    for text in (f"{name}={word}", f"{name}={word.replace('_', '-')}", f"{name.replace('_', ' ')} = {word.upper()}"):
        assert find_switch(text) == (name, word)


@given(st.lists(st.sampled_from(WORDS), max_size=6))
def test_the_last_word_of_a_switch_counts_and_what_is_stated_stays(chosen: list[tuple[str, str]]) -> None:
    software = Software("own").switch(*(f"{name}={word}" for name, word in chosen))
    assert software.switches == {name: word for name in SWITCHES if (word := dict(chosen).get(name))}
    other = Software("other", launch="eager", loss="fused")
    assert software.fill(other).switches == {**other.switches, **software.switches}


def test_a_word_that_several_switches_have_asks_which() -> None:
    with pytest.raises(FormatError, match=r"permute=fused or .*loss=fused"):
        find_switch("fused")
    with pytest.raises(FormatError, match="expected one of eager, compiled"):
        find_switch("launch=fast")


def test_releases_of_one_track_are_in_order() -> None:
    order = ["1.0.rc1", "1.0.rc3", "1.0.0", "2.0.0", "25.09", "26.02", "26.02.01", "26.04"]
    assert sorted(order, key=order_release) == order
    assert order_release("mlperf-5.1")[0] != order_release("5.1")[0]
    assert split_name(" NeMo@MLPerf-5.1 ") == ("nemo", "mlperf-5.1")


def test_a_calibration_under_a_software_has_its_effects() -> None:
    effects = {"launch=full_graph": {"op_overhead": Effect(0.1)}, "a": {"software": Effect(1.2)}}
    plain = Calibration(software=effects, reference={"cuda": ("a",)})
    under = plain.under(Software("b", launch="full_graph"))
    assert plain.constants(CHIP).software == 1.2
    assert under.constants(CHIP).software == 1.0
    assert under.constants(CHIP, ("a",)) == plain.constants(CHIP)


@given(
    st.dictionaries(st.sampled_from(list(SWITCHES)), st.integers(0, 9)), st.sampled_from(["", "26.08", "mlperf-5.1"])
)
def test_traits_name_their_software_and_no_other(places: dict[str, int], release: str) -> None:
    words = {name: SWITCHES[name][place % len(SWITCHES[name])] for name, place in places.items()}
    software = Software("own", release).switch(*(f"{name}={word}" for name, word in words.items()))
    assert Software.of(software.traits()) == software


@pytest.mark.parametrize("name", list(OFF))
def test_what_is_off_cannot_be_switched_off(name: str) -> None:
    on = Software("own").switch(*(f"{name}={word}" for word in SWITCHES[name] if word != OFF[name]))
    off = on.switch_off(name)
    assert off.switches == {name: OFF[name]}
    with pytest.raises(FormatError, match="to switch off"):
        off.switch_off(name)
