"""What ran, and the traits that a calibration knows it by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables import cells

from tianji.catalog import load_calibration
from tianji.catalog.beliefs import read_mechanisms
from tianji.hardware.calibration import UNSEEN, UNSEEN_PAIR
from tianji.hardware.software import SWITCHES, Software
from tianji.measurements.columns import COLUMNS
from tianji.measurements.software import FLAGS, read_software
from tianji.validation import read_runs


def test_traits_tell_framework_release_and_switches() -> None:
    software = Software("nemo", "dgxc-25.02", dispatcher="hybrid_ep", packed=True)
    assert software.traits() == ("nemo", "nemo-dgxc-25.02", "dispatcher=hybrid_ep")
    assert Software("nemo").traits() == ("nemo",)


@given(st.data())
def test_what_a_row_states_is_what_its_software_holds(data: st.DataObject) -> None:
    words = {name: data.draw(st.sampled_from(["", *COLUMNS[name].words])) for name in (*SWITCHES, "optimizer")}
    flags = {name: data.draw(st.sampled_from([None, True, False])) for name in FLAGS}
    stated = {**words, **{name: "" if value is None else str(value) for name, value in flags.items()}}
    software = read_software(cells(**stated))
    assert {name: getattr(software, name) for name in stated} == {**words, **flags}


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, words in SWITCHES.items() for word in words])
def test_each_switch_is_a_column_and_a_trait(name: str, word: str) -> None:
    assert read_software(cells(**{name: word})).modes == (f"{name}={word}",)
    assert read_software(cells()).modes == ()


def test_the_shipped_calibration_knows_the_frameworks_of_the_rows_and_every_switch_with_a_mechanism() -> None:
    known = load_calibration().software
    rows, _ = read_runs(split="fit", quality="A")
    assert {row.software.framework for row in rows} <= known.keys()
    assert {trait for trait, _ in read_mechanisms()} <= known.keys()
    assert {UNSEEN, UNSEEN_PAIR} <= known.keys()


def test_a_row_without_a_framework_is_of_an_unknown_one() -> None:
    assert read_software(cells(framework="")).framework == "unknown"
    assert read_software(cells(framework="Megatron-LM")).framework == "megatron-lm"
