"""What a switch would buy is what the plan takes once it is typed."""

import pytest

from tianji import predict
from tianji.api.software_rules import weigh_allowed
from tianji.catalog import load_calibration
from tianji.catalog.software import list_known_words
from tianji.hardware.software import OFF, SWITCHES, find_switch, is_word_of, spell_switch
from tianji.prediction.switch_gains import MOST, SMALL, weigh_switches

CASES = [
    ("qwen3-30b-a3b", "hgx-h100", "tp=1,pp=1,ep=8,zero=1,mbs=1", ""),
    ("deepseek-v3", "atlas-900-a2", "tp=2,pp=8,ep=32,zero=1,mbs=1", "mindspeed@1.0.rc1"),
    ("deepseek-v3", "gb200-nvl72", "tp=1,pp=4,ep=64,zero=1,mbs=1", "our-trainer"),
]


@pytest.mark.parametrize(("model", "pool", "layout", "software"), CASES)
def test_a_gain_is_that_of_its_flag(model: str, pool: str, layout: str, software: str) -> None:
    asked = {"chips": 512, "batch": 2048, "seq": 4096, "software": software or None}
    answer = predict(model, pool, layout, **asked)
    gains = weigh_allowed(answer.result, answer.calibration or load_calibration())
    present = answer.step_time.nominal
    assert 0 < len(gains) <= MOST
    assert [g.saves for g in gains] == sorted((g.saves for g in gains), reverse=True)
    for gain in gains:
        assert gain.saves >= SMALL * present
        option, switch = gain.flag.split(" ", 1)
        changed = predict(model, pool, layout, **asked, **{"with_" if option == "--with" else "without": switch})
        assert changed.step_time.nominal == pytest.approx(gain.step_time, rel=1e-9)
        assert gain.step_time + gain.saves == pytest.approx(present, rel=1e-9)
        assert sum(gain.saved.values()) == pytest.approx(gain.saves, rel=1e-6)


def test_a_calibration_that_knows_no_software_prices_no_switch() -> None:
    bare = load_calibration("none")
    assert weigh_switches(predict("llama-3.1-8b", "hgx-h100", "tp=8", chips=8, batch=64).result, bare) == ()


@pytest.mark.parametrize("ecosystem", ["cuda", "cann", "rocm", "xla"])
def test_only_words_of_the_ecosystem_are_priced(ecosystem: str) -> None:
    known = list_known_words(ecosystem)
    assert all(is_word_of(word, ecosystem) for words in known.values() for word in words)
    assert OFF["dispatcher"] not in known.get("dispatcher", ())


@pytest.mark.parametrize(("name", "word"), [(name, word) for name, words in SWITCHES.items() for word in words])
def test_what_is_typed_means_its_switch(name: str, word: str) -> None:
    assert find_switch(spell_switch(name, word)) == (name, word)
